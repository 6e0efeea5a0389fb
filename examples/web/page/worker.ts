/** The worker of the page: all computing happens here, so that the page stays responsive. */

import * as torch from '../../../ts/index.js';
import { missingWebGPU } from '../../demo/device.js';
import type { SetName } from '../manifest.js';
import { DataStore } from './data.js';
import type { FromWorker, Settings, ToWorker } from './messages.js';
import { SAMPLES, Trainer } from './trainer.js';

const PIXELS = 28 * 28;

let store: DataStore;
let trainer: Trainer | undefined;
let busy = false;
/** Whether the run that is being prepared shall not begin. */
let cancelled = false;

function tell(message: FromWorker, transfer: Transferable[] = []): void {
  globalThis.postMessage(message, { transfer });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function greet(): Promise<void> {
  torch.cpu.configure({ workerUrl: new URL('./thread.js', import.meta.url).href });
  const { threads, reason } = torch.cpu.info();
  const missing = await missingWebGPU().catch(describe);
  tell({ type: 'ready', missingWebGPU: missing, threads, reason });
}

async function showSamples(set: SetName): Promise<void> {
  const test = await store.get(set, 'test');
  const images = Uint8Array.from(
    (await test.data.narrow(0, 0, SAMPLES).toArray()) as Uint8Array,
  ).subarray(0, SAMPLES * PIXELS);
  const truths = Uint8Array.from(
    Array.from(await test.targets.narrow(0, 0, SAMPLES).toArray(), Number),
  );
  // '7 - seven' is '7' here.
  const classes = test.classes.map((name) => name.replace(/ - .*/, ''));
  tell({ type: 'samples', set, classes, images, truths });
}

async function start(settings: Settings): Promise<void> {
  if (busy) return;
  busy = true;
  cancelled = false;
  trainer = undefined;
  try {
    tell({ type: 'state', state: 'loading' });
    const test = await store.get(settings.set, 'test');
    const training = await store.get(settings.set, 'train');
    if (!cancelled) trainer = await Trainer.make(settings, training, test, tell);
    if (cancelled) trainer?.stop();
    const end = await trainer?.work();
    tell({ type: 'ended', ...(end ?? { how: 'stopped', epochs: 0 }) });
  } catch (error) {
    tell({ type: 'failure', message: describe(error) });
    tell({ type: 'ended', how: 'failed', epochs: 0 });
  } finally {
    busy = false;
    tell({ type: 'state', state: 'idle' });
  }
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'hello':
      store = new DataStore(message.sets, (part, bytes, total) =>
        tell({ type: 'download', part, bytes, total }),
      );
      await greet();
      break;
    case 'choose':
      if (!busy) trainer = undefined;
      await showSamples(message.set);
      break;
    case 'start':
      await start(message.settings);
      break;
    case 'pause':
      trainer?.pause();
      break;
    case 'resume':
      trainer?.continue();
      break;
    case 'stop':
      cancelled = true;
      trainer?.stop();
      break;
    case 'classify':
      tell({ type: 'classified', probabilities: await trainer?.classify(message.image) });
      break;
    case 'save': {
      const bytes = await trainer?.save();
      if (bytes !== undefined) tell({ type: 'saved', bytes: new Uint8Array(bytes) });
    }
  }
}

globalThis.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  handle(data).catch((error) => tell({ type: 'failure', message: describe(error) }));
});
