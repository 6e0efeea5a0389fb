// A page packs an archive, reads it again, and reads a damaged one and one that is cut off; and it
// reads checkpoints from all it has to read from, to either device.
import { arange, load, numpy, rand, safetensors, save, webgpu, zeros } from './index.mjs';

/** What loading bytes throws. */
async function refusal(bytes) {
  try {
    await numpy.load(bytes);
    return 'nothing';
  } catch (error) {
    return `${error.constructor.name}: ${error.message}`;
  }
}

const arrays = { noise: rand(500, 1000), zeros: zeros(500, 1000), none: zeros(0) };
const bytes = await numpy.savezCompressed(arrays);
const loaded = await numpy.load(new Blob([bytes]));
const damaged = bytes.map((byte, i) => (i > 500 && i < 700 ? 255 : byte));

/** The values of a tensor read from each kind of source. */
async function fromSources(read, file, mapLocation) {
  const sources = {
    array: file,
    buffer: file.buffer,
    file: new File([file], 'state.bin'),
    response: await fetch(URL.createObjectURL(new Blob([file]))),
    stream: new Blob([file]).stream(),
  };
  const found = [];
  for (const [name, source] of Object.entries(sources)) {
    const { x } = await read(source, { mapLocation });
    found.push(`${name} ${x.device} ${await x.tolist()}`);
  }
  return found;
}

const gpu = await webgpu.init().then(
  () => 'started',
  (error) => String(error),
);
const state = { x: arange(4).float() };
const read = [];
for (const device of gpu === 'started' ? ['cpu', 'webgpu'] : ['cpu']) {
  read.push(...(await fromSources(load, await save(state), device)));
  const toDevice = (source) => safetensors.load(source, { device });
  read.push(...(await fromSources(toDevice, await safetensors.save(state))));
}
const text = document.createElement('pre');
text.textContent = JSON.stringify({
  bytes: bytes.length,
  equal: Object.entries(arrays).map(([name, x]) => loaded[name].equal(x)),
  damaged: await refusal(damaged),
  cut: await refusal(bytes.slice(0, 1000)),
  gpu,
  read,
});
text.id = 'output';
document.body.append(text);
