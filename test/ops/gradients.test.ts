/** First and second derivatives of every differentiable row against finite differences. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { gradients } from '../../ts/ops/gradients.js';
import type { OpName } from '../../ts/ops/table.js';
import { judges } from '../judges.js';
import { type Call, callsOf, names, type Tensor } from './samples.js';

const { gradcheck, gradgradcheck } = torch.autograd;

/** The outputs that carry gradients. */
function smooth(op: OpName, call: Call): (...inputs: Tensor[]) => Tensor[] {
  const judge = judges[op];
  const wanted = judge.kind === 'sampled' ? judge.differentiable : undefined;
  return (...inputs) => {
    const outputs = call.run(inputs);
    return wanted === undefined ? outputs : wanted.map((i) => outputs[i]!);
  };
}

for (const op of names) {
  if (gradients[op].kind === 'none') continue;
  describe(op, () => {
    for (const call of callsOf(op, torch.float64)) {
      const inputs = call.inputs.map((x, i) => (call.wanted[i] ? x.requiresGrad_() : x));
      test(`${call.name}: first derivatives`, () => {
        expect(gradcheck(smooth(op, call), inputs, { atol: 1e-6, rtol: 1e-5 })).toBe(true);
      });
      test(`${call.name}: second derivatives`, () => {
        expect(gradgradcheck(smooth(op, call), inputs, { atol: 1e-5, rtol: 1e-4 })).toBe(true);
      });
    }
  });
}

describe('rows without a gradient', () => {
  for (const op of names) {
    const row = gradients[op];
    if (row.kind !== 'none') continue;
    test(`${op} says why`, () => {
      expect(row.reason.length).toBeGreaterThan(10);
    });
  }
});
