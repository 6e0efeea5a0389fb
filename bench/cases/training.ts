/**
 * One step of SGD on a batch of 64, as users write it: zeroGrad, forward, loss, backward, step, and
 * the loss read back. The check runs five steps; the expected losses were recorded from PyTorch.
 */

import type * as Torch from '../../ts/index.js';
import {
  type Case,
  classes,
  deviceInUse,
  type Inputs,
  type Program,
  toTensor,
  uniform,
} from '../case.js';
import type { Jax, JaxArray } from '../peers/jax_types.js';
import type { Tf, TfTensor } from '../peers/tfjs_types.js';

const BATCH = 64;
const LR = 0.01;
const STEPS = 5;

type Sizes = Readonly<Record<string, readonly number[]>>;

/** Parameters as PyTorch initialises them in range: uniform within 1 / sqrt(fan in). */
function parameters(sizes: Sizes): Inputs {
  const entries = Object.entries(sizes).map(([name, shape], i) => {
    const weight = sizes[name.replace('b', 'w')];
    const fanIn = weight.slice(1).reduce((a, b) => a * b, 1);
    return [name, uniform(20 + i, shape, 1 / Math.sqrt(fanIn))] as const;
  });
  return Object.fromEntries(entries);
}

/** Five losses of a step. */
async function losses(step: () => unknown): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < STEPS; i++) values.push((await step()) as number);
  return values;
}

function train(step: () => unknown): Program {
  return { run: step, check: () => losses(step) };
}

/** A training loop of this library over a model whose parameters come in the order of `sizes`. */
function isotorchTraining(
  torch: typeof Torch,
  given: Inputs,
  sizes: Sizes,
  model: Torch.nn.Sequential,
): Program {
  model.to(deviceInUse());
  torch.noGrad(() => {
    [...model.parameters()].forEach((p, i) => {
      p.copy_(toTensor(torch, given[Object.keys(sizes)[i]]));
    });
  });
  const [x, y] = [toTensor(torch, given.x), toTensor(torch, given.y)];
  const optimizer = new torch.optim.SGD(model.parameters(), { lr: LR });
  const criterion = new torch.nn.CrossEntropyLoss();
  return train(async () => {
    optimizer.zeroGrad();
    const loss = criterion(model(x), y);
    loss.backward();
    optimizer.step();
    return loss.item();
  });
}

function tfjsTraining(
  tf: Tf,
  given: Inputs,
  sizes: Sizes,
  forward: (x: TfTensor, p: Record<string, TfTensor>) => TfTensor,
): Program {
  const params = Object.fromEntries(
    Object.keys(sizes).map((name) => {
      const { data, shape } = given[name];
      return [name, tf.variable(tf.tensor(data, shape))];
    }),
  );
  const x = tf.tensor(given.x.data, given.x.shape);
  const onehot = tf.oneHot(tf.tensor(given.y.data, [BATCH], 'int32'), 10);
  const optimizer = tf.train.sgd(LR);
  return train(async () => {
    const cost = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(onehot, forward(x, params)),
      true,
    );
    const [value] = await cost.data();
    cost.dispose();
    return value;
  });
}

const PYTHON_STEP = `
criterion = nn.CrossEntropyLoss()
with torch.no_grad():
    for p, q in zip(model.parameters(), parameters): p.copy_(q)
optimizer = torch.optim.SGD(model.parameters(), lr=${LR})
y = y.long()
def run():
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()
def check(): return torch.tensor([run() for _ in range(${STEPS})])
`;

const mlpSizes: Sizes = {
  w1: [512, 784],
  b1: [512],
  w2: [512, 512],
  b2: [512],
  w3: [10, 512],
  b3: [10],
};

function jaxMlp({ numpy: np, nn, jit, valueAndGrad }: Jax, given: Inputs): Program {
  const layer = (h: JaxArray, w: JaxArray, b: JaxArray) => np.matmul(h, w.transpose()).add(b);
  const loss = ([w1, b1, w2, b2, w3, b3]: JaxArray[], x: JaxArray, onehot: JaxArray) => {
    const h1 = nn.relu(layer(x, w1, b1));
    const h2 = nn.relu(layer(h1, w2, b2));
    return np
      .sum(nn.logSoftmax(layer(h2, w3, b3), 1).mul(onehot), 1)
      .mean()
      .neg();
  };
  const step = jit((params: JaxArray[], x: JaxArray, onehot: JaxArray) => {
    const [value, grads] = valueAndGrad(loss)(
      params.map((p) => p.ref),
      x,
      onehot,
    );
    return [value, ...params.map((p, i) => p.sub(grads[i].mul(LR)))];
  });
  let params = Object.keys(mlpSizes).map((name) =>
    np.array(given[name].data).reshape(given[name].shape),
  );
  const x = np.array(given.x.data).reshape(given.x.shape);
  const onehot = nn.oneHot(np.array(given.y.data), 10);
  return train(async () => {
    const [value, ...next] = step(params, x.ref, onehot.ref);
    params = next;
    return (await value.data())[0];
  });
}

const mlp: Case = {
  name: 'train/MLP 784-512-512-10',
  inputs: () => ({
    ...parameters(mlpSizes),
    x: uniform(10, [BATCH, 784]),
    y: classes(11, BATCH, 10),
  }),
  expected: () => MLP_LOSSES,
  tolerance: 2e-5,
  isotorch(torch, given) {
    const { nn } = torch;
    const model = new nn.Sequential(
      new nn.Linear(784, 512),
      new nn.ReLU(),
      new nn.Linear(512, 512),
      new nn.ReLU(),
      new nn.Linear(512, 10),
    );
    return isotorchTraining(torch, given, mlpSizes, model);
  },
  tfjs(tf, given) {
    const layer = (h: TfTensor, w: TfTensor, b: TfTensor) => tf.matMul(h, w, false, true).add(b);
    return tfjsTraining(tf, given, mlpSizes, (x, { w1, b1, w2, b2, w3, b3 }) => {
      const h1 = layer(x, w1, b1).relu();
      return layer(layer(h1, w2, b2).relu(), w3, b3);
    });
  },
  jax: jaxMlp,
  pytorch: `
parameters = [w1, b1, w2, b2, w3, b3]
model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                      nn.Linear(512, 10))
${PYTHON_STEP}`,
};

const cnnSizes: Sizes = {
  w1: [10, 1, 5, 5],
  b1: [10],
  w2: [20, 10, 5, 5],
  b2: [20],
  w3: [50, 320],
  b3: [50],
  w4: [10, 50],
  b4: [10],
};

const cnn: Case = {
  name: 'train/CNN 1-10-20, 320-50-10',
  inputs: () => ({
    ...parameters(cnnSizes),
    x: uniform(12, [BATCH, 1, 28, 28]),
    y: classes(13, BATCH, 10),
  }),
  expected: () => CNN_LOSSES,
  tolerance: 2e-5,
  isotorch(torch, given) {
    const { nn } = torch;
    const model = new nn.Sequential(
      new nn.Conv2d(1, 10, 5),
      new nn.MaxPool2d(2),
      new nn.ReLU(),
      new nn.Conv2d(10, 20, 5),
      new nn.MaxPool2d(2),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(320, 50),
      new nn.ReLU(),
      new nn.Linear(50, 10),
    );
    return isotorchTraining(torch, given, cnnSizes, model);
  },
  tfjs(tf, given) {
    // Images and filters in channels-last order, the only one of its wasm backend.
    const conv = (h: TfTensor, w: TfTensor, b: TfTensor) =>
      tf.maxPool(tf.conv2d(h, tf.transpose(w, [2, 3, 1, 0]), 1, 'valid').add(b), 2, 2, 'valid');
    return tfjsTraining(tf, given, cnnSizes, (x, { w1, b1, w2, b2, w3, b3, w4, b4 }) => {
      const h1 = conv(tf.transpose(x, [0, 2, 3, 1]), w1, b1).relu();
      const h2 = tf.transpose(conv(h1, w2, b2).relu(), [0, 3, 1, 2]).reshape([BATCH, 320]);
      return tf.matMul(tf.matMul(h2, w3, false, true).add(b3).relu(), w4, false, true).add(b4);
    });
  },
  pytorch: `
parameters = [w1, b1, w2, b2, w3, b3, w4, b4]
model = nn.Sequential(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(10, 20, 5),
                      nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(320, 50), nn.ReLU(),
                      nn.Linear(50, 10))
${PYTHON_STEP}`,
};

/** Losses of the first five steps, from native PyTorch 1.13 on the inputs above. */
const MLP_LOSSES = [2.3065238, 2.3037531, 2.3009965, 2.2982519, 2.2955186];
const CNN_LOSSES = [2.3231792, 2.3214481, 2.3197281, 2.318002, 2.3162796];

export const trainingCases: readonly Case[] = [mlp, cnn];
