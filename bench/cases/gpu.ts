/** The cases of the GPU, in the order they are shown. */

import type * as Torch from '../../ts/index.js';
import { type Case, deviceInUse, type Inputs, type Program, toTensor } from '../case.js';
import type { Tf, TfTensor } from '../peers/tfjs_types.js';
import { convCases } from './conv.js';
import { elementwiseCases } from './elementwise.js';
import { layerCases } from './gpu_layers.js';
import { layerNormCases, tfLayerNorm } from './layer_norm.js';
import { matmul } from './matmul.js';
import { sequenceCases } from './sequences.js';
import { smallCases } from './small.js';
import { trainingCases } from './training.js';

const [BATCH, TIME, WIDTH, HEADS, INNER, LAYERS] = [8, 64, 128, 4, 512, 2];
const LR = 0.001;
/** Parameters of a layer, in the order of PyTorch's. */
const PER_LAYER = 12;

/** A step that returns its loss, five of which are checked. */
function trainer(run: () => Promise<number>): Program {
  const check = async () => {
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) losses.push(await run());
    return losses;
  };
  return { run, check };
}

function isotorchTransformer(torch: typeof Torch, given: Inputs): Program {
  const { nn } = torch;
  const layers = Array.from(
    { length: LAYERS },
    () => new nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, { dropout: 0, batchFirst: true }),
  );
  const head = new nn.Linear(WIDTH, 10);
  const modules = new nn.ModuleList([...layers, head]).to(deviceInUse());
  torch.noGrad(() => {
    [...modules.parameters()].forEach((p, i) => {
      p.copy_(toTensor(torch, given[`p${i}`]));
    });
  });
  const [x, y] = [toTensor(torch, given.x), toTensor(torch, given.y)];
  const optimizer = new torch.optim.Adam(modules.parameters(), { lr: LR });
  return trainer(async () => {
    optimizer.zeroGrad();
    const scores = head(layers.reduce((h, layer) => layer(h), x).mean(1));
    const loss = nn.functional.crossEntropy(scores, y);
    loss.backward();
    optimizer.step();
    return loss.item() as Promise<number>;
  });
}

function tfjsTransformer(tf: Tf, given: Inputs): Program {
  const count = PER_LAYER * LAYERS + 2;
  const parameters = Array.from({ length: count }, (_, i) =>
    tf.variable(tf.tensor(given[`p${i}`].data, given[`p${i}`].shape)),
  );
  const x = tf.tensor(given.x.data, [BATCH * TIME, WIDTH]);
  const onehot = tf.oneHot(tf.tensor(given.y.data, [BATCH], 'int32'), 10);
  const linear = (h: TfTensor, w: TfTensor, b: TfTensor) => tf.matMul(h, w, false, true).add(b);
  const heads = (h: TfTensor) =>
    tf.transpose(h.reshape([BATCH, TIME, HEADS, WIDTH / HEADS]), [0, 2, 1, 3]);
  const layer = (h: TfTensor, p: readonly TfTensor[]) => {
    const [q, k, v] = tf.split(linear(h, p[0], p[1]), 3, 1).map(heads);
    const scores = tf.matMul(q, k, false, true).mul(Math.sqrt(HEADS / WIDTH));
    const mixed = tf.transpose(tf.matMul(tf.softmax(scores, 3), v), [0, 2, 1, 3]);
    const seen = linear(mixed.reshape([BATCH * TIME, WIDTH]), p[2], p[3]);
    const middle = tfLayerNorm(tf, h.add(seen), p[8], p[9]);
    const inner = linear(linear(middle, p[4], p[5]).relu(), p[6], p[7]);
    return tfLayerNorm(tf, middle.add(inner), p[10], p[11]);
  };
  const forward = () => {
    let h: TfTensor = x;
    for (let i = 0; i < LAYERS; i++) {
      h = layer(h, parameters.slice(PER_LAYER * i, PER_LAYER * (i + 1)));
    }
    const [w, b] = parameters.slice(-2);
    return linear(h.reshape([BATCH, TIME, WIDTH]).mean(1), w, b);
  };
  const optimizer = tf.train.adam(LR, 0.9, 0.999, 1e-8);
  return trainer(async () => {
    const cost = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(onehot, forward()), true);
    const [value] = await cost.data();
    cost.dispose();
    return value;
  });
}

const transformerCases = sequenceCases
  .filter(({ name }) => name.includes('Transformer'))
  .map((given): Case => ({ ...given, isotorch: isotorchTransformer, tfjs: tfjsTransformer }));

export const gpuCases: readonly Case[] = [
  matmul(256, 'NN'),
  matmul(256, 'NT'),
  matmul(256, 'TN'),
  matmul(512, 'NN'),
  matmul(1024, 'NN'),
  matmul(2048, 'NN'),
  ...elementwiseCases,
  ...layerNormCases,
  ...layerCases,
  ...smallCases,
  ...convCases,
  ...trainingCases,
  ...transformerCases,
];
