import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import * as distributions from '../../ts/core/distributions.js';
import {
  type DataArray,
  type Dtype,
  type DtypeName,
  decodeElement,
  dtypes,
  encodeElement,
  float32,
  float64,
  int32,
} from '../../ts/core/dtype.js';
import { ValueError } from '../../ts/core/errors.js';
import { defaultGenerator, Generator, manualSeed } from '../../ts/core/random.js';
import { bernoulli, empty, multinomial, tensor, zeros } from '../../ts/index.js';

/** What PyTorch 1.13 drew, and the 63-bit integer it drew next. */
interface Recorded {
  name: string;
  dtype: DtypeName;
  weights?: DtypeName;
  n: number;
  args: unknown[];
  seed: number;
  data: string;
  next: string;
}

const recorded: {
  cases: Recorded[];
  states: { draw: number | 'normal'; state: string }[];
  after: number[];
  seeds: [string, string, string][];
} = JSON.parse(
  gunzipSync(readFileSync(new URL('./random.cases.json.gz', import.meta.url))).toString(),
);

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

function numbers(array: DataArray, dtype: Dtype): number[] {
  return Array.from(array, (raw: number | bigint) => Number(decodeElement(dtype, raw)));
}

type Draw = (out: DataArray, c: Recorded, generator: Generator) => void;

const d = distributions;
const two = (c: Recorded) => c.args as [number, number];

const draws: Record<string, Draw> = {
  normal: (out, c, g) => d.fillNormal(out, dtypes[c.dtype], ...two(c), g),
  uniform: (out, c, g) => d.fillUniform(out, dtypes[c.dtype], ...two(c), g),
  randint: (out, c, g) =>
    d.fillRandint(out, dtypes[c.dtype], BigInt(two(c)[0]), BigInt(two(c)[1]), g),
  random: (out, c, g) => d.fillRandom(out, dtypes[c.dtype], g),
  randperm: (out, c, g) => d.fillRandperm(out, dtypes[c.dtype], g),
  bernoulli: (out, c, g) =>
    out.set(empty(c.n, { dtype: dtypes[c.dtype] }).bernoulli_(two(c)[0], g).dataSync() as never),
  bernoulliFrom: (out, c, g) => {
    const drawn = c.dtype === 'float64' ? new Float64Array(c.n) : new Float32Array(c.n);
    d.fillUniform(drawn, dtypes[c.dtype === 'float64' ? 'float64' : 'float32'], 0, 1, g);
    const p = drawn.map((_, i) => i / 100);
    drawn.forEach((u, i) => {
      out[i] = encodeElement(dtypes[c.dtype], Number(u < p[i]));
    });
  },
  exponential: (out, c, g) => d.fillExponential(out, dtypes[c.dtype], two(c)[0], g),
  geometric: (out, c, g) => d.fillGeometric(out, dtypes[c.dtype], two(c)[0], g),
  cauchy: (out, c, g) => d.fillCauchy(out, dtypes[c.dtype], ...two(c), g),
  logNormal: (out, c, g) => d.fillLogNormal(out, dtypes[c.dtype], ...two(c), g),
  multinomial: (out, c, g) => drawCategories(c, out as BigInt64Array, g),
};

function drawCategories(c: Recorded, out: BigInt64Array, generator: Generator): void {
  const values = [0.1, 0.2, 0.3, 0.4, 5, 0, 1, 2];
  const weights = tensor(values, { dtype: dtypes[c.weights ?? 'float32'] }).view(2, 4);
  const [replacement, samples] = c.args as [boolean, number];
  const drawn = multinomial(weights, samples, replacement, generator).dataSync() as Int32Array;
  drawn.forEach((value, i) => {
    out[i] = BigInt(value);
  });
}

/** Largest difference allowed, relative to the value: rounding of log, sin and cos. */
function tolerance(c: Recorded): number {
  // PyTorch's compiler fuses the multiplication and the addition of the limits.
  if (c.name === 'uniform') return c.dtype === 'float64' ? 2 ** -53 : 0;
  if (['normal', 'exponential', 'cauchy', 'logNormal'].includes(c.name)) {
    return { float32: 4e-6, float64: 1e-13, bfloat16: 1e-2 }[c.dtype as string]!;
  }
  return 0;
}

describe('distributions draw the numbers of PyTorch', () => {
  it.each(recorded.cases.map((c) => ({ ...c, title: `${c.name} ${c.dtype} ${c.n} (${c.args})` })))(
    '$title',
    (c) => {
      const dtype = dtypes[c.dtype];
      const expected = numbers(new dtype.array(bytesOf(c.data).buffer), dtype);
      const generator = new Generator().manualSeed(c.seed);
      const out = new dtype.array(c.n);
      draws[c.name](out, c, generator);
      const got = numbers(out, dtype);
      const allowed = tolerance(c);
      const wrong = got.findIndex(
        (x, i) => !(Math.abs(x - expected[i]) <= allowed * Math.max(1, Math.abs(expected[i]))),
      );
      expect(wrong === -1 ? 'all equal' : [wrong, got[wrong], expected[wrong]]).toBe('all equal');
      expect(generator.random64() & (2n ** 63n - 1n)).toBe(BigInt(c.next));
    },
  );
});

describe('Generator', () => {
  it.each(recorded.seeds)('seed %s', (seed, initial, first) => {
    const generator = new Generator().manualSeed(BigInt(seed));
    expect(BigInt(generator.initialSeed())).toBe(BigInt(initial));
    expect(generator.random64() & (2n ** 63n - 1n)).toBe(BigInt(first));
  });

  it('has the state of PyTorch, byte for byte', () => {
    const generator = new Generator().manualSeed(5);
    for (const { draw: what, state } of recorded.states) {
      if (what === 'normal') generator.normal();
      else for (let i = 0; i < what; i++) generator.random();
      const expected = bytesOf(state);
      const got = generator.stateBytes();
      expect(got.length).toBe(5056);
      if (what === 'normal') {
        // The spare normal may differ in its last bit.
        const spare = (bytes: Uint8Array) => new DataView(bytes.buffer).getFloat64(5024, true);
        expect(spare(got)).toBeCloseTo(spare(expected), 14);
        got.set(expected.subarray(5024, 5032), 5024);
      }
      expect(Buffer.compare(got, expected)).toBe(0);
    }
  });

  it('continues from a state of PyTorch and from its own', () => {
    const generator = new Generator().setStateBytes(bytesOf(recorded.states.at(-1)!.state));
    const twin = generator.clone();
    for (const value of recorded.after) expect(generator.normal()).toBeCloseTo(value, 14);
    for (const value of recorded.after) expect(twin.normal()).toBeCloseTo(value, 14);
    expect(twin.stateBytes()).toEqual(generator.stateBytes());
  });

  it('reads states of PyTorch before 1.6', () => {
    const older = new Generator().manualSeed(1).stateBytes().slice(0, 5048);
    const view = new DataView(older.buffer);
    [0.1, 0.7, 2].forEach((value, i) => {
      view.setFloat64(5016 + 8 * i, value, true);
    });
    view.setInt32(5040, 1, true);
    // What PyTorch 1.13 draws after it.
    expect(new Generator().setStateBytes(older).normal()).toBe(1.1755705045849463);
  });

  it('keeps what a state holds for single precision', () => {
    const bytes = new Generator().stateBytes();
    bytes.set([0, 0, 0xc0, 0x3f, 1], 5048);
    expect(new Generator().setStateBytes(bytes).stateBytes()).toEqual(bytes);
  });

  it('draws on the CPU for every device', () => {
    expect(new Generator('cpu').device).toBe('cpu');
    expect(new Generator({ device: 'cpu' }).random()).toBe(new Generator().random());
    expect(() => new Generator('webgpu')).toThrow('drawn on the CPU');
  });

  it('seeds from entropy', () => {
    const generator = new Generator();
    expect(generator.initialSeed()).toBe(67280421310721);
    const seed = generator.seed();
    expect(generator.initialSeed()).toBe(seed);
    expect(new Generator().manualSeed(seed).random()).toBe(generator.random());
  });

  it('manualSeed sets the default generator', () => {
    expect(manualSeed(7)).toBe(defaultGenerator);
    const first = new Float32Array(3);
    distributions.fillUniform(first, float32);
    manualSeed(7);
    const second = new Float32Array(3);
    distributions.fillUniform(second, float32);
    expect(second).toEqual(first);
  });

  it('refuses what is no seed and no state', () => {
    const generator = new Generator();
    expect(() => generator.manualSeed(1.5)).toThrow(ValueError);
    expect(() => generator.manualSeed(2n ** 64n)).toThrow('[-2^63, 2^64)');
    expect(() => generator.setStateBytes(new Uint8Array(7))).toThrow('5056 bytes, got 7');
    expect(() => generator.setStateBytes(new Uint8Array(5056))).toThrow('not the state');
  });
});

describe('distributions refuse parameters outside their domain', () => {
  const out = new Float32Array(4);
  it.each<[string, () => void]>([
    ['from <= to', () => distributions.fillUniform(out, float32, 1, 0)],
    ['std >= 0.0', () => distributions.fillNormal(out, float32, 0, -1)],
    ['low < high', () => distributions.fillRandint(out, float32, 3, 3)],
    ['p lies between 0 and 1', () => empty(4).bernoulli_(1.5)],
    ['p lies between 0 and 1', () => bernoulli(empty(4), Number.NaN)],
    ['lambda > 0.0', () => distributions.fillExponential(out, float32, 0)],
    ['0 < p < 1', () => distributions.fillGeometric(out, float32, 1)],
    ['sigma > 0.0', () => distributions.fillCauchy(out, float32, 0, 0)],
    ['std > 0.0', () => distributions.fillLogNormal(out, float32, 0, 0)],
    ['only floating point', () => distributions.fillNormal(new Int32Array(4), int32)],
    ['without replacement', () => multinomial(tensor([1, 2], { dtype: float32 }), 3)],
    ['sum to zero', () => multinomial(zeros(2), 1)],
    ['no categories', () => multinomial(zeros(2, 0), 1, true)],
    ['draw 0 samples', () => multinomial(zeros(2), 0)],
    ['draw 1.5 samples', () => multinomial(zeros(2), 1.5)],
    ['not negative', () => multinomial(tensor([-1, 2.5]), 1)],
  ])('%s', (message, call) => {
    expect(call).toThrow(ValueError);
    expect(call).toThrow(message);
  });

  it('draws one by one for a non-contiguous tensor', () => {
    const generator = new Generator().manualSeed(0);
    const single = new Float64Array(20);
    distributions.fillNormal(single, float64, 0, 1, generator, false);
    generator.manualSeed(0);
    expect(single[17]).toBe(Array.from({ length: 20 }, () => generator.normal())[17]);
  });
});

describe('float32 numbers that a kernel draws', () => {
  /** The same without a kernel, as where a page's policy forbids WebAssembly. */
  function withoutKernel(draw: () => void): void {
    const kernel = distributions.useFloatKernel(() => false);
    try {
      draw();
    } finally {
      distributions.useFloatKernel(kernel);
    }
  }

  it.each([16, 17, 511, 512, 624, 1000, 65_536 + 40])(
    '%i, from any place in the stream',
    (count) => {
      for (const skipped of [0, 1, 608, 609, 623, 624]) {
        const [fast, plain] = [new Generator().manualSeed(3), new Generator().manualSeed(3)];
        for (let i = 0; i < skipped; i++) expect(fast.random()).toBe(plain.random());
        const [a, b] = [new Float32Array(count), new Float32Array(count)];
        distributions.fillUniform(a, float32, -0.3, 0.8, fast);
        withoutKernel(() => distributions.fillUniform(b, float32, -0.3, 0.8, plain));
        expect(Buffer.compare(new Uint8Array(a.buffer), new Uint8Array(b.buffer))).toBe(0);
        distributions.fillNormal(a, float32, 0.5, 3, fast);
        withoutKernel(() => distributions.fillNormal(b, float32, 0.5, 3, plain));
        const far = a.findIndex((x, i) => Math.abs(x - b[i]) > 1e-6 * Math.max(3, Math.abs(b[i])));
        expect(far).toBe(-1);
        expect(fast.stateBytes()).toEqual(plain.stateBytes());
      }
    },
  );

  it('are those of PyTorch without one too', () => {
    const floats = recorded.cases.filter((c) => c.dtype === 'float32' && c.n >= 16);
    for (const c of floats.filter(({ name }) => name === 'normal' || name === 'uniform')) {
      const expected = new Float32Array(bytesOf(c.data).buffer);
      const out = new Float32Array(c.n);
      withoutKernel(() => draws[c.name](out, c, new Generator().manualSeed(c.seed)));
      const far = out.findIndex(
        (x, i) => Math.abs(x - expected[i]) > 4e-6 * Math.max(1, Math.abs(x)),
      );
      expect(far).toBe(-1);
    }
  });
});

describe('bernoulli_()', () => {
  it('compares the very numbers that uniform() draws, from any place in the stream', () => {
    for (const p of [0, 2 ** -53, 2 ** -21, 0.3, 0.5, Math.PI / 4, 1 - 2 ** -53, 1]) {
      for (const drawn of [0, 1, 623, 624, 625]) {
        const [ours, one] = [new Generator().manualSeed(7), new Generator().manualSeed(7)];
        for (let i = 0; i < drawn; i++) expect(ours.random()).toBe(one.random());
        for (const count of [2500, 1, 2, 3, 311, 312, 0, 6]) {
          const out = empty(count).bernoulli_(p, ours).dataSync() as Float32Array;
          expect(out).toEqual(Float32Array.from(out, () => Number(one.uniform() < p)));
          expect(ours.stateBytes()).toEqual(one.stateBytes());
        }
      }
    }
  });
});
