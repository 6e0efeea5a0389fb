import { describe, expect, it } from 'vitest';
import * as torch from '../../ts/index.js';

const { data, nn, optim } = torch;
const net = new nn.Linear(2, 2);
const sgd = new optim.SGD(net.parameters(), { lr: 0.1 });

// What a program in plain JavaScript gives, which no type stops.
const wrong = (value: unknown) => value as never;

describe('what plain JavaScript may get wrong is said', () => {
  it.each([
    ['a size as text', () => torch.zeros(wrong(['2', 3])), "cannot have shape ['2', 3]"],
    ['nested sizes', () => torch.zeros(wrong([[2, 3]])), 'cannot have shape [[2, 3]]'],
    ['cuda', () => torch.ones(2).to(wrong('cuda:0')), "Did you mean 'webgpu'? Available: cpu"],
    ['gpu', () => torch.ones(2, { device: wrong('gpu') }), "Did you mean 'webgpu'?"],
    ['a device misspelt', () => torch.ones(2).to(wrong('cpi')), "Did you mean 'cpu'?"],
    ['a seed as text', () => torch.manualSeed(wrong('a')), "an integer, got 'a'"],
    ['a parameter of numbers', () => new nn.Parameter(wrong([1, 2])), 'a tensor, got [1, 2]'],
    ['a parameter of nothing', () => new nn.Parameter(wrong(undefined)), 'got undefined'],
    [
      'a module for its parameters',
      () => nn.utils.clipGradNorm_(wrong(net), 1),
      'cannot be called with (a module Linear, 1)',
    ],
    [
      'no optimiser',
      () => new optim.lrScheduler.StepLR(wrong({}), { stepSize: 2 }),
      'expected an optimiser, got an object',
    ],
    [
      'a promise',
      () => new optim.lrScheduler.ReduceLROnPlateau(sgd).step(wrong(Promise.resolve(1))),
      'got a promise, which must be awaited',
    ],
    [
      'classes before scores',
      () => nn.functional.crossEntropy(torch.tensor([0, 1]), torch.ones(2, 3)),
      'got torch.int32; are input and target swapped?',
    ],
    [
      'whole numbers for scores',
      () => nn.functional.nllLoss(torch.tensor([[1, 2]]), torch.tensor([0])),
      'nllLoss: scores are floating point numbers, got torch.int32',
    ],
    [
      'a data set without length',
      () => new data.DataLoader(wrong({ at: (i: number) => i })),
      'expected a data set with a length and at(index), or an iterable, got an object',
    ],
    [
      'a data set of other names',
      () => new data.DataLoader(wrong({ get: (i: number) => i, len: () => 3 })),
      'expected a data set with a length and at(index)',
    ],
    [
      'a data set whose length is a function',
      () => new data.DataLoader(wrong({ at: (i: number) => i, length: () => 3 })),
      'expected a data set with a length and at(index)',
    ],
    ['a data set of nothing', () => new data.DataLoader(wrong(null)), 'an iterable, got null'],
    [
      'a list of tensors for a data set',
      () => new data.TensorDataset(wrong([torch.ones(2), torch.ones(2)])),
      'each as an argument of its own, got [tensor [2], tensor [2]]',
    ],
  ])('%s', (_, mistake, message) => {
    expect(mistake).toThrow(message);
    expect(mistake).toThrow(torch.TorchError);
  });

  it('a module saved whole', async () => {
    await expect(torch.save(wrong(net))).rejects.toThrow(
      'a module Linear cannot be saved; give data, such as the stateDict()',
    );
  });
});
