/** Tables of typical mistakes, and the test of each. */

import { describe, expect, test } from 'vitest';
import * as torch from '../../ts/index.js';

export interface Mistake {
  readonly what: string;
  readonly make: () => unknown;
  readonly type: new (...args: never[]) => Error;
  /** Parts of the text, in any order. */
  readonly says: readonly (string | RegExp)[];
}

export const x = torch.ones(2, 3);
export const images = torch.ones(1, 3, 8, 8);

/** Values as plain JavaScript passes them, which the types would refuse. */
export const loosely = <T>(value: unknown): T => value as T;

function thrownBy(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Tests the mistakes of each group. */
export function testMistakes(groups: Readonly<Record<string, readonly Mistake[]>>): void {
  for (const [group, list] of Object.entries(groups)) {
    describe(group, () => {
      test.each(list)('$what', ({ make, type, says }) => {
        const error = thrownBy(make);
        expect(error).toBeInstanceOf(type);
        const { message } = error as Error;
        for (const part of says) {
          if (typeof part === 'string') expect(message).toContain(part);
          else expect(message).toMatch(part);
        }
      });
    });
  }

  test('every error is a TorchError with the name of its class', () => {
    for (const { make } of Object.values(groups).flat()) {
      const error = thrownBy(make);
      expect(error).toBeInstanceOf(torch.TorchError);
      expect((error as Error).name).toBe((error as Error).constructor.name);
    }
  });
}
