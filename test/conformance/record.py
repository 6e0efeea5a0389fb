"""Records cases of PyTorch's own operator and module tables in the format of the runner.

    python3 record.py --names core.txt --out cases/recorded [--skip cases] [--limit 8]
    python3 record.py --names core.txt --out cases/dtypes --dtypes

The second form records small cases for every dtype but float32, one file a dtype.

Needs PyTorch 1.13 with its test tables. Names that have a file below --skip are left out.
Values are computed in float64 from float32 inputs, so they are truer than any float32 result.
"""
import argparse
import gzip
import inspect
import json
import math
import os
import sys
import types
import unittest
import warnings

# PyTorch's test helpers import it, but nothing that is used here needs it.
expecttest = types.ModuleType("expecttest")
expecttest.TestCase, expecttest.ACCEPT = unittest.TestCase, False
sys.modules.setdefault("expecttest", expecttest)
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402
from torch.testing._internal.common_modules import module_db  # noqa: E402

LARGEST = 4000


def dtype_name(dtype):
    return str(dtype).replace("torch.", "")


def number(x):
    if isinstance(x, bool) or isinstance(x, int):
        return x
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return float("%.9g" % x)


def encode(value, dtype=None):
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout != torch.strided:
            raise TypeError("no encoding for complex or sparse tensors")
        flat = value.detach().reshape(-1)
        if flat.dtype in (torch.float16, torch.bfloat16):
            flat = flat.float()
        return {
            "tensor": dtype or dtype_name(value.dtype),
            "shape": list(value.shape),
            "data": [number(x) for x in flat.tolist()],
        }
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return {"float": value if math.isfinite(value) else number(value)}
    if isinstance(value, tuple):
        return {"tuple": [encode(x, dtype) for x in value]}
    if isinstance(value, list):
        return [encode(x, dtype) for x in value]
    if isinstance(value, dict):
        return {k: encode(x, dtype) for k, x in value.items()}
    if isinstance(value, torch.dtype):
        return {"dtype": dtype_name(value)}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    if isinstance(value, (torch.memory_format, torch.layout)):
        return {"layout": str(value)}
    raise TypeError(f"no encoding for {type(value)}")


def transform(value, change):
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)(transform(x, change) for x in value)
    if isinstance(value, dict):
        return {k: transform(x, change) for k, x in value.items()}
    return value


def tensors(value, path=""):
    """Pairs of path and tensor, in order."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, (tuple, list)):
        for i, x in enumerate(value):
            yield from tensors(x, f"{path}/{i}" if path else str(i))
    elif isinstance(value, dict):
        for k, x in value.items():
            yield from tensors(x, f"{path}/{k}" if path else k)


def plain(t):
    return t.detach().clone()


def precise(t):
    """A float64 leaf with the same values."""
    if t.dtype != torch.float32:
        return plain(t)
    return plain(t).double().requires_grad_(t.requires_grad)


def smaller(t):
    """Large inputs are cut along their last dimension, which no case here refers to."""
    return t.detach()[..., :4].clone().requires_grad_(t.requires_grad) if t.numel() > LARGEST else t


def cotangent(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-16, 17, shape, generator=generator).double() / 8


def label_outputs(values, labels):
    """Values of the float64 run under the dtypes of the float32 run."""
    names = iter([dtype_name(t.dtype) for _, t in tensors(labels)])
    return transform_pairs(values, names)


def transform_pairs(value, names):
    if isinstance(value, torch.Tensor):
        return encode(value, next(names))
    if isinstance(value, tuple):
        return {"tuple": [transform_pairs(x, names) for x in value]}
    if isinstance(value, list):
        return [transform_pairs(x, names) for x in value]
    return encode(value)


def gradients(output, inputs):
    """Cotangents of the differentiable outputs and the gradients of the inputs by path."""
    outs = [t for _, t in tensors(output) if t.requires_grad and t.is_floating_point()]
    leaves = [(p, t) for p, t in inputs if t.requires_grad]
    if not outs or not leaves:
        return {}
    cots = [cotangent(t.shape, 7 + i) for i, t in enumerate(outs)]
    grads = torch.autograd.grad(
        outs, [t for _, t in leaves], [c.to(o.dtype) for c, o in zip(cots, outs)], allow_unused=True
    )
    return {
        "cotangents": [encode(c, "float32") for c in cots],
        "grads": {
            p: None if g is None else encode(g, "float32") for (p, _), g in zip(leaves, grads)
        },
    }


def record_case(op, sample):
    args = transform([sample.input, *sample.args], smaller)
    kwargs = transform(sample.kwargs, smaller)
    case = {"args": [encode(a) for a in args], "kwargs": encode(kwargs)}
    labels = op.op(*transform(args, plain), **transform(kwargs, plain))
    args, kwargs = transform(args, precise), transform(kwargs, precise)
    output = op.op(*args, **kwargs)
    case["output"] = label_outputs(output, labels)
    inputs = [*tensors(args), *tensors(kwargs)]
    if op.supports_autograd:
        case.update(gradients(output, inputs))
    return case


def record_error(op, error):
    sample = error.sample_input
    args, kwargs = [sample.input, *sample.args], sample.kwargs
    if "out" in kwargs:
        return None
    record = {"args": [encode(a) for a in args], "kwargs": encode(kwargs)}
    try:
        op.op(*args, **kwargs)
    except Exception:
        return {**record, "error": error.error_regex or ""}
    return None


def collect(items, limit, record):
    result = []
    for item in items:
        if len(result) >= limit:
            break
        try:
            made = record(item)
        except (TypeError, RuntimeError, ValueError) as problem:
            print(f"    left out: {str(problem)[:100]}")
            continue
        if made is not None and made not in result:
            result.append(made)
    return result


def record_op(op, limit):
    for dtype in (torch.float32, torch.int64, torch.bool):
        if dtype in op.dtypes:
            break
    grad = op.supports_autograd and dtype.is_floating_point
    torch.manual_seed(1)
    samples = list(op.sample_inputs("cpu", dtype, requires_grad=grad))
    stride = max(1, len(samples) // limit)
    samples = samples[::stride] + [s for i, s in enumerate(samples) if i % stride]
    errors = list(op.error_inputs_func(op, "cpu")) if op.error_inputs_func else []
    return {
        "op": op.name,
        "variant": op.variant_test_name,
        "dtype": dtype_name(dtype),
        "inplace": op.inplace_variant is not None,
        "method": op.method_variant is not None,
        "cases": collect(samples, limit, lambda s: record_case(op, s)),
        "errors": collect(errors, limit, lambda e: record_error(op, e)),
    }


DTYPES = "float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()


HALVES = (torch.float16, torch.bfloat16)


def widened(t):
    """Halves as float64 with the same values."""
    return plain(t).double() if t.dtype in HALVES else plain(t)


def values_of(op, args, kwargs, own):
    """
    PyTorch rounds halves at every step. Where that loses more than the runner's tolerance, the case
    holds the values of float64, rounded once.
    """
    inputs = [t for _, t in [*tensors(args), *tensors(kwargs)]]
    if not any(t.dtype in HALVES for t in inputs):
        return encode(own)
    wide = op.op(*transform(args, widened), **transform(kwargs, widened))
    pairs = zip([t for _, t in tensors(own)], [t for _, t in tensors(wide)])
    rounded = [(a, b.to(a.dtype)) for a, b in pairs]
    close = all(torch.allclose(a.double(), b.double(), 1e-2, 2e-2, True) for a, b in rounded)
    if close:
        return encode(own)
    values = iter([b for _, b in rounded])
    return encode(transform(own, lambda _: next(values)))


def record_plain(op, sample):
    """A small case as PyTorch computes it in the inputs' own dtype."""
    args, kwargs = [sample.input, *sample.args], sample.kwargs
    if sum(t.numel() for _, t in [*tensors(args), *tensors(kwargs)]) > 80:
        return None
    case = {"args": [encode(a) for a in args], "kwargs": encode(kwargs)}
    output = op.op(*transform(args, plain), **transform(kwargs, plain))
    if sum(t.numel() for _, t in tensors(output)) > 400:
        return None
    return {**case, "output": values_of(op, args, kwargs, output)}


def record_dtype(op, dtype, limit):
    torch.manual_seed(5)
    try:
        samples = list(op.sample_inputs("cpu", dtype, requires_grad=False))
    except (TypeError, RuntimeError, ValueError):
        samples = []
    return {
        "op": op.name,
        "variant": op.variant_test_name,
        "dtype": dtype_name(dtype),
        "inplace": op.inplace_variant is not None,
        "method": op.method_variant is not None,
        "cases": collect(reversed(samples), limit, lambda s: record_plain(op, s)),
        "errors": [],
    }


def record_dtypes(ops, names, limit, folder):
    for name in DTYPES:
        dtype = getattr(torch, name)
        # PyTorch 1.13's linspace of integers depends on the width of the machine's vectors.
        chosen = [n for n in names if n != "linspace" or dtype.is_floating_point]
        files = [record_dtype(ops[n], dtype, limit) for n in chosen if dtype in ops[n].dtypes]
        files = [file for file in files if file["cases"]]
        print(f"{name}: {len(files)} operators")
        write(folder, name, files)


def record_module_case(info, sample, train):
    made, given = sample.constructor_input, sample.forward_input
    torch.manual_seed(3)
    module = info.module_cls(*made.args, **made.kwargs)
    torch.manual_seed(4)
    for name, p in module.named_parameters():
        p.data.copy_(torch.randn(p.shape) * 0.5)
    module.train(train)
    args = transform(list(given.args), lambda t: plain(t))
    state = {k: encode(v) for k, v in module.state_dict().items()}
    case = {
        "label": "table",
        "args": encode(list(made.args)),
        "kwargs": encode(made.kwargs),
        "state_dict": state,
        "train": train,
        "input": encode(args),
        "input_kwargs": encode(given.kwargs),
        "repr": repr(module),
    }
    module.double()
    args = transform(
        args, lambda t: t.double().requires_grad_() if t.dtype == torch.float32 else t
    )
    kwargs = transform(given.kwargs, lambda t: t.double() if t.dtype == torch.float32 else t)
    output = module(*args, **kwargs)
    case["output"] = encode(output, "float32")
    params = [(f"p:{k}", p) for k, p in module.named_parameters()]
    found = gradients(output, [*tensors(args), *params])
    case["cotangents"] = found.get("cotangents", [])
    grads = found.get("grads", {})
    case["input_grads"] = {k: g for k, g in grads.items() if not k.startswith("p:")}
    case["param_grads"] = {k[2:]: g for k, g in grads.items() if k.startswith("p:")}
    buffers = {k for k, _ in module.named_buffers()}
    case["state_dict_after"] = {
        k: encode(v, "float32" if v.is_floating_point() else None)
        for k, v in module.state_dict().items()
        if k in buffers
    }
    return case


def record_module(info, limit):
    cases = []
    for train in (True, False):
        torch.manual_seed(2)
        samples = info.module_inputs_func(
            info, device="cpu", dtype=torch.float32, requires_grad=False, training=train
        )
        wanted = limit // 2
        stride = max(1, len(samples) // wanted)
        record = lambda s: record_module_case(info, s, train)  # noqa: E731
        cases += collect(samples[::stride], wanted, record)
    return {"module": info.module_cls.__name__, "cases": cases}


def names_in(path):
    with open(path) as lines:
        names = [line.split("#")[0].strip() for line in lines]
    return [name for name in names if name]


def write(folder, name, value):
    os.makedirs(folder, exist_ok=True)
    text = json.dumps(value, separators=(",", ":"))
    with open(os.path.join(folder, f"{name}.json.gz"), "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))


def has_file(folder, kind, name):
    return folder is not None and os.path.exists(os.path.join(folder, kind, f"{name}.json.gz"))


def main():
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__))
    parser.add_argument("--names", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--skip")
    parser.add_argument("--limit", type=int, default=8)
    parser.add_argument("--dtypes", action="store_true")
    options = parser.parse_args()
    ops = {o.name + (f".{o.variant_test_name}" if o.variant_test_name else ""): o for o in op_db}
    modules = {info.module_cls.__name__: info for info in module_db}
    names = names_in(options.names)
    if options.dtypes:
        return record_dtypes(ops, [n for n in names if n in ops], options.limit, options.out)
    for name in names:
        kind = "nn" if name in modules and name not in ops else "ops"
        if has_file(options.skip, kind, name):
            continue
        if name in ops:
            result = record_op(ops[name], options.limit)
        elif name in modules:
            result = record_module(modules[name], options.limit)
        else:
            print(f"{name}: not in the tables")
            continue
        print(f"{name}: {len(result['cases'])} cases, {len(result.get('errors', []))} errors")
        if result["cases"]:
            write(os.path.join(options.out, kind), name, result)


if __name__ == "__main__":
    main()
