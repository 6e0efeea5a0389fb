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
