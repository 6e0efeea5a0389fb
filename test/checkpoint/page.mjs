// A page packs an archive, reads it again, and reads a damaged one and one that is cut off.
import { numpy, rand, zeros } from './index.mjs';

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
const text = document.createElement('pre');
text.textContent = JSON.stringify({
  bytes: bytes.length,
  equal: Object.entries(arrays).map(([name, x]) => loaded[name].equal(x)),
  damaged: await refusal(damaged),
  cut: await refusal(bytes.slice(0, 1000)),
});
text.id = 'output';
document.body.append(text);
