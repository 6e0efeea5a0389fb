"""Records whole trainings as the runner's `training` records with a recipe.

    python3 record_training.py --out cases/recorded/training.json.gz [--only lstm] [--seed 3]

A recipe says in Python how the model is built and used, so that both sides run the same text: its
modules in order of construction, `forward` of `x`, `loss` of `out` and `y`, the optimiser, and what
happens after each backward and after each step. Every recipe is run in float32 and in float64.
"""
import argparse
import gzip
import inspect
import json
import math
import sys

import torch
from torch import nn, optim
from torch.nn import functional as F

from record_random import encode

STEPS = 40


def classes(shape, count, batches=4, size=8):
    """Batches whose class is where their features lie."""

    def make(generator):
        for _ in range(batches):
            y = torch.randint(0, count, (size,), generator=generator)
            x = torch.randn(size, *shape, generator=generator) + y.view(-1, *[1] * len(shape)) - 1
            yield x, y

    return make


def tokens(length, vocabulary, batches=4, size=6):
    """Sequences of tokens; the class is the first token's half of the vocabulary."""

    def make(generator):
        for _ in range(batches):
            x = torch.randint(0, vocabulary, (size, length), generator=generator)
            yield x, (x[:, 0] * 2 // vocabulary)

    return make


def signals(width, batches=4, size=8):
    """Sums of sines, to be given back or smoothed."""

    def make(generator):
        for _ in range(batches):
            phase = torch.rand(size, 1, generator=generator) * 6
            x = torch.sin(torch.arange(width) * 0.7 + phase)
            yield x + 0.1 * torch.randn(size, width, generator=generator), x

    return make


def coins(width, batches=4, size=10):
    def make(generator):
        for _ in range(batches):
            x = torch.randn(size, width, generator=generator)
            yield x, (x.sum(1, keepdim=True) > 0).float()

    return make


RECIPES = {
    "rnn": {
        "data": classes((7, 5), 3),
        "modules": {"rnn": "nn.RNN(5, 9, batch_first=True)", "out": "nn.Linear(9, 3)"},
        "forward": "self.out(self.rnn(x)[0][:, -1])",
        "loss": "F.cross_entropy(out, y)",
        "optimizer": "optim.RMSprop(params, lr=0.003, momentum=0.5, centered=True)",
    },
    "lstm": {
        "data": tokens(6, 12),
        "modules": {
            "embed": "nn.Embedding(12, 6)",
            "lstm": "nn.LSTM(6, 7, num_layers=2, bidirectional=True, batch_first=True)",
            "out": "nn.Linear(14, 2)",
        },
        "forward": "self.out(self.lstm(self.embed(x))[0].mean(1))",
        "loss": "F.cross_entropy(out, y, label_smoothing=0.1)",
        "optimizer": "optim.Adam(params, lr=0.01)",
        "backward": "nn.utils.clip_grad_norm_(params, 0.5)",
    },
    "cnn with batch norm": {
        "data": classes((2, 10, 10), 3, size=6),
        "modules": {
            "conv1": "nn.Conv2d(2, 5, 3, padding=1, bias=False)",
            "bn1": "nn.BatchNorm2d(5)",
            "conv2": "nn.Conv2d(5, 6, 3, stride=2)",
            "bn2": "nn.BatchNorm2d(6, momentum=0.3)",
            "drop": "nn.Dropout(p=0)",
            "fc": "nn.Linear(6, 3)",
        },
        "forward": "h = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2); "
        "h = F.leaky_relu(self.bn2(self.conv2(h)), 0.1); "
        "self.fc(self.drop(F.adaptive_avg_pool2d(h, 1).flatten(1)))",
        "loss": "F.nll_loss(F.log_softmax(out, 1), y)",
        "optimizer": "optim.SGD(params, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.001)",
        "scheduler": "optim.lr_scheduler.StepLR(opt, 10, gamma=0.5)",
    },
    "transformer block": {
        "data": tokens(5, 10),
        "modules": {
            "embed": "nn.Embedding(10, 8)",
            "norm1": "nn.LayerNorm(8)",
            "qkv": "nn.Linear(8, 24, bias=False)",
            "proj": "nn.Linear(8, 8)",
            "norm2": "nn.LayerNorm(8)",
            "up": "nn.Linear(8, 16)",
            "down": "nn.Linear(16, 8)",
            "out": "nn.Linear(8, 2)",
        },
        "forward": "h = self.embed(x); "
        "t = self.qkv(self.norm1(h)).view(6, 5, 3, 2, 4).permute(2, 0, 3, 1, 4); "
        "a = (t[0] @ t[1].transpose(-2, -1) / 2).softmax(-1) @ t[2]; "
        "h = h + self.proj(a.transpose(1, 2).reshape(6, 5, 8)); "
        "h = h + self.down(F.gelu(self.up(self.norm2(h)))); "
        "self.out(h.mean(1))",
        "loss": "F.cross_entropy(out, y)",
        "optimizer": "optim.AdamW(params, lr=0.005, weight_decay=0.1, betas=(0.9, 0.95))",
        "scheduler": "optim.lr_scheduler.CosineAnnealingLR(opt, 40, eta_min=0.0001)",
    },
    "autoencoder": {
        "data": signals(16),
        "modules": {
            "enc": "nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3))",
            "dec": "nn.Sequential(nn.Linear(3, 8), nn.ELU(), nn.Linear(8, 16))",
        },
        "forward": "self.dec(self.enc(x))",
        "loss": "F.mse_loss(out, y)",
        "optimizer": "optim.Adam(params, lr=0.01, weight_decay=0.01, amsgrad=True)",
        "scheduler": "optim.lr_scheduler.LambdaLR(opt, lambda epoch: 0.97 ** epoch)",
    },
    "convolutional autoencoder": {
        "data": signals(16),
        "modules": {
            "enc": "nn.Conv1d(1, 4, 5, stride=2, padding=2)",
            "norm": "nn.GroupNorm(2, 4)",
            "dec": "nn.Conv1d(2, 1, 3, padding=1)",
        },
        "forward": "h = F.silu(self.norm(self.enc(x.unsqueeze(1)))); "
        "self.dec(h.reshape(8, 2, 16)).squeeze(1)",
        "loss": "F.smooth_l1_loss(out, y, beta=0.5)",
        "optimizer": "optim.NAdam(params, lr=0.01)",
    },
    "gru tagger": {
        "data": lambda generator: (
            (x, (x % 3)) for x in torch.randint(0, 9, (4, 5, 6), generator=generator)
        ),
        "modules": {
            "embed": "nn.Embedding(9, 5)",
            "gru": "nn.GRU(5, 8, batch_first=True)",
            "out": "nn.Linear(8, 3)",
        },
        "forward": "self.out(self.gru(self.embed(x))[0])",
        "loss": "F.cross_entropy(out.reshape(-1, 3), y.reshape(-1))",
        "optimizer": "optim.RAdam(params, lr=0.02)",
    },
    "logistic regression": {
        "data": coins(6),
        "modules": {"fc": "nn.Linear(6, 1)"},
        "forward": "self.fc(x)",
        "loss": "F.binary_cross_entropy_with_logits(out, y)",
        "optimizer": "optim.Adagrad(params, lr=0.1, lr_decay=0.01, weight_decay=0.01)",
    },
    "deep perceptron": {
        "data": classes((6,), 4, size=12),
        "modules": {
            "body": "nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.GELU(), "
            "nn.Linear(12, 12), nn.LayerNorm(12), nn.Softplus(), nn.Linear(12, 4))",
        },
        "forward": "self.body(x)",
        "loss": "F.cross_entropy(out, y)",
        "optimizer": "optim.Adadelta(params, lr=1, weight_decay=0.0001)",
    },
}

NAMES = {"torch": torch, "nn": nn, "F": F, "optim": optim}


def run(source, names):
    """The value of the last of the statements separated by `; `."""
    known = {**NAMES, **names}
    value = None
    for statement in source.split("; "):
        name, assigned, right = statement.partition(" = ")
        if assigned and name.isidentifier():
            known[name] = eval(right, known)
        else:
            value = eval(statement, known)
    return value


def train(name, recipe, batches, seed):
    """Losses of every step and the state after the last, in the default dtype."""
    torch.manual_seed(seed)
    model = nn.Module()
    for key, source in recipe["modules"].items():
        model.add_module(key, run(source, {}))
    # From here on nothing new is in the run's dtype: NAdam's products are float32 then.
    torch.set_default_dtype(torch.float32)
    params = list(model.parameters())
    opt = run(recipe["optimizer"], {"params": params})
    scheduler = run(recipe["scheduler"], {"opt": opt}) if "scheduler" in recipe else None
    losses = []
    for step in range(STEPS):
        x, y = batches[step % len(batches)]
        opt.zero_grad()
        out = run(recipe["forward"], {"self": model, "x": x})
        loss = run(recipe["loss"], {"out": out, "y": y})
        loss.backward()
        if "backward" in recipe:
            run(recipe["backward"], {"params": params})
        opt.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses)) and sum(losses[-4:]) < sum(losses[:4]), (name, losses)
    return {"losses": losses, "final": {k: encode(v) for k, v in model.state_dict().items()}}


def record(name, recipe, seed):
    batches = list(recipe["data"](torch.Generator().manual_seed(seed + 1)))
    runs = {}
    for dtype in (torch.float32, torch.float64):
        torch.set_default_dtype(dtype)
        wide = [[t.to(dtype) if t.is_floating_point() else t for t in batch] for batch in batches]
        runs[str(dtype).replace("torch.", "")] = train(name, recipe, wide, seed)
    return {
        "name": name,
        "recipe": {k: v for k, v in recipe.items() if k != "data"},
        "seed": seed,
        "batches": [encode(batch)["tuple"] for batch in batches],
        "runs": runs,
    }


def main():
    parser = argparse.ArgumentParser(description=inspect.cleandoc(__doc__))
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    chosen = [(name, recipe) for name, recipe in RECIPES.items() if options.only in name]
    records = [record(name, recipe, options.seed) for name, recipe in chosen]
    text = json.dumps(records, separators=(",", ":"))
    if options.out == "-":
        sys.stdout.write(text)
        return
    with open(options.out, "wb") as file:
        file.write(gzip.compress(text.encode(), mtime=0))
    for made in records:
        for dtype, done in made["runs"].items():
            first, last = done["losses"][0], done["losses"][-1]
            print(f"{made['name']}, {dtype}: loss {first:.4f} to {last:.4f}")


if __name__ == "__main__":
    main()
