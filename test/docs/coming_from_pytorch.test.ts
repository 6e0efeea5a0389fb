import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';
import { expectedOutput, root, run, snippetsOf, typeErrors } from './snippets.js';

const FILE = 'docs/coming-from-pytorch.md';
const snippets = snippetsOf(FILE);
const text = readFileSync(join(root, FILE), 'utf8');

/** The rows of the table of names: PyTorch's name, and ours. */
function rows(): [string, string[]][] {
  const table = /<!-- names -->([\s\S]*)<!-- \/names -->/.exec(text)![1];
  const names = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
  const cells = [...table.matchAll(/^\| (`.*?) \| (.*) \|$/gm)];
  return cells.map(([, python, here]) => [names(python)[0], names(here)]);
}

const module = new torch.nn.Linear(1, 1);
const optimizer = new torch.optim.SGD(module.parameters(), { lr: 0.1 });
const x = torch.ones(1, { requiresGrad: true }).mul(2);
const roots: Readonly<Record<string, unknown>> = { torch, module, optimizer, x };

function resolve(path: string): unknown {
  const [start, ...names] = path.split('.');
  return names.reduce<unknown>(
    (owner, name) => (owner as Record<string, unknown> | undefined)?.[name],
    roots[start],
  );
}

/** The rule of the document: camelCase, the underscore at the end kept. */
const camelCase = (name: string) =>
  name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

describe(FILE, () => {
  test('has snippets for what differs, with the right types', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(8);
    expect(typeErrors(snippets)).toBe('');
  });

  test.each(snippets)('the snippet of line $line prints what it says', async (snippet) => {
    expect(expectedOutput(snippet.code)).not.toBe('');
    expect(await run(snippet)).toBe(expectedOutput(snippet.code));
  });

  test.each(rows())('%s is what the table says', (python, here) => {
    for (const name of here) expect(resolve(name), name).toBeDefined();
    const last = camelCase(python.split('.').pop()!);
    if (last === 'numpy') return;
    const own = here.map((name) => name.split('.').pop()!);
    expect(own.some((name) => name === last || name === `${last}_`)).toBe(true);
  });

  test.each([
    'torch.compile',
    'torch.jit',
    'torch.fx',
    'torch.distributed',
    'torch.cuda',
    'torch.sparse',
    'torch.nn.DataParallel',
    'torch.nn.LazyLinear',
    'torch.inverse',
    'torch.linalg.qr',
    'torch.special',
    'torch.fft',
    'torch.lgamma',
    'torch.nn.ConvTranspose2d',
    'torch.nn.Conv3d',
    'torch.nn.AdaptiveMaxPool2d',
    'torch.nn.EmbeddingBag',
    'torch.nn.Upsample',
    'torch.nn.functional.interpolate',
    'torch.nn.functional.unfold',
    'x.set_',
  ])('%s is not there, as it says', (name) => {
    expect(text).toContain(name.split('.').pop());
    expect(resolve(name)).toBeUndefined();
  });

  test('shows the lines of the check of a port', () => {
    expect(text).toContain('It follows PyTorch.');
    expect(text).toContain('](../examples/port-check)');
  });
});
