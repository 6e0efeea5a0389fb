/** Arguments of a kind that only plain JavaScript lets through. */

import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { loosely, type Mistake, testMistakes } from './mistake.js';

const { data, nn, optim } = torch;
const net = new nn.Linear(2, 2);
const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });

const kinds: Mistake[] = [
  {
    what: 'a size as text',
    make: () => torch.zeros(loosely(['2', 3])),
    type: torch.ShapeError,
    says: ["cannot have shape ['2', 3]"],
  },
  {
    what: 'nested sizes',
    make: () => torch.zeros(loosely([[2, 3]])),
    type: torch.ShapeError,
    says: ['cannot have shape [[2, 3]]'],
  },
  {
    what: 'cuda',
    make: () => torch.ones(2).to(loosely('cuda:0')),
    type: torch.DeviceError,
    says: ["Did you mean 'webgpu'? Available: cpu"],
  },
  {
    what: 'gpu',
    make: () => torch.ones(2, { device: loosely('gpu') }),
    type: torch.DeviceError,
    says: ["Did you mean 'webgpu'?"],
  },
  {
    what: 'a device misspelt',
    make: () => torch.ones(2).to(loosely('cpi')),
    type: torch.DeviceError,
    says: ["Did you mean 'cpu'?"],
  },
  {
    what: 'a seed as text',
    make: () => torch.manualSeed(loosely('a')),
    type: torch.ValueError,
    says: ["an integer, got 'a'"],
  },
  {
    what: 'a parameter of numbers',
    make: () => new nn.Parameter(loosely([1, 2])),
    type: torch.ValueError,
    says: ['a tensor, got [1, 2]'],
  },
  {
    what: 'a parameter of nothing',
    make: () => new nn.Parameter(loosely(undefined)),
    type: torch.ValueError,
    says: ['got undefined'],
  },
  {
    what: 'a module for its parameters',
    make: () => nn.utils.clipGradNorm_(loosely(net), 1),
    type: torch.ValueError,
    says: ['cannot be called with (a module Linear, 1)'],
  },
  {
    what: 'no optimiser',
    make: () => new optim.lrScheduler.StepLR(loosely({}), { stepSize: 2 }),
    type: torch.ValueError,
    says: ['expected an optimiser, got an object'],
  },
  {
    what: 'a promise',
    make: () => new optim.lrScheduler.ReduceLROnPlateau(sgd).step(loosely(Promise.resolve(1))),
    type: torch.ValueError,
    says: ['got a promise, which must be awaited'],
  },
  {
    what: 'classes before scores',
    make: () => nn.functional.crossEntropy(torch.tensor([0, 1]), torch.ones(2, 3)),
    type: torch.DtypeError,
    says: ['got torch.int32; are input and target swapped?'],
  },
  {
    what: 'whole numbers for scores',
    make: () => nn.functional.nllLoss(torch.tensor([[1, 2]]), torch.tensor([0])),
    type: torch.DtypeError,
    says: ['nllLoss: scores are floating point numbers, got torch.int32'],
  },
  {
    what: 'a data set without length',
    make: () => new data.DataLoader(loosely<never>({ at: (i: number) => i })),
    type: torch.ValueError,
    says: ['expected a data set with a length and at(index), or an iterable, got an object'],
  },
  {
    what: 'a data set of other names',
    make: () => new data.DataLoader(loosely<never>({ get: (i: number) => i, len: () => 3 })),
    type: torch.ValueError,
    says: ['expected a data set with a length and at(index)'],
  },
  {
    what: 'a data set whose length is a function',
    make: () => new data.DataLoader(loosely<never>({ at: (i: number) => i, length: () => 3 })),
    type: torch.ValueError,
    says: ['expected a data set with a length and at(index)'],
  },
  {
    what: 'a data set of nothing',
    make: () => new data.DataLoader(loosely<never>(null)),
    type: torch.ValueError,
    says: ['an iterable, got null'],
  },
  {
    what: 'a list of tensors for a data set',
    make: () => new data.TensorDataset(loosely<never>([torch.ones(2), torch.ones(2)])),
    type: torch.ValueError,
    says: ['each as an argument of its own, got [tensor [2], tensor [2]]'],
  },
];

testMistakes({ 'arguments of another kind': kinds });

test('a module saved whole', async () => {
  await expect(torch.save(loosely(net))).rejects.toThrow(
    'a module Linear cannot be saved; give data, such as the stateDict()',
  );
});
