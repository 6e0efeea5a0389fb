"""Records random numbers of PyTorch as the runner's `random` records.

    python3 record_random.py --out cases/recorded/random.json.gz [--seeds 1 2 ...]
    python3 record_random.py --out - --seeds 12345 [--only 'randn']

Every record holds an expression, the values PyTorch 1.13 gives for it on the CPU, and the double it
draws next, which shows how many numbers were used. `MKL` builds of PyTorch draw bernoulli_ and
exponential_ from a generator of their own: record with one that does not (Debian's python3-torch).
"""
import argparse
import gzip
import inspect
import json
import math
import re
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn import init

SIZES = (1, 2, 15, 16, 17, 31, 32, 33, 100)
FLOATS = ("float32", "float64")


def fills():
    for dtype in FLOATS:
        for n in SIZES:
            of = f"({n}, dtype=torch.{dtype})"
            yield f"torch.rand{of}"
            yield f"torch.randn{of}"
            yield f"torch.empty{of}.normal_(-2, 0.5)"
        for n in (3, 40):
            of = f"({n}, dtype=torch.{dtype})"
            yield f"torch.empty{of}.uniform_(-3, 7.5)"
            yield f"torch.empty{of}.exponential_(0.5)"
            yield f"torch.empty{of}.bernoulli_(0.3)"
            yield f"torch.empty{of}.bernoulli_()"
            yield f"torch.empty{of}.log_normal_(0.5, 0.25)"
            yield f"torch.empty{of}.geometric_(0.2)"
            yield f"torch.empty{of}.cauchy_(1, 0.5)"
            yield f"torch.empty{of}.random_()"
            yield f"torch.empty{of}.random_(9)"
            yield f"torch.empty{of}.random_(-4, 9)"
        yield f"torch.rand(2, 3, 5, dtype=torch.{dtype})"
        yield f"torch.randn(2, 3, 5, dtype=torch.{dtype})"
        yield f"torch.randn(0, dtype=torch.{dtype}); torch.randn(())"


def large():
    for dtype in FLOATS:
        for call in (
            f"torch.randn(100003, dtype=torch.{dtype})",
            f"torch.rand(100003, dtype=torch.{dtype})",
            f"torch.empty(100003, dtype=torch.{dtype}).exponential_()",
            f"init.xavier_normal_(torch.empty(301, 127, dtype=torch.{dtype})).view(-1)",
        ):
            yield f"x = {call}; x[::4999]; x[-17:]"
    yield "x = torch.randperm(30011); x[::999]; x[-17:]"
    yield "x = F.dropout(torch.ones(30011), 0.1); x[::999]; x[-17:]"
    yield "x = torch.multinomial(torch.arange(1, 5001, dtype=torch.float32), 4000); x[::333]"


def views():
    for dtype in FLOATS:
        zeros = f"x = torch.zeros(6, 8, dtype=torch.{dtype})"
        for view in ("x.t()", "x[:, ::2]", "x[1:4]", "x[2]", "x.t()[3:6]", "x.transpose(0, 1)[::3]"):
            for fill in ("normal_(1, 2)", "uniform_(-1, 1)", "exponential_()", "bernoulli_(0.4)"):
                yield f"{zeros}; {view}.{fill}; x"


def integers():
    for dtype in ("int64", "int32", "int16", "int8", "uint8", "float32", "float64"):
        yield f"torch.randint(3, 100, (4, 5), dtype=torch.{dtype})"
        yield f"torch.empty(7, dtype=torch.{dtype}).random_(5, 50)"
        yield f"torch.randperm(20, dtype=torch.{dtype})"
        yield f"torch.empty(9, dtype=torch.{dtype}).random_()"
    yield "torch.randint(2, (30,), dtype=torch.bool)"
    yield "torch.randint(-2147483648, 2147483647, (6,))"
    yield "torch.randint(0, 4294967296, (6,), dtype=torch.int64)"
    yield "torch.randint(-1099511627776, 1099511627776, (6,), dtype=torch.int64)"
    yield "torch.randint(10, ())"
    for n in (0, 1, 2, 33, 1000):
        yield f"torch.randperm({n})"


def likes():
    for dtype in FLOATS:
        for x in (
            f"torch.ones(3, 7, dtype=torch.{dtype})",
            f"torch.ones(3, 7, dtype=torch.{dtype}).t()",
            f"torch.ones(3, 4, 5, dtype=torch.{dtype}).permute(2, 0, 1)",
            f"torch.ones(6, 8, dtype=torch.{dtype})[:, ::2]",
        ):
            yield f"torch.rand_like({x})"
            yield f"torch.randn_like({x})"
            yield f"torch.randint_like({x}, 3, 40)"
    yield "torch.randn_like(torch.ones(20), dtype=torch.float64)"


def draws():
    for dtype in FLOATS:
        p = f"torch.linspace(0, 1, 24, dtype=torch.{dtype}).view(4, 6)"
        yield f"torch.bernoulli({p})"
        yield f"torch.bernoulli({p}.t())"
        yield f"torch.empty(4, 6).bernoulli_({p})"
        yield f"({p}).bernoulli()"
        yield f"torch.bernoulli({p}, 0.25)"
        w = f"torch.arange(1, 13, dtype=torch.{dtype}).view(3, 4)"
        for n, again in ((1, True), (1, False), (3, False), (4, False), (50, True)):
            yield f"torch.multinomial({w}, {n}, replacement={again})"
        yield f"torch.multinomial(torch.ones(40, dtype=torch.{dtype}), 40)"
        yield f"torch.poisson(torch.arange(0, 40, dtype=torch.{dtype}) * 2.5)"
        yield f"torch.poisson(torch.full((5,), 1000, dtype=torch.{dtype}))"
        mean = f"torch.arange(0, 20, dtype=torch.{dtype})"
        yield f"torch.normal({mean}, 2.)"
        yield f"torch.normal(3., {mean} + 1)"
        yield f"torch.normal({mean}, {mean} / 4)"
        yield f"torch.normal({mean}.view(4, 5), torch.full((5,), 2, dtype=torch.{dtype}))"
        yield f"torch.normal(1., 3., (5,), dtype=torch.{dtype})"
        yield f"torch.normal(1., 3., (4, 5), dtype=torch.{dtype})"
    for of in ("(30)", "(4, 6, 3)", "(4, 6, 3, 2)"):
        yield f"F.dropout(torch.ones{of}, 0.25)"
    yield "F.dropout(torch.ones(40, dtype=torch.float64), 0.7)"
    yield "F.dropout(torch.ones(6, 7).t(), 0.5)"
    yield "F.dropout(torch.ones(9), 0.5, training=False)"
    yield "F.dropout2d(torch.ones(3, 5, 2, 2), 0.5)"
    yield "F.dropout1d(torch.ones(3, 5, 4), 0.5)"
    yield "F.dropout3d(torch.ones(2, 4, 2, 2, 2), 0.5)"
    yield "F.alpha_dropout(torch.ones(30), 0.4, training=True)"
    yield "F.feature_alpha_dropout(torch.ones(3, 5, 2, 2), 0.4, training=True)"
    yield "F.rrelu(-torch.ones(20), training=True)"
    yield "F.gumbel_softmax(torch.ones(4, 5))"


def initialisers():
    for dtype in FLOATS:
        for shape in ("3, 4", "6, 5", "8, 3, 5", "4, 2, 3, 3"):
            of = f"(torch.empty({shape}, dtype=torch.{dtype})"
            for call in (
                "uniform_{}, -1, 2)",
                "normal_{}, 1, 2)",
                "constant_{}, 0.25)",
                "xavier_uniform_{}, gain=2)",
                "xavier_normal_{})",
                "kaiming_uniform_{}, a=0.5)",
                "kaiming_uniform_{}, nonlinearity='relu', mode='fan_out')",
                "kaiming_normal_{}, mode='fan_out')",
                "orthogonal_{}, gain=0.5)",
                "trunc_normal_{}, mean=0.5, std=2., a=-1., b=3.)",
            ):
                yield "init." + call.format(of)
        yield f"init.sparse_(torch.empty(10, 6, dtype=torch.{dtype}), 0.3)"
        yield f"init.eye_(torch.empty(3, 5, dtype=torch.{dtype}))"
        yield f"init.dirac_(torch.empty(6, 2, 3, 3, dtype=torch.{dtype}), 2)"


def mixtures():
    yield "randn(1); randn(1); rand(2); randn(3, dtype=torch.float64); randn(16)"
    yield "randn(3); torch.empty(3).exponential_(); randn(2)"
    yield "randn(1); randperm(4); randn(1); randint(0, 5, (3,)); randn(2)"
    yield "randn(1); randn(20); randn(1)"
    yield "g = torch.Generator(); g.manual_seed(3); torch.rand(3, generator=g); randn(3)"
    for call in (
        "torch.randn(17, generator=g)",
        "torch.randint(5, (4,), generator=g)",
        "torch.randperm(9, generator=g)",
        "torch.normal(0., 1., (4,), generator=g)",
        "torch.normal(torch.zeros(4), 2., generator=g)",
        "torch.multinomial(torch.ones(9), 3, generator=g)",
        "torch.bernoulli(torch.full((9,), 0.5), generator=g)",
        "torch.poisson(torch.full((9,), 3.5), generator=g)",
        "torch.empty(5).uniform_(generator=g)",
        "torch.empty(5).normal_(generator=g)",
        "torch.empty(5).exponential_(generator=g)",
        "torch.empty(5).bernoulli_(0.5, generator=g)",
        "torch.empty(5).log_normal_(generator=g)",
        "torch.empty(5).geometric_(0.5, generator=g)",
        "torch.empty(5).cauchy_(generator=g)",
        "torch.empty(5).random_(generator=g)",
    ):
        yield f"g = torch.Generator(); g.manual_seed(3); {call}"


def modules():
    for call in (
        "Linear(5, 7)",
        "Linear(5, 7, bias=False)",
        "Bilinear(3, 4, 2)",
        "Conv1d(4, 6, 3, groups=2)",
        "Conv2d(3, 4, (3, 2))",
        "Conv3d(2, 3, 2)",
        "ConvTranspose1d(4, 6, 3)",
        "ConvTranspose2d(4, 2, 3)",
        "ConvTranspose3d(2, 3, 2)",
        "Embedding(10, 3)",
        "Embedding(10, 3, padding_idx=2)",
        "EmbeddingBag(10, 3)",
        "RNN(3, 4, num_layers=2, bidirectional=True)",
        "LSTM(3, 4, num_layers=2, bidirectional=True)",
        "LSTM(3, 4, proj_size=2)",
        "GRU(3, 4, num_layers=2)",
        "RNNCell(3, 4)",
        "LSTMCell(3, 4)",
        "GRUCell(3, 4)",
        "BatchNorm1d(4)",
        "LayerNorm(4)",
        "GroupNorm(2, 4)",
        "InstanceNorm2d(3, affine=True)",
        "PReLU(3)",
        "MultiheadAttention(8, 2)",
        "MultiheadAttention(8, 2, kdim=4, vdim=6)",
        "TransformerEncoderLayer(8, 2, dim_feedforward=16)",
        "TransformerDecoderLayer(8, 2, dim_feedforward=16)",
    ):
        yield f"nn.{call}"
        if call.endswith(")") and re.match("Linear|Conv2d|LSTM|Embed|Mult", call):
            yield f"nn.{call[:-1]}, dtype=torch.float64)"


def expressions():
    for kind in (fills, large, views, integers, likes, draws, initialisers, mixtures, modules):
        yield from kind()


def number(x):
    if isinstance(x, (bool, int)):
        return x
    if not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return x


def shortest(x, dtype):
    """The fewest digits that give the same float32 again."""
    if dtype != torch.float32 or not math.isfinite(x):
        return number(x)
    return float("%.9g" % x)


def encode(value):
    if isinstance(value, (tuple, list)):
        return {"tuple": [encode(x) for x in value]}
    flat = value.detach().reshape(-1).tolist()
    name = str(value.dtype).replace("torch.", "")
    return {
        "tensor": name,
        "shape": list(value.shape),
        "data": [shortest(x, value.dtype) for x in flat],
    }


NAMES = {"torch": torch, "nn": nn, "F": F, "init": init}
NAMES.update({name: getattr(torch, name) for name in ("rand", "randn", "randint", "randperm")})


def run(source):
    """The values of the statements of a line; assignments and generators have none."""
    names = dict(NAMES)
    values = []
    for statement in source.split("; "):
        name, _, right = statement.partition(" = ")
        if right:
            names[name] = eval(right, names)
        else:
            value = eval(statement, names)
            if isinstance(value, (torch.Tensor, nn.Module)):
                values.append(value)
    return values


def record(seed, source):
    torch.manual_seed(seed)
    values = run(source)
    result = {"seed": seed, "torch": source}
    if isinstance(values[-1], nn.Module):
        result["state_dict"] = {k: encode(v) for k, v in values[-1].state_dict().items()}
    else:
        result["values"] = encode(values[0] if len(values) == 1 else values)
    result["next"] = torch.rand((), dtype=torch.float64).item()
    return result


def main():
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__))
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    chosen = [e for e in expressions() if re.search(options.only, e)]
    records = [record(seed, e) for seed in options.seeds for e in chosen]
    text = json.dumps(records, separators=(",", ":"))
    if options.out == "-":
        sys.stdout.write(text)
        return
    with open(options.out, "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))
    print(f"{len(records)} records")


if __name__ == "__main__":
    main()
