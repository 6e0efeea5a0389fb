"""Trains a model in PyTorch and writes down what happens, for check.ts to follow.

    python3 record.py recorded.pt [--seed 0] [--steps 40] [--double]

Put your own model, batches, loss and optimiser in the place of those below: everything from
"the program to be ported" on is an example. The same program in TypeScript is in model.ts.
"""
import argparse

import torch
from torch import nn
from torch.nn import functional as F


def record(path, seed, steps, build, make_batches, loss_of, make_optimizer, make_scheduler=None):
    """Saves seed, initial state, batches, losses, gradients of the first step, final state."""
    torch.manual_seed(seed)
    model = build()
    batches = make_batches()
    copy = lambda tensors: {k: v.detach().clone() for k, v in tensors}  # noqa: E731
    init = copy(model.state_dict().items())
    optimizer = make_optimizer(model)
    scheduler = make_scheduler(optimizer) if make_scheduler else None
    losses, gradients = [], {}
    for step in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model, *batches[step % len(batches)])
        loss.backward()
        if step == 0:
            gradients = copy((k, p.grad) for k, p in model.named_parameters() if p.grad is not None)
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    final = copy(model.state_dict().items())
    torch.save(
        {
            "seed": seed,
            "init": init,
            "batches": batches,
            "losses": losses,
            "gradients": gradients,
            "final": final,
        },
        path,
    )
    print(f"{steps} steps, loss {losses[0]:.4f} to {losses[-1]:.4f}: {path}")


# The program to be ported.


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.gru = nn.GRU(18, 10, batch_first=True)
        self.out = nn.Linear(10, 3)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        sequence, _ = self.gru(h.permute(0, 2, 1, 3).flatten(2))
        return self.out(sequence[:, -1])


def make_batches():
    """Images of noise with a bright bar: the class says where it is."""
    batches = []
    for _ in range(4):
        y = torch.randint(0, 3, (8,))
        x = torch.randn(8, 1, 8, 8)
        for image, place in zip(x, y):
            image[0, 2 * place : 2 * place + 2] += 2
        batches.append((x, y))
    return batches


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--double", action="store_true", help="train in float64")
    options = parser.parse_args()
    if options.double:
        torch.set_default_dtype(torch.float64)
    record(
        options.path,
        options.seed,
        options.steps,
        build=Net,
        make_batches=make_batches,
        loss_of=lambda model, x, y: F.cross_entropy(model(x), y),
        make_optimizer=lambda model: torch.optim.SGD(
            model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4
        ),
        make_scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 20, gamma=0.5),
    )


if __name__ == "__main__":
    main()
