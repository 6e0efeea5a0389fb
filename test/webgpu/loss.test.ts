import { expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { agree, withFeatures } from './agree.js';

const F = torch.nn.functional;

const SHAPES: readonly (readonly number[])[] = [
  [7],
  [1, 1],
  [5, 7],
  [64, 10],
  [3, 9000],
  [2, 3, 5, 5],
  [2, 30, 400],
  [70000, 2],
];

const OPTIONS = [
  {},
  { reduction: 'sum' },
  { reduction: 'none' },
  { ignoreIndex: 0 },
  { weighted: true },
  { weighted: true, ignoreIndex: 0, reduction: 'none' },
] as const;
const SMOOTH = [
  { labelSmoothing: 0.1 },
  { labelSmoothing: 0.3, weighted: true, ignoreIndex: 0 },
] as const;

const HARD = [
  [Number.NaN, 1, 2],
  [Number.POSITIVE_INFINITY, 1, 2],
  [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  [Number.NEGATIVE_INFINITY, 0, 1],
  [1e30, -1e30, 0],
  [1000, 1001, 999],
];

async function compare(
  name: 'crossEntropy' | 'nllLoss',
  options: Readonly<Record<string, unknown>>,
) {
  const { weighted, ...rest } = options;
  for (const shape of SHAPES) {
    const classes = shape[shape.length === 1 ? 0 : 1];
    const positions = shape.length === 1 ? [] : [shape[0], ...shape.slice(2)];
    const target = torch.randint(0, classes, positions).int();
    const weight = torch.rand([classes]).add(0.1);
    // A mean over ignored positions only is NaN on both.
    await agree([torch.randn(shape).mul(3), target, weight], (x, t, w) =>
      F[name](x, t, { ...rest, weight: weighted ? w.detach() : undefined }),
    );
  }
}

await withFeatures('losses on the GPU', () => {
  test.each([...OPTIONS, ...SMOOTH])('crossEntropy %o', (options) =>
    compare('crossEntropy', options),
  );

  test.each(OPTIONS)('nllLoss %o', (options) => compare('nllLoss', options));

  test('hard points, also where they are ignored', async () => {
    const target = torch.tensor([0, 1, 2, 0, 0, 1], { dtype: torch.int32 });
    for (const ignoreIndex of [-100, 0, 1]) {
      for (const labelSmoothing of [0, 0.1]) {
        await agree([torch.tensor(HARD), target], (x, t) =>
          F.crossEntropy(x, t, { reduction: 'none', ignoreIndex, labelSmoothing }),
        );
      }
    }
  });

  test.each(['crossEntropy', 'nllLoss'] as const)(
    '%s: a class that does not exist is an error at the next read, once',
    async (name) => {
      const x = torch.randn([4, 3]).to('webgpu');
      const target = (classes: number[]) =>
        torch.tensor(classes, { dtype: torch.int32 }).to('webgpu');
      await expect(F[name](x, target([0, 1, 7, 2])).item()).rejects.toThrow(
        `${name}: index at position 2 is out of range for a dimension of size 3`,
      );
      await expect(F[name](x, target([0, -1, 1, 2])).item()).rejects.toThrow(torch.IndexError);
      expect(await F[name](x, target([0, 1, 1, 2])).item()).toBeTypeOf('number');
    },
  );
});
