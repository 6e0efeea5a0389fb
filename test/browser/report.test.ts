import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PointwiseJudge } from '../judges/judge.js';
import { judges } from '../judges.js';
import { runMatrix } from './matrix.js';
import { describeFailure } from './report.js';

const wrongs = async () => {
  const { checks } = await runMatrix('cpu', ['exp', 'softmax']);
  return checks.filter(({ failures }) => failures.length > 0).map(describeFailure);
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the report of the matrix', () => {
  it('names row, device, dtype and layout of what is wrong, and nothing else', async () => {
    expect(await wrongs()).toEqual([]);
    vi.spyOn(judges.exp as PointwiseJudge, 'f').mockImplementation((x) => Math.exp(x) * 1.1);
    const lines = await wrongs();
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(
      /^exp on cpu, float32, contiguous: exp\(.+\) is .+, not .+ ulp off\) \(and 11 more\)$/,
    );
  });

  it('goes on behind an error', async () => {
    vi.spyOn(judges.exp as PointwiseJudge, 'f').mockImplementation(() => {
      throw new RangeError('no value');
    });
    const lines = await wrongs();
    expect(lines[0]).toBe('exp on cpu, float64, contiguous: RangeError: no value');
    expect(lines.every((line) => line.startsWith('exp on cpu'))).toBe(true);
  });
});
