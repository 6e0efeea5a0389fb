// What a user's first program looks like; every platform must print the same.
import * as torch from 'isotorch';

export function program() {
  torch.manualSeed(0);
  const layer = new torch.nn.Linear(2, 1);
  const values = [
    [0.1, 0.2],
    [0.3, 0.4],
  ];
  const x = torch.tensor(values).requiresGrad_();
  const y = x.matmul(torch.tensor(values));
  const loss = layer(y).pow(2).mean();
  loss.backward();
  return [y.detach(), loss.detach(), x.grad, layer.weight, layer].map(String).join('\n');
}
