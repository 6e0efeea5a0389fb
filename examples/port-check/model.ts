/** The program of record.py in TypeScript. Put your own in its place. */

import * as torch from '../../ts/index.js';
import type { Port } from './check.js';

const { nn, optim } = torch;
const F = nn.functional;

export class Net extends nn.Module {
  conv = new nn.Conv2d(1, 6, 3, { bias: false });
  norm = new nn.BatchNorm2d(6);
  gru = new nn.GRU(18, 10, { batchFirst: true });
  out = new nn.Linear(10, 3);

  forward(x: torch.Tensor): torch.Tensor {
    const h = F.maxPool2d(F.relu(this.norm(this.conv(x))), 2);
    const [sequence] = this.gru(h.permute(0, 2, 1, 3).flatten(2));
    return this.out(sequence.at(':', -1));
  }
}

export const port: Port<Net, torch.optim.SGD> = {
  build: () => new Net(),
  loss: (net, x, y) => F.crossEntropy(net(x), y),
  optimizer: (net) =>
    new optim.SGD(net.parameters(), { lr: 0.05, momentum: 0.9, weightDecay: 1e-4 }),
  scheduler: (optimizer) => new optim.lrScheduler.StepLR(optimizer, 20, { gamma: 0.5 }),
};
