/** The runner's own parts: it must see what is wrong, and map names and expressions by rule. */

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compareContents, compareGradient, compareResult, EXACTING } from './compare.js';
import type { Encoded, EncodedTensor, OpFile } from './format.js';
import { camelCase, candidates } from './names.js';
import { runOp, toleranceFor } from './ops.js';
import { evaluate, evaluateAll } from './python.js';
import { formatEntry } from './report.js';
import { parseTree } from './tree.js';
import { LAYOUTS, makeTensor, read } from './values.js';

const tensor = (data: number[], shape = [data.length], dtype = 'float32'): EncodedTensor => ({
  tensor: dtype,
  shape,
  data,
});

const contents = (data: number[], shape = [data.length], dtype = 'float32') => ({
  dtype,
  shape,
  data: Float64Array.from(data),
});

const OPTIONS = { tolerance: EXACTING, int64: false };

describe('comparer', () => {
  test('accepts what is within the tolerance', () => {
    expect(compareContents(contents([1, 2]), tensor([1.000001, 2]), OPTIONS)).toBeUndefined();
  });

  test('names the first wrong value and counts them', () => {
    const reason = compareContents(contents([1, 2, 3, 5], [2, 2]), tensor([1, 2, 3, 4], [2, 2]), {
      ...OPTIONS,
    });
    expect(reason).toBe('5 at [1, 1], expected 4 (1 of 4 differ)');
  });

  test('sees a wrong shape, also of the same size', () => {
    const reason = compareContents(contents([1, 2], [1, 2]), tensor([1, 2]), OPTIONS);
    expect(reason).toBe('shape [1, 2], expected [2]');
  });

  test('sees a wrong dtype', () => {
    const reason = compareContents(contents([1], [1], 'float64'), tensor([1]), OPTIONS);
    expect(reason).toBe('dtype float64, expected float32');
  });

  test('int64 is int32 here unless an input was int64', () => {
    const expected = tensor([1], [1], 'int64');
    const wide = contents([1], [1], 'int64');
    expect(compareContents(contents([1], [1], 'int32'), expected, OPTIONS)).toBeUndefined();
    expect(compareContents(wide, expected, OPTIONS)).toMatch('expected int32');
    expect(compareContents(wide, expected, { ...OPTIONS, int64: true })).toBeUndefined();
  });

  test('integers are exact', () => {
    const expected = tensor([100000000], [1], 'int32');
    expect(compareContents(contents([100000001], [1], 'int32'), expected, OPTIONS)).toBeDefined();
  });

  test('knows NaN and the infinities, and that float32 overflows', () => {
    const expected: EncodedTensor = {
      tensor: 'float32',
      shape: [3],
      data: ['NaN', '-Infinity', 1e39],
    };
    const right = contents([Number.NaN, -Infinity, Infinity]);
    expect(compareContents(right, expected, OPTIONS)).toBeUndefined();
    expect(compareContents(contents([0, -Infinity, Infinity]), expected, OPTIONS)).toBeDefined();
    const finite = contents([Number.NaN, -3e38, Infinity]);
    expect(compareContents(finite, expected, OPTIONS)).toBeDefined();
  });

  test('counts results and compares scalars', async () => {
    const two: Encoded = { tuple: [tensor([1]), tensor([2])] };
    expect(await compareResult([makeTensor(tensor([1]), 'cpu')], two, OPTIONS)).toMatch(
      '1 results, expected 2',
    );
    expect(await compareResult(true, true, OPTIONS)).toBeUndefined();
    expect(await compareResult(1, true, OPTIONS)).toBeDefined();
    expect(await compareResult(2.5, { float: 2.5 }, OPTIONS)).toBeUndefined();
  });

  test('wants a gradient where there is one, and none where there is none', async () => {
    expect(await compareGradient(null, tensor([1]), OPTIONS)).toBe('no gradient, expected one');
    expect(await compareGradient(null, null, OPTIONS)).toBeUndefined();
    const some = makeTensor(tensor([1]), 'cpu');
    expect(await compareGradient(some, null, OPTIONS)).toBe('a gradient, expected none');
  });
});

describe('layouts', () => {
  test.each(LAYOUTS)('%s holds the same values', async (layout) => {
    for (const shape of [[], [6], [2, 3], [2, 0], [2, 1, 3]]) {
      const count = shape.reduce((a, b) => a * b, 1);
      const encoded = tensor(
        Array.from({ length: count }, (_, i) => i + 1),
        shape,
      );
      const made = await read(makeTensor(encoded, 'cpu', layout));
      expect(compareContents(made, encoded, OPTIONS)).toBeUndefined();
    }
  });
});

/** x * y with its gradients, as it would be recorded. */
function recording(change: Partial<OpFile['cases'][0]>): OpFile {
  const recorded = {
    args: [tensor([1, 2]), tensor([3, 5])],
    kwargs: {},
    output: tensor([3, 10]),
    cotangents: [tensor([1, -1])],
    grads: { '0': tensor([3, -5]), '1': tensor([1, -2]) },
    ...change,
  };
  const errors = [{ args: [tensor([1, 2]), tensor([1, 2, 3])], kwargs: {}, error: 'size' }];
  return {
    op: 'mul',
    variant: '',
    dtype: 'float32',
    inplace: true,
    method: true,
    cases: [recorded],
    errors,
  };
}

describe('operators', () => {
  test('a right recording passes in every form and layout', async () => {
    const outcome = await runOp(recording({}), 'cpu');
    expect(outcome.status, formatEntry('mul', outcome)).toBe('passed');
    expect(outcome.checks).toBe(4 + 4 + 5 + 2);
  });

  test.each([
    ['value', { output: tensor([3, 11]) }],
    ['shape', { output: tensor([3, 10], [2, 1]) }],
    ['dtype', { output: tensor([3, 10], [2], 'float64') }],
    ['gradient', { grads: { '0': tensor([3, -5]), '1': tensor([1, 2]) } }],
    ['absent gradient', { grads: { '0': null } }],
  ])('a wrong %s fails', async (_, change) => {
    expect((await runOp(recording(change), 'cpu')).status).toBe('failed');
  });

  test('an error that does not come fails', async () => {
    const file = { ...recording({}), errors: [{ args: [1, 2], kwargs: {}, error: '' }] };
    const accepted = { args: [tensor([1]), tensor([1])], kwargs: {}, error: 'refused' };
    expect((await runOp({ ...file, errors: [accepted] }, 'cpu')).status).toBe('failed');
  });

  test('a name that does not exist is missing', async () => {
    const outcome = await runOp({ ...recording({}), op: 'no_such_operator' }, 'cpu');
    expect(outcome.status).toBe('missing');
    expect(outcome.reasons).toContain('torch.no_such_operator');
  });

  test('long sums have the wider tolerance, other values have not', () => {
    expect(toleranceFor('matmul').relative).toBe(1e-4);
    expect(toleranceFor('nn.functional.conv2d').relative).toBe(1e-4);
    expect(toleranceFor('exp').relative).toBe(1.3e-6);
    expect(toleranceFor('mul').relative).toBe(1.3e-6);
  });
});

describe('names', () => {
  test('become camelCase; in-place names keep their underscore', () => {
    expect(camelCase('zero_grad')).toBe('zeroGrad');
    expect(camelCase('atleast_2d')).toBe('atleast2d');
    expect(camelCase('adaptive_avg_pool2d')).toBe('adaptiveAvgPool2d');
    expect(camelCase('scatter_add_')).toBe('scatterAdd_');
    expect(camelCase('T_0')).toBe('T0');
  });

  test('reserved words get an underscore; a leading one may go', () => {
    expect(candidates('var')).toEqual(['var_', 'var']);
    expect(candidates('where')).toEqual(['where']);
    expect(candidates('_scaled_dot_product_attention')).toEqual([
      '_scaledDotProductAttention',
      'scaledDotProductAttention',
    ]);
  });
});

describe('Python expressions', () => {
  test.each<[string, unknown]>([
    ['1 + 2 * 3 ** 2', 19],
    ['-2 ** 2', -4],
    ['7 // 2 - 7 % 4', 0],
    ['(1, 2.5, [3, -4])', [1, 2.5, [3, -4]]],
    ['(1,)', [1]],
    ['()', []],
    ['1 if epoch < 5 else .1', 0.1],
    ["'text'", 'text'],
    ['None', null],
    ['5.', 5],
    ['[1, 2, 3][-1]', 3],
    ['(lambda x: x * 2)(4)', 8],
    ['max(1, 3) * 1e-1', 0.30000000000000004],
  ])('%s', (source, value) => {
    expect(evaluate(source, { epoch: 7 })).toEqual(value);
  });

  test('calls functions and methods of the library, with keywords', async () => {
    const value = evaluate('torch.full((2, 2), 3.0, dtype=torch.float64).sum(1, keepdim=True)');
    expect(await read(value as never)).toMatchObject({ dtype: 'float64', shape: [2, 1] });
  });

  test('constructs modules', () => {
    const printed = String(evaluate('nn.Sequential(nn.Linear(4, 3), nn.ReLU())'));
    expect(printed).toContain('(0): Linear(in_features=4, out_features=3, bias=True)');
  });

  test('runs statements in order, bare names meaning torch', async () => {
    const results = evaluateAll('x = ones(3); (x + x)[0:2]');
    expect(await read(results[1] as never)).toMatchObject({ shape: [2] });
  });

  test('refuses what it cannot read', () => {
    expect(() => evaluate('1 +')).toThrow(SyntaxError);
    expect(() => evaluate('torch.noSuchThing(1)')).toThrow('torch.noSuchThing');
  });
});

describe('printed modules', () => {
  test('nest', () => {
    const printed =
      'Net(\n  (a): Linear(in_features=2, out_features=3, bias=True)\n' +
      '  (b): Sequential(\n    (0): ReLU()\n    (1): Tanh()\n  )\n  (c): Identity()\n)';
    const tree = parseTree(printed);
    expect(tree.type).toBe('Net');
    expect(tree.children.map((child) => child.name)).toEqual(['a', 'b', 'c']);
    expect(tree.children[0]!.args).toBe('in_features=2, out_features=3, bias=True');
    expect(tree.children[1]!.children.map((child) => child.type)).toEqual(['ReLU', 'Tanh']);
  });
});

test('the program says so where nothing matches', () => {
  const args = ['scripts/run.mjs', 'test/conformance/main.ts', '--only', 'ops/nowhere'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^conformance: nothing matches; names are like 'ops\/\w+/);
});
