// Multiplies on the threads a page has, and says which those are.
import * as torch from './index.mjs';

const { searchParams } = new URL(location.href);
const output = document.createElement('pre');
try {
  if (searchParams.has('worker')) torch.cpu.configure({ workerUrl: './worker.js' });
  torch.setNumThreads(3);
  const x = torch
    .arange(512 * 512)
    .remainder(7)
    .reshape([512, 512])
    .float();
  const expected = x.matmul(x).sum().itemSync();
  let last = expected;
  // Workers, and errors, arrive between turns of the event loop.
  for (let i = 0; i < 40 && torch.cpu.info().workers < 2; i++) {
    await new Promise((done) => setTimeout(done, 50));
  }
  for (let i = 0; i < 20; i++) last = x.matmul(x).sum().itemSync();
  output.textContent = JSON.stringify({ ...torch.cpu.info(), right: last === expected });
} catch (error) {
  output.textContent = String(error?.stack ?? error);
}
output.id = 'output';
document.body.append(output);
