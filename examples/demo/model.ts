/** The networks of the demo, for images [N, 1, 28, 28] in ten classes. */

import { nn, optim, type Tensor } from '../../ts/index.js';
import type { Recipe } from './recipe.js';

const F = nn.functional;

/** 784 - 512 - 512 - 10, with ReLU between. */
export class MLP extends nn.Module {
  layers = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(28 * 28, 512),
    new nn.ReLU(),
    new nn.Linear(512, 512),
    new nn.ReLU(),
    new nn.Linear(512, 10),
  );

  override forward(x: Tensor): Tensor {
    return this.layers(x);
  }
}

/** Two convolutions with pooling, then two linear layers. */
export class CNN extends nn.Module {
  conv1 = new nn.Conv2d(1, 16, 5, { padding: 2 });
  conv2 = new nn.Conv2d(16, 32, 5, { padding: 2 });
  fc1 = new nn.Linear(32 * 7 * 7, 128);
  fc2 = new nn.Linear(128, 10);

  override forward(x: Tensor): Tensor {
    const a = F.maxPool2d(F.relu(this.conv1(x)), 2);
    const b = F.maxPool2d(F.relu(this.conv2(a)), 2);
    return this.fc2(F.relu(this.fc1(b.flatten(1))));
  }
}

export function makeModel(name: Recipe['model']): MLP | CNN {
  return name === 'cnn' ? new CNN() : new MLP();
}

/** What the training loop needs of an optimiser. */
export interface Stepper {
  zeroGrad(): void;
  step(): unknown;
}

export function makeOptimizer(model: MLP | CNN, { optimizer, lr }: Recipe): Stepper {
  const parameters = model.parameters();
  switch (optimizer) {
    case 'adam':
      return new optim.Adam(parameters, { lr });
    case 'adamw':
      return new optim.AdamW(parameters, { lr });
    case 'rmsprop':
      return new optim.RMSprop(parameters, { lr });
    case 'sgd':
      return new optim.SGD(parameters, { lr, momentum: 0.9 });
  }
}
