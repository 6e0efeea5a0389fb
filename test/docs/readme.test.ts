import { describe, expect, test } from 'vitest';
import { expectedOutput, run, snippetsOf, typeErrors } from './snippets.js';

const snippets = snippetsOf('README.md');

describe('README.md', () => {
  test('has a tour, and its snippets have the right types', () => {
    expect(snippets.length).toBeGreaterThanOrEqual(3);
    expect(typeErrors(snippets)).toBe('');
  });

  test.each(snippets)('the snippet of line $line prints what it says', async (snippet) => {
    expect(expectedOutput(snippet.code)).not.toBe('');
    expect(await run(snippet)).toBe(expectedOutput(snippet.code));
  });
});
