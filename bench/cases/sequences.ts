/**
 * One Adam step on a batch of sequences: a GRU and an LSTM that read 50 vectors, and a small
 * Transformer encoder. The check runs five steps; the expected losses were recorded from PyTorch.
 */

import type * as Torch from '../../ts/index.js';
import { type Case, classes, type Inputs, type Program, toTensor, uniform } from '../case.js';

const CLASSES = 10;
const STEPS = 5;
const LR = 0.001;

/** Losses of the first five steps, from native PyTorch 1.13 on the inputs below. */
const GRU_LOSSES = [2.3359723, 2.2919552, 2.2481956, 2.2045903, 2.1610255];
const LSTM_LOSSES = [2.3375185, 2.3134809, 2.2894464, 2.2653131, 2.2409763];
const TRANSFORMER_LOSSES = [2.307307, 2.2567072, 2.2129321, 2.1768448, 2.148073];

interface Model {
  readonly modules: Torch.nn.Module[];
  /** Scores of the classes, [batch, CLASSES]. */
  readonly forward: (x: Torch.Tensor) => Torch.Tensor;
}

interface Shape {
  readonly name: string;
  readonly batch: number;
  readonly x: readonly number[];
  /** Of all parameters, in the order of `modules`. */
  readonly parameters: readonly (readonly number[])[];
  readonly model: (torch: typeof Torch) => Model;
  /** Python that makes `modules`, an nn.ModuleList, and forward(x). */
  readonly pytorch: string;
  readonly losses: readonly number[];
}

function inputs({ batch, x, parameters }: Shape): Inputs {
  const values = parameters.map((shape, i) => {
    const bound = 1 / Math.sqrt(shape[shape.length - 1]);
    return [`p${i}`, uniform(40 + i, shape, bound)] as const;
  });
  return {
    ...Object.fromEntries(values),
    x: uniform(14, x),
    y: classes(15, batch, CLASSES),
  };
}

function train(torch: typeof Torch, shape: Shape, given: Inputs): Program {
  const { modules, forward } = shape.model(torch);
  const parameters = modules.flatMap((module) => [...module.parameters()]);
  torch.noGrad(() => {
    parameters.forEach((p, i) => {
      p.copy_(toTensor(torch, given[`p${i}`]));
    });
  });
  const [x, y] = [toTensor(torch, given.x), toTensor(torch, given.y)];
  const optimizer = new torch.optim.Adam(parameters, { lr: LR });
  const run = async (): Promise<number> => {
    optimizer.zeroGrad();
    const loss = torch.nn.functional.crossEntropy(forward(x), y);
    loss.backward();
    optimizer.step();
    return loss.item() as Promise<number>;
  };
  const check = async (): Promise<number[]> => {
    const losses: number[] = [];
    for (let i = 0; i < STEPS; i++) losses.push(await run());
    return losses;
  };
  return { run, check };
}

function caseOf(shape: Shape): Case {
  const list = shape.parameters.map((_, i) => `p${i}`).join(', ');
  return {
    name: shape.name,
    inputs: () => inputs(shape),
    expected: () => shape.losses,
    tolerance: 2e-5,
    isotorch: (torch, given) => train(torch, shape, given),
    pytorch: `
${shape.pytorch}
with torch.no_grad():
    for p, q in zip(modules.parameters(), [${list}]): p.copy_(q)
optimizer = torch.optim.Adam(modules.parameters(), lr=${LR})
y = y.long()
def run():
    optimizer.zero_grad()
    loss = F.cross_entropy(forward(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()
def check(): return torch.tensor([run() for _ in range(${STEPS})])
`,
  };
}

function recurrent(type: 'GRU' | 'LSTM', gates: number, losses: readonly number[]): Shape {
  const [steps, batch, size, hidden] = [50, 32, 64, 128];
  const wide = gates * hidden;
  return {
    name: `train/${type} 64-128, 50 steps`,
    batch,
    x: [steps, batch, size],
    parameters: [[wide, size], [wide, hidden], [wide], [wide], [CLASSES, hidden], [CLASSES]],
    model: ({ nn }) => {
      const head = new nn.Linear(hidden, CLASSES);
      const [gru, lstm] = [new nn.GRU(size, hidden), new nn.LSTM(size, hidden)];
      const last = (outputs: Torch.Tensor) => head(outputs.select(0, -1));
      return type === 'GRU'
        ? { modules: [gru, head], forward: (x) => last(gru(x)[0]) }
        : { modules: [lstm, head], forward: (x) => last(lstm(x)[0]) };
    },
    pytorch: `
layer, head = nn.${type}(${size}, ${hidden}), nn.Linear(${hidden}, ${CLASSES})
modules = nn.ModuleList([layer, head])
def forward(x): return head(layer(x)[0][-1])`,
    losses,
  };
}

const [WIDTH, HEADS, INNER, LAYERS] = [128, 4, 512, 2];

const transformer: Shape = {
  name: 'train/Transformer 2 x 128, 8 x 64',
  batch: 8,
  x: [8, 64, WIDTH],
  parameters: [
    ...Array.from({ length: LAYERS }, () => [
      [3 * WIDTH, WIDTH],
      [3 * WIDTH],
      [WIDTH, WIDTH],
      [WIDTH],
      [INNER, WIDTH],
      [INNER],
      [WIDTH, INNER],
      [WIDTH],
      [WIDTH],
      [WIDTH],
      [WIDTH],
      [WIDTH],
    ]).flat(),
    [CLASSES, WIDTH],
    [CLASSES],
  ],
  model: ({ nn }) => {
    const layers = Array.from(
      { length: LAYERS },
      () => new nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, { dropout: 0, batchFirst: true }),
    );
    const head = new nn.Linear(WIDTH, CLASSES);
    const forward = (x: Torch.Tensor) => head(layers.reduce((h, layer) => layer(h), x).mean(1));
    return { modules: [...layers, head], forward };
  },
  pytorch: `
layers = [nn.TransformerEncoderLayer(${WIDTH}, ${HEADS}, ${INNER}, 0.0, batch_first=True)
          for _ in range(${LAYERS})]
head = nn.Linear(${WIDTH}, ${CLASSES})
modules = nn.ModuleList([*layers, head])
def forward(x):
    for layer in layers: x = layer(x)
    return head(x.mean(1))`,
  losses: TRANSFORMER_LOSSES,
};

export const sequenceCases: readonly Case[] = [
  recurrent('GRU', 3, GRU_LOSSES),
  recurrent('LSTM', 4, LSTM_LOSSES),
  transformer,
].map(caseOf);
