/** Poisson counts, number for number as PyTorch 1.13 on the CPU. */

import { defaultGenerator, type Generator } from './random.js';

const logFactorials = [0, 0];

/** log(k!) from a table that grows up to 255, by Stirling's series beyond. */
function logFactorial(k: number): number {
  if (k > 255) {
    const x = k + 1;
    const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
    return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
  }
  for (let i = logFactorials.length; i <= k; i++) {
    logFactorials.push(logFactorials[i - 1] + Math.log(i));
  }
  return logFactorials[k];
}

/** Products of uniform numbers until they fall below exp(-rate). */
function smallRate(rate: number, generator: Generator): number {
  const limit = Math.exp(-rate);
  let count = 0;
  for (let product = generator.uniform(); product > limit; product *= generator.uniform()) count++;
  return count;
}

/** Transformed rejection (Hoermann 1993), for rates from 10 on. */
function largeRate(rate: number, generator: Generator): number {
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  const invAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = generator.uniform() - 0.5;
    const v = generator.uniform();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const bound = Math.log(v) + Math.log(invAlpha) - Math.log(a / (us * us) + b);
    if (bound <= -rate + k * Math.log(rate) - logFactorial(k)) return k;
  }
}

/** One count for each rate, in order. */
export function samplePoisson(
  rates: Float64Array,
  generator: Generator = defaultGenerator,
): Float64Array {
  return rates.map((rate) => {
    if (rate === 0) return 0;
    return rate >= 10 ? largeRate(rate, generator) : smallRate(rate, generator);
  });
}
