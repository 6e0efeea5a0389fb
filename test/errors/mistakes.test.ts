/** Typical mistakes: the class of the error, and a text that names operation, shapes and way out. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { loosely, type Mistake, testMistakes, x } from './mistake.js';

const { nn } = torch;
const F = nn.functional;

const wide = torch.ones(4, 5);
const ints = torch.ones(2, 3, { dtype: torch.int32 });
const masks = x.gt(0);

/** Calls as plain JavaScript makes them, which the types would refuse. */
const loose = torch as unknown as Record<string, (...args: unknown[]) => unknown>;
const looseX = x as unknown as Record<string, (...args: unknown[]) => unknown>;

const shapes: Mistake[] = [
  {
    what: 'shapes that do not broadcast',
    make: () => x.add(wide),
    type: torch.ShapeError,
    says: ['add: ', '[2, 3]', '[4, 5]', 'size 3 against 5', /unsqueeze|expand/],
  },
  {
    what: 'other arithmetic on them',
    make: () => x.sub(wide),
    type: torch.ShapeError,
    says: [/^sub: /, '[2, 3]', '[4, 5]'],
  },
  {
    what: 'division of them',
    make: () => x.div(wide, { roundingMode: 'floor' }),
    type: torch.ShapeError,
    says: [/^div: /],
  },
  {
    what: 'powers of them',
    make: () => x.pow(wide),
    type: torch.ShapeError,
    says: [/^pow: /],
  },
  {
    what: 'where() of them',
    make: () => torch.where(masks, x, wide),
    type: torch.ShapeError,
    says: [/^where: /, '[2, 3]', '[4, 5]'],
  },
  {
    what: 'matrices that do not fit',
    make: () => x.matmul(x),
    type: torch.ShapeError,
    says: [/^matmul: /, '[2, 3]', /3.* 2/],
  },
  {
    what: 'mm of a vector',
    make: () => x.mm(torch.ones(3)),
    type: torch.ShapeError,
    says: [/^mm: /, '[3]'],
  },
  {
    what: 'view to another number of elements',
    make: () => x.view(4, 2),
    type: torch.ShapeError,
    says: [/^view: /, '[4, 2]', '6 elements'],
  },
  {
    what: 'view of a transposed tensor',
    make: () => x.t().view(6),
    type: torch.ShapeError,
    says: [/^view: /, '[6]', '[3, 2]', 'reshape()', 'contiguous()'],
  },
  {
    what: 'reshape with two unknown sizes',
    make: () => x.reshape(-1, -1),
    type: torch.ShapeError,
    says: [/^reshape: /, 'only one'],
  },
  {
    what: 'expand of a size that is not 1',
    make: () => x.expand(4, 3),
    type: torch.ShapeError,
    says: [/^expand: /, '[2, 3]', '[4, 3]', 'size 2'],
  },
  {
    what: 'cat of other sizes',
    make: () => torch.cat([x, wide], 0),
    type: torch.ShapeError,
    says: [/^cat: /, '[2, 3]', '[4, 5]'],
  },
  {
    what: 'stack of other sizes',
    make: () => torch.stack([x, wide]),
    type: torch.ShapeError,
    says: [/^stack: /, '[2, 3]', '[4, 5]'],
  },
  {
    what: 'item() of a vector',
    make: () => torch.ones(3).itemSync(),
    type: torch.ShapeError,
    says: ['item', '[3]', '3 elements', 'mean()', 'tolist()'],
  },
  {
    what: 'permute with too few dimensions',
    make: () => x.permute(0),
    type: torch.ShapeError,
    says: [/^permute: /, '[2, 3]'],
  },
  {
    what: 'max of nothing',
    make: () => torch.ones(0).max(),
    type: torch.TorchError,
    says: [/^a?max: /, /empty|size 0/],
  },
  {
    what: 'a ragged array',
    make: () => torch.tensor(loosely([[1, 2], [3]])),
    type: torch.ShapeError,
    says: [/^tensor: /],
  },
];

const dimensions: Mistake[] = [
  {
    what: 'a dimension out of range',
    make: () => x.sum(2),
    type: torch.IndexError,
    says: [/^sum: /, 'dimension 2', '-2 <= dim <= 1', '2 dimensions'],
  },
  {
    what: 'an index out of range',
    make: () => x.at(5),
    type: torch.IndexError,
    says: ['index 5', 'size 2'],
  },
  {
    what: 'too many indices',
    make: () => x.at(0, 0, 0),
    type: torch.IndexError,
    says: [/^at: /, '[2, 3]'],
  },
  {
    what: 'an index tensor out of range',
    make: () => x.indexSelect(0, torch.tensor([0, 7])),
    type: torch.IndexError,
    says: [/^indexSelect: /, 'index 7', 'position 1', 'size 2'],
  },
  {
    what: 'gather out of range',
    make: () => x.gather(1, torch.tensor([[3]])),
    type: torch.IndexError,
    says: [/^gather: /, 'index 3', 'size 3'],
  },
  {
    what: 'an embedding that is not there',
    make: () => new nn.Embedding(4, 2).forward(torch.tensor([4])),
    type: torch.IndexError,
    says: [/embedding|indexSelect/, 'index 4', 'size 4'],
  },
  {
    what: 'a class that is not there',
    make: () => F.crossEntropy(x, torch.tensor([0, 3])),
    type: torch.IndexError,
    says: [/^crossEntropy: /, 'index 3', 'size 3'],
  },
  {
    what: 'a slice that is none',
    make: () => x.at('a:b'),
    type: torch.ValueError,
    says: [/^at: /, "'a:b'"],
  },
];

const dtypes: Mistake[] = [
  {
    what: 'mean of integers',
    make: () => ints.mean(),
    type: torch.DtypeError,
    says: [/^mean: /, 'torch.int32', /float\(\)|to\(/],
  },
  {
    what: 'gradients of integers',
    make: () => ints.requiresGrad_(),
    type: torch.DtypeError,
    says: [/^requiresGrad_: /, 'torch.int32', 'float()'],
  },
  {
    what: 'bits of floats',
    make: () => x.bitwiseAnd(x),
    type: torch.DtypeError,
    says: [/^bitwiseAnd: /, 'torch.float32', 'int()'],
  },
  {
    what: 'not of floats',
    make: () => x.bitwiseNot(),
    type: torch.DtypeError,
    says: [/^bitwiseNot: /, 'torch.float32'],
  },
  {
    what: 'minus on masks',
    make: () => masks.sub(masks),
    type: torch.DtypeError,
    says: [/^sub: /, 'bool', 'logicalXor()'],
  },
  {
    what: 'the negative of a mask',
    make: () => masks.neg(),
    type: torch.DtypeError,
    says: [/^neg: /, 'bool'],
  },
  {
    what: 'a float index',
    make: () => x.indexSelect(0, torch.ones(1)),
    type: torch.DtypeError,
    says: [/^indexSelect: /, 'torch.float32', 'int()'],
  },
  {
    what: 'a condition that is not bool',
    make: () => torch.where(ints, x, x),
    type: torch.DtypeError,
    says: [/^where: /, 'bool', 'torch.int32'],
  },
  {
    what: 'a float result into integers',
    make: () => ints.clone().mul_(1.5),
    type: torch.DtypeError,
    says: [/^mul_: /, 'torch.float32', 'torch.int32'],
  },
  {
    what: 'products of two dtypes',
    make: () => x.matmul(torch.ones(3, 2, { dtype: torch.float64 })),
    type: torch.DtypeError,
    says: [/^matmul: /, 'torch.float32', 'torch.float64'],
  },
];

const values: Mistake[] = [
  {
    what: 'an unknown option',
    make: () => looseX.sum({ dimm: 1 }),
    type: torch.ValueError,
    says: [/^sum: /, "unknown option 'dimm'", "Did you mean 'dim'", 'keepdim'],
  },
  {
    what: 'an option given twice',
    make: () => looseX.sum(1, { dim: 1 }),
    type: torch.ValueError,
    says: [/^sum: /, "'dim' was given twice"],
  },
  {
    what: 'too many arguments',
    make: () => looseX.softmax(1, null, 3, 4, 5),
    type: torch.ValueError,
    says: [/^softmax: /, 'at most'],
  },
  {
    what: 'no tensor at all',
    make: () => loose.exp(3),
    type: torch.TorchError,
    says: [/^exp: /, 'tensor'],
  },
  {
    what: 'undefined for a tensor',
    make: () => looseX.add(undefined),
    type: torch.TorchError,
    says: [/^add: /, 'undefined', 'tensor or a number'],
  },
  {
    what: 'an array among numbers',
    make: () => looseX.mul([1, 2, 3]),
    type: torch.ValueError,
    says: [/^mul: /, 'torch.tensor()'],
  },
  {
    what: 'text for a number',
    make: () => looseX.add_('3'),
    type: torch.ValueError,
    says: [/^add_: /, '3', 'tensor or a number'],
  },
  {
    what: 'an array for a tensor',
    make: () => loose.sum([1, 2]),
    type: torch.TorchError,
    says: [/^sum: /, 'tensor'],
  },
  {
    what: 'a device that is not there',
    make: () => x.to(loosely('cdu')),
    type: torch.DeviceError,
    says: ["'cdu'", "Did you mean 'cpu'", 'Available: cpu'],
  },
  {
    what: 'a tensor made on it',
    make: () => torch.zeros(2, loosely({ device: 'cuda' })),
    type: torch.DeviceError,
    says: ["'cuda'", 'cpu'],
  },
  {
    what: 'a negative size',
    make: () => torch.zeros(-1, 2),
    type: torch.TorchError,
    says: ['[-1, 2]', /negative|size/],
  },
  {
    what: 'an unknown option of a creation',
    make: () => loose.zeros(2, { dtyp: torch.int32 }),
    type: torch.ValueError,
    says: [/^zeros: /, "Did you mean 'dtype'"],
  },
  {
    what: 'an unknown rounding mode',
    make: () => looseX.div(x, { roundingMode: 'up' }),
    type: torch.ValueError,
    says: [/^div: /, "'up'", 'floor', 'trunc'],
  },
  {
    what: 'topk of too many',
    make: () => x.topk(9),
    type: torch.TorchError,
    says: [/^topk: /, '9', '3'],
  },
];

testMistakes({ shapes, dimensions, dtypes, values });

test('item() rejects; it does not throw', async () => {
  await expect(torch.ones(3).item()).rejects.toThrow(torch.ShapeError);
});
