/** Plain kernels in C, compiled without SIMD. */

import { join } from 'node:path';
import { openLadder } from '../ladder/kernels.js';
import { localPeer, type Open } from './local.js';

export const openNaive: Open = async (folder, conditions) => {
  const ladder = openLadder(join(folder, '..'));
  return localPeer('naive', 'plain C without SIMD', conditions, ({ naive }, given) => {
    if (naive === undefined) return undefined;
    const kernel = ladder.kernel(naive.name);
    const places = naive.inputs.map((name) => {
      const { data } = given[name];
      return ladder.place(data.length, data);
    });
    const out = ladder.place(naive.count);
    const run = () => kernel(...naive.sizes, ...places, out);
    const check = () => {
      run();
      return ladder.read(out, naive.count);
    };
    return { run, check };
  });
};
