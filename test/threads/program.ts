/** A program that uses threads and does not stop them: it must end, and rest while it waits. */

import * as torch from '../../ts/index.js';

const x = torch.randn(512, 512);
torch.setNumThreads(3);
for (let i = 0; i < 20; i++) x.matmul(x);
while (torch.cpu.info().workers < 2) await new Promise((done) => setTimeout(done, 5));
for (let i = 0; i < 20; i++) x.matmul(x);
await new Promise((done) => setTimeout(done, 100));
const before = process.cpuUsage();
await new Promise((done) => setTimeout(done, 1000));
const { user, system } = process.cpuUsage(before);
const { kernels, kernelsReason, threads, workers } = torch.cpu.info();
const idle = (user + system) / 1000;
console.log(JSON.stringify({ idle, kernels, kernelsReason, threads, workers }));
