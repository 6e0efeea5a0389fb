/** Small trainings that every platform and device must agree on. */

import * as torch from '../../ts/index.js';
import type { Training } from './report.js';

const { nn } = torch;

/** Rings around the middle: inputs and classes that every platform makes alike. */
function rings(count: number): { x: torch.Tensor; y: torch.Tensor } {
  const index = torch.arange(count, { dtype: torch.float64 });
  const angle = index.mul(2.399963);
  const label = torch.arange(count).remainder(3);
  const radius = label.double().add(1).mul(0.6).add(index.mul(12.9898).sin().mul(0.2));
  const x = torch.stack([angle.cos().mul(radius), angle.sin().mul(radius)], 1).float();
  return { x, y: label };
}

/** 8 x 8 pictures of bars: upright, lying and slanted ones. */
function bars(count: number): { x: torch.Tensor; y: torch.Tensor } {
  const pixels: number[] = [];
  for (let k = 0; k < count; k++) {
    const place = 1 + ((k * 5) % 6);
    for (let i = 0; i < 64; i++) {
      const [row, column] = [i >> 3, i & 7];
      const distance = [column - place, row - place, row - column + (place % 3)][k % 3] as number;
      pixels.push((distance === 0 ? 1 : 0) + 0.1 * Math.sin(i * 1.7 + k));
    }
  }
  return {
    x: torch.tensor(pixels).reshape(count, 1, 8, 8),
    y: torch.arange(count).remainder(3),
  };
}

const RECIPES = {
  mlp: () => ({
    data: rings(48),
    net: new nn.Sequential(
      new nn.Linear(2, 24),
      new nn.LayerNorm(24),
      new nn.GELU(),
      new nn.Linear(24, 3),
    ),
    steps: 20,
  }),
  cnn: () => ({
    data: bars(24),
    net: new nn.Sequential(
      // A bias before a batch norm has no gradient but rounding, which Adam would blow up.
      new nn.Conv2d(1, 6, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(6),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(6, 8, 3),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(32, 3),
    ),
    steps: 12,
  }),
};

export type Recipe = keyof typeof RECIPES;
export const recipes = Object.keys(RECIPES) as Recipe[];

/** Trains with Adam from seed 7; losses are read at the end, as a fast program would. */
export async function train(recipe: Recipe, device: 'cpu' | 'webgpu'): Promise<Training> {
  torch.manualSeed(7);
  const { data, net, steps } = RECIPES[recipe]();
  net.to(device);
  const [x, y] = [data.x.to(device), data.y.to(device)];
  const parameters = [...net.parameters()];
  const optimizer = new torch.optim.Adam(parameters, { lr: 0.02 });
  const losses: torch.Tensor[] = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const loss = nn.functional.crossEntropy(net.forward(x), y);
    loss.backward();
    optimizer.step();
    losses.push(loss.detach());
  }
  const read = (list: readonly torch.Tensor[]) => Promise.all(list.map((t) => t.item()));
  return {
    losses: (await read(losses)).map(Number),
    norms: (await read(parameters.map((p) => p.detach().norm()))).map(Number),
  };
}
