// A training on both devices, as a page writes it; the GPU's part of the package is loaded by init.
import * as torch from 'isotorch';

async function losses(device) {
  torch.manualSeed(0);
  const net = new torch.nn.Sequential(
    new torch.nn.Linear(2, 8),
    new torch.nn.Tanh(),
    new torch.nn.Linear(8, 1),
  );
  net.to(device);
  const x = torch.arange(8, { dtype: torch.float32 }).view(4, 2).div(8).to(device);
  const optimizer = new torch.optim.SGD([...net.parameters()], { lr: 0.1 });
  const list = [];
  for (let step = 0; step < 3; step++) {
    optimizer.zeroGrad();
    const loss = net(x).sub(1).pow(2).mean();
    loss.backward();
    optimizer.step();
    list.push(loss.detach());
  }
  const values = await Promise.all(list.map((loss) => loss.item()));
  return `${list[0].device} ${values.map((value) => value.toFixed(4)).join(' ')}`;
}

const text = document.createElement('pre');
try {
  await torch.webgpu.init();
  text.textContent = [await losses('cpu'), await losses('webgpu')].join('\n');
} catch (error) {
  text.textContent = String(error);
}
text.id = 'output';
document.body.append(text);
