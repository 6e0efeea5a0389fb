import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

test('what overflows the stack leaves the kernels as they were', () => {
  const endless = (x: torch.Tensor): torch.Tensor => endless(x.mul(2).add(1));
  const deeper = (frames: number): torch.Tensor =>
    frames === 0 ? endless(torch.ones(2)) : deeper(frames - 1);
  for (let frames = 0; frames < 40; frames++) {
    expect(() => deeper(frames)).toThrow(RangeError);
    expect(torch.ones(2).add(1).tolistSync()).toEqual([2, 2]);
  }
});
