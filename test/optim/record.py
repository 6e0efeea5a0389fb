"""Records what PyTorch's optimisers, schedules and clipping give: python3 record.py writes
cases.json.gz beside it. Parameters and gradients follow formulas that the tests know too."""

import gzip
import json
import math
import os
import warnings

import torch

warnings.simplefilter("ignore")
torch.set_default_dtype(torch.float32)

SHAPES = [(2, 3), (4,)]
HALF = 4
OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.2}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.02}),
    ("RAdam", {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.05, "alpha": 0.8, "centered": True}),
    ("RMSprop", {"lr": 0.05, "momentum": 0.7, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.05, "centered": True, "momentum": 0.7, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.2, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adagrad", {"maximize": True, "eps": 0.01}),
    ("Adadelta", {"rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.6, "t0": 2, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.01, 0.3), "maximize": True}),
]
LBFGS = [
    {},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 7, "lr": 0.5},
    {"max_iter": 4, "max_eval": 3, "lr": 0.3},
    {"max_iter": 30, "tolerance_grad": 0.1, "tolerance_change": 1e-4, "line_search_fn": "strong_wolfe"},
]
LAMBDAS = {"slower": lambda epoch: 0.95**epoch, "wave": lambda epoch: 1 + 0.1 * math.cos(epoch)}
SCHEDULES = [
    ("StepLR", {"step_size": 4, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9]}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 6}),
    ("LinearLR", {"start_factor": 0.2, "end_factor": 0.8, "total_iters": 7}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.5}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.02}),
    ("LambdaLR", {"lr_lambda": "slower"}),
    ("LambdaLR", {"lr_lambda": ["slower", "wave"]}),
    ("MultiplicativeLR", {"lr_lambda": ["wave", "slower"]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.6, "step_size_up": 3, "step_size_down": 5}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": [0.6, 0.7], "step_size_up": 4, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.6, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9,
                  "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.6, "step_size_up": 4, "scale_fn": "slower",
                  "scale_mode": "iterations", "base_momentum": 0.5, "max_momentum": [0.8, 0.95]}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 21}),
    ("OneCycleLR", {"max_lr": [0.9, 0.3], "epochs": 3, "steps_per_epoch": 7, "pct_start": 0.25,
                    "anneal_strategy": "linear", "three_phase": True, "div_factor": 10.0,
                    "final_div_factor": 100.0, "base_momentum": 0.6, "max_momentum": 0.8}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 30, "cycle_momentum": False}),
    ("ReduceLROnPlateau", {"patience": 2, "factor": 0.5, "min_lr": [0.01, 0.05]}),
    ("ReduceLROnPlateau", {"mode": "max", "patience": 1, "threshold": 0.05, "threshold_mode": "abs",
                           "cooldown": 2, "eps": 0.004}),
    ("SequentialLR", {"schedulers": [("LinearLR", {"total_iters": 3}), ("ExponentialLR", {"gamma": 0.8}),
                                     ("CosineAnnealingLR", {"T_max": 5})], "milestones": [4, 9]}),
    ("ChainedScheduler", {"schedulers": [("ConstantLR", {"factor": 0.5, "total_iters": 4}),
                                         ("StepLR", {"step_size": 3, "gamma": 0.7})]}),
]
NORMS = [(2.0, 1.0), (1.0, 0.5), (3.5, 2.0), (math.inf, 0.3), (-math.inf, 0.3), (0.0, 1.0), (2.0, 100.0)]


def parameter(which, dtype):
    n = math.prod(SHAPES[which])
    values = [math.cos(1.7 * i + which) for i in range(n)]
    return torch.tensor(values, dtype=dtype).view(SHAPES[which]).requires_grad_()


def gradient(which, step, dtype):
    n = math.prod(SHAPES[which])
    values = [math.sin(1.3 * i + 0.7 * step + which) for i in range(n)]
    return torch.tensor(values, dtype=dtype).view(SHAPES[which])


def encode(value):
    if isinstance(value, torch.Tensor):
        data = value.detach().reshape(-1).tolist()
        return {"tensor": str(value.dtype)[6:], "shape": list(value.shape), "data": data}
    if isinstance(value, dict):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def steps_of(name, kwargs):
    params = [parameter(i, torch.float64) for i in range(2)]
    optimizer = getattr(torch.optim, name)([{"params": [params[0]]}, {"params": [params[1]], "lr": 0.3}], **kwargs)
    case = {"optimizer": name, "kwargs": kwargs}
    for step in range(2 * HALF):
        for i, param in enumerate(params):
            param.grad = gradient(i, step, torch.float64)
        optimizer.step()
        if step == HALF - 1:
            case["state"] = encode(optimizer.state_dict())
            case["half"] = encode(params)
    case["final"] = encode(params)
    return case


def closure_of(optimizer, params):
    def closure():
        optimizer.zero_grad()
        x = torch.cat([p.reshape(-1) for p in params])
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum() / 50
        loss.backward()
        return loss

    return closure


def search_of(kwargs):
    params = [parameter(i, torch.float64) for i in range(2)]
    optimizer = torch.optim.LBFGS(params, **kwargs)
    closure = closure_of(optimizer, params)
    case = {"kwargs": kwargs, "losses": []}
    for step in range(4):
        case["losses"].append(optimizer.step(closure).item())
        if step == 1:
            case["state"] = encode(optimizer.state_dict())
            case["half"] = encode(params)
    state = optimizer.state_dict()["state"][0]
    case.update(final=encode(params), evals=state["func_evals"], iterations=state["n_iter"])
    return case


def scheduler(name, kwargs, optimizer):
    made = dict(kwargs)
    for key in ("lr_lambda", "scale_fn"):
        if isinstance(made.get(key), str):
            made[key] = LAMBDAS[made[key]]
        elif key in made:
            made[key] = [LAMBDAS[one] for one in made[key]]
    cls = getattr(torch.optim.lr_scheduler, name)
    if "schedulers" in made:
        made["schedulers"] = [scheduler(*one, optimizer) for one in made["schedulers"]]
    return cls(**made) if name == "ChainedScheduler" else cls(optimizer, **made)


def plain(state):
    if "_schedulers" in state:
        state = {**state, "_schedulers": [plain(one) for one in state["_schedulers"]]}
    code = ("anneal_func", "_scale_fn_ref", "_scale_fn_custom", "_get_lr_called_within_step")
    return {key: value for key, value in state.items() if key not in code}


def metric(step):
    return math.sin(step) / (1 + 0.1 * step)


def scheduled(name, kwargs, base):
    groups = [{"params": [parameter(0, torch.float32)], "lr": 0.5}, {"params": [parameter(1, torch.float32)], "lr": 0.1}]
    kinds = {"SGD": {"lr": 0.5, "momentum": 0.9}, "Adam": {}}
    optimizer = getattr(torch.optim, base)(groups, **kinds[base])
    return optimizer, scheduler(name, kwargs, optimizer)


def rates_of(name, kwargs, base):
    optimizer, schedule = scheduled(name, kwargs, base)
    case = {"schedule": name, "kwargs": kwargs, "optimizer": base, "rates": [], "momentums": []}
    for step in range(20):
        groups = optimizer.param_groups
        case["rates"].append([group["lr"] for group in groups])
        case["momentums"].append([group["betas"][0] if base == "Adam" else group["momentum"] for group in groups])
        if step == 11:
            case["state"] = encode(plain(schedule.state_dict()))
            case["groups"] = encode([{k: v for k, v in group.items() if k != "params"} for group in groups])
        optimizer.step()
        if name == "ReduceLROnPlateau":
            schedule.step(metric(step))
        else:
            schedule.step()
    return case


def clipped(norm_type, max_norm):
    params = [parameter(i, torch.float64) for i in range(2)]
    for i, param in enumerate(params):
        param.grad = gradient(i, 0, torch.float64)
    total = torch.nn.utils.clip_grad_norm_(params, max_norm, norm_type)
    grads = [param.grad for param in params]
    return encode({"norm": norm_type, "max": max_norm, "total": total, "grads": grads})


def restarts():
    """CosineAnnealingWarmRestarts stepped to fractions of epochs, forward and back."""
    optimizer = torch.optim.SGD([parameter(0, torch.float32)], lr=0.5)
    case = []
    for mult in (1, 2):
        schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, mult)
        for epoch in (0.5, 1.25, 3.5, 10.75, 2, 9):
            schedule.step(epoch)
            case.append([mult, epoch, schedule.get_last_lr()[0]])
    return case


def main():
    onecycle = [item for item in SCHEDULES if item[0] == "OneCycleLR"]
    cases = {
        "optimizers": [steps_of(*item) for item in OPTIMIZERS],
        "lbfgs": [search_of(kwargs) for kwargs in LBFGS],
        "schedules": [rates_of(*item, "SGD") for item in SCHEDULES]
        + [rates_of(*item, "Adam") for item in onecycle],
        "restarts": restarts(),
        "norms": [clipped(*item) for item in NORMS],
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases.json.gz")
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as file:
        file.write(json.dumps(cases, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
