/** Casts between all dtypes, against what JavaScript makes of each value. */

import { describe, expect, test } from 'vitest';
import { type Dtype, decodeElement, encodeElement } from '../../ts/core/dtype.js';
import * as torch from '../../ts/index.js';

const { float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool } = torch;
const ALL = [float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool];

const HARD = [
  0,
  -0,
  0.5,
  -1.5,
  2.5,
  255,
  256.75,
  -129,
  65504,
  65519,
  65520,
  2 ** 31 - 1,
  -(2 ** 31),
];
const FAR = [2 ** 31, -(2 ** 31) - 1, 2 ** 32 + 7, -1e15, Number.NaN];
const TINY = [2 ** -24, 2 ** -25, 3 * 2 ** -26, 6.1e-5, 2 ** -133, 1e-42];

/** `count` values; what lies beyond int32 is in the first block of 512 alone. */
function values(count: number): number[] {
  const near = [...HARD, ...TINY];
  return Array.from({ length: count }, (_, i) =>
    i < 512 && i % 5 === 3 ? FAR[i % FAR.length] : near[(i * 7) % near.length],
  );
}

/** What a value of one dtype is in another. */
const converted = (value: number | bigint, dtype: Dtype): number | bigint => {
  const element = new dtype.array(1);
  (element as unknown as (number | bigint)[])[0] = encodeElement(dtype, value);
  return decodeElement(dtype, element[0]);
};

describe.each(ALL)('from %s', (from) => {
  const source = (count: number) => torch.tensor(values(count), { dtype: float64 }).to(from);

  test.each(ALL.filter((to) => to !== from))('to %s', (to) => {
    for (const count of [0, 1, 3, 511, 512, 1500]) {
      const x = source(count);
      const given = Array.from<number | bigint>(x.dataSync());
      const got = Array.from<number | bigint>(x.to(to).dataSync());
      expect(got).toEqual(given.map((value) => converted(value, to)));
    }
  });
});

/** Every bit pattern, neighbours being alike, and floats between the numbers of the dtype. */
test.each([float16, bfloat16])('all of %s and what rounds to them', (dtype) => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const exact = Float32Array.from(patterns, (word) => Number(decodeElement(dtype, word)));
  const x = torch.tensor(exact).to(dtype);
  expect(x.float().dataSync()).toEqual(exact);
  const words = new Uint32Array(exact.buffer);
  for (const more of [1, 0x1000, 0x7fff, 0x8000, 0x8001, 0x3001]) {
    const floats = new Float32Array(Uint32Array.from(words, (word) => word + more).buffer);
    const got = torch.tensor(floats).to(dtype).float().dataSync();
    expect(got).toEqual(floats.map((value) => Number(converted(value, dtype))));
  }
});

/** Contiguous operands are cast in the kernel, a tile at a time; views of others before it. */
describe.each([float16, bfloat16, int16, int8, uint8])('elementwise on %s', (dtype) => {
  const wide = dtype.isFloatingPoint ? float32 : int32;
  const make = (count: number, factor: number) =>
    torch.arange(count).mul(factor).remainder(97).sub(40).to(wide).div(3, 'floor').to(dtype);

  test.each([1, 3, 511, 512, 1030])('%i elements', (count) => {
    const [x, y, one] = [make(count, 37), make(count, 11), make(5, 3).at(2)];
    const [a, b, c] = [x.to(wide), y.to(wide), one.to(wide)];
    const mask = y.gt(4);
    const same = (got: torch.Tensor, want: torch.Tensor) => {
      expect(got.dtype).toBe(want.dtype === wide ? dtype : want.dtype);
      expect(got.tolistSync()).toEqual(want.to(got.dtype).tolistSync());
    };
    same(x.add(y), a.add(b));
    same(x.mul(y), a.mul(b));
    same(x.sub(3), a.sub(3));
    same(x.mul(one), a.mul(c));
    same(x.mul(one.expand(count)), a.mul(c));
    same(x.gt(y), a.gt(b));
    same(torch.where(mask, x, y), torch.where(mask, a, b));
    same(torch.where(mask, x, 2), torch.where(mask, a, 2));
    same(torch.where(mask.at('0:1'), x, y), torch.where(mask.at('0:1'), a, b));
    const [inPlace, part] = [x.clone(), torch.cat([x, y])];
    inPlace.add_(y).mul_(2);
    same(inPlace, a.add(b).to(dtype).to(wide).mul(2));
    part.at(`1:${count + 1}`).add_(part.at(`:${count}`));
    same(
      part.at(`1:${count + 1}`),
      torch
        .cat([a, b])
        .at(`1:${count + 1}`)
        .add(a),
    );
  });
});
