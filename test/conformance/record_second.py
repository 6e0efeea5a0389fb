"""Prints, for every case of recorded files, what PyTorch gives for gradients of gradients.

    python3 record_second.py FILE...

For each case: which first gradients can be differentiated by their own input, and the gradients of
the weighted sum of all, in float64. Needs PyTorch 1.13 with its test tables.
"""
import gzip
import json
import math
import sys

from record import op_db, tensors, torch

OPS = {(o.name, o.variant_test_name): o.op for o in op_db}
FLOATS = {"float32": torch.float64}


def decode(value):
    """A recorded value; float32 tensors become float64."""
    if isinstance(value, list):
        return [decode(x) for x in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value and "shape" in value:
        dtype = FLOATS.get(value["tensor"], getattr(torch, value["tensor"]))
        data = [float(x) if isinstance(x, str) else x for x in value["data"]]
        return torch.tensor(data, dtype=dtype).reshape(value["shape"])
    if len(value) == 1:
        (kind, inner), = value.items()
        if kind == "tuple":
            return tuple(decode(x) for x in inner)
        if kind == "float":
            return float(inner)
        if kind == "dtype":
            return FLOATS.get(inner, getattr(torch, inner))
        if kind == "slice":
            return slice(*inner)
        if kind == "ellipsis":
            return Ellipsis
        if kind == "layout":
            return getattr(torch, inner.replace("torch.", ""))
        if kind == "device":
            return torch.device(inner)
    return decode_map(value)


def decode_map(value):
    return {key: decode(x) for key, x in value.items()}


def number(x):
    return x if math.isfinite(x) else "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def encode(tensor):
    if tensor is None:
        return None
    # The zeros of some rules are tensors without memory.
    values = [0.0] * tensor.numel() if tensor._is_zerotensor() else tensor.reshape(-1).tolist()
    return {"tensor": "float64", "shape": list(tensor.shape), "data": [number(x) for x in values]}


def weights(tensor):
    return (torch.arange(tensor.numel(), dtype=torch.float64) % 5 - 1.5).reshape(tensor.shape)


def second(output, leaves, cotangents):
    outs = [t for _, t in tensors(output) if t.requires_grad and t.is_floating_point()]
    names, inputs = list(leaves), list(leaves.values())
    first = torch.autograd.grad(outs, inputs, cotangents, create_graph=True, allow_unused=True)
    own, total = [], 0
    for name, leaf, g in zip(names, inputs, first):
        if g is None or not g.requires_grad:
            continue
        term = (g * weights(g)).sum()
        total = total + term
        again = torch.autograd.grad(term, leaf, retain_graph=True, allow_unused=True)
        if again[0] is not None:
            own.append(name)
    grads = torch.autograd.grad(total, inputs, allow_unused=True) if torch.is_tensor(total) else []
    return {"own": own, "grads": {n: encode(g) for n, g in zip(names, grads)}}


def chosen(value, names):
    """The named tensors of arguments, made to require gradients, by path."""
    return {path: t.requires_grad_() for path, t in tensors(value) if path in names}


def of_op(file, case):
    if not case.get("cotangents") or not case.get("grads"):
        return None
    args, kwargs = decode(case["args"]), decode_map(case["kwargs"])
    leaves = {**chosen(args, case["grads"]), **chosen(kwargs, case["grads"])}
    torch.manual_seed(42)
    output = OPS[file["op"], file["variant"]](*args, **kwargs)
    return second(output, leaves, decode(case["cotangents"]))


def of_module(file, case):
    if not case.get("cotangents"):
        return None
    module = getattr(torch.nn, file["module"])(*decode(case["args"]), **decode_map(case["kwargs"]))
    module.double().train(case["train"])
    module.load_state_dict({k: decode(v) for k, v in case["state_dict"].items()})
    given = decode(case["input"])
    args = given if isinstance(given, list) else list(given) if isinstance(given, tuple) else [given]
    leaves = {
        **chosen(args, case.get("input_grads") or {}),
        **{f"p:{k}": p for k, p in module.named_parameters() if k in case["param_grads"]},
    }
    output = module(*args, **decode_map(case.get("input_kwargs") or {}))
    return second(output, leaves, decode(case["cotangents"]))


def result(file, case):
    try:
        return (of_op if "op" in file else of_module)(file, case)
    except (RuntimeError, NotImplementedError, TypeError, KeyError) as problem:
        return {"error": f"{type(problem).__name__}: {problem}"[:200]}


def main():
    found = []
    for path in sys.argv[1:]:
        with gzip.open(path) as text:
            file = json.load(text)
        found.append([result(file, case) for case in file["cases"]])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
