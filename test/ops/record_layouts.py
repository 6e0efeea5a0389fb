"""Records the strides that PyTorch gives elementwise results, for result_layouts.test.ts:

    python3 test/ops/record_layouts.py > test/ops/layouts.json

An operand is [shape, its dimensions in the order of memory, a step, the position in that order which is
stepped along, dimensions that are expanded]; a case is [operator, operands, shape, strides].
"""

import json
import random

import torch

OPERATORS = {
    'exp': lambda a: a.exp(),
    'add1': lambda a: a + 1,
    'relu': lambda a: a.relu(),
    'isnan': lambda a: a.isnan(),
    'clamp': lambda a: a.clamp(-1, 1),
    'clone': lambda a: a.clone(),
    'double': lambda a: a.double(),
    'zerosLike': lambda a: torch.zeros_like(a),
    'randLike': lambda a: torch.rand_like(a),
    'add': lambda a, b: a + b,
    'lt': lambda a, b: a < b,
    'mixed': lambda a, b: a.int() * b,
    'maximum': lambda a, b: torch.maximum(a, b),
    'atan2': lambda a, b: torch.atan2(a, b),
    'lerp': lambda a, b: torch.lerp(a, b, 0.5),
    'where': lambda a, b, c: torch.where(a > 0, b, c),
    'addcmul': lambda a, b, c: torch.addcmul(a, b, c),
}


def operand(shape):
    """A description of a random operand that broadcasts to `shape`."""
    own = [1 if random.random() < 0.15 else size for size in shape]
    own = own[random.randrange(len(own) + 1) if random.random() < 0.15 else 0:]
    order = list(range(len(own)))
    if random.random() < 0.75:
        random.shuffle(order)
    if len(own) == 4 and random.random() < 0.3:
        order = [0, 2, 3, 1]
    step = 2 if own and random.random() < 0.2 else 1
    along = random.randrange(len(own)) if own else 0
    wide = [d for d in range(len(own)) if own[d] > 1 and random.random() < 0.07]
    return [own, order, step, along, wide]


def make(description):
    shape, order, step, along, wide = description
    sizes = [1 if d in wide else shape[d] for d in order]
    if shape:
        sizes[along] *= step
    x = torch.zeros(sizes)
    if shape:
        x = x[tuple(slice(None, None, step if i == along else 1) for i in range(len(sizes)))]
    return x.permute([order.index(d) for d in range(len(shape))]).expand(shape)


random.seed(7)
cases = []
for _ in range(400):
    name, call = random.choice(list(OPERATORS.items()))
    shape = [random.choice([2, 3, 4, 5, 1]) for _ in range(random.choice([1, 2, 2, 3, 3, 4, 4, 5]))]
    operands = [operand(shape)]
    while len(operands) < call.__code__.co_argcount:
        operands.append(operands[0] if random.random() < 0.3 else operand(shape))
    result = call(*map(make, operands))
    cases.append([name, operands, list(result.shape), list(result.stride())])
print('[\n' + ',\n'.join(json.dumps(case, separators=(',', ':')) for case in cases) + '\n]')
