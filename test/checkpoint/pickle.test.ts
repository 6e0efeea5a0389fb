import { describe, expect, it } from 'vitest';
import { pickle, Tuple } from '../../ts/checkpoint/pickle.js';
import { havePython, run } from './python.js';

const nothing = () => undefined;

describe('pickle', () => {
  it.runIf(havePython)('writes what Python reads', () => {
    const values = {
      small: [0, 1, -1, 255, -(2 ** 31), 2 ** 31 - 1],
      large: [2 ** 31, -(2 ** 31) - 1, 2n ** 70n, -(2n ** 63n), 128n, -128n, -129n, 0n],
      floats: [0.5, -0, 1e300, Number.POSITIVE_INFINITY],
      text: 'grüße 🎲',
      logic: [true, false, null],
      tuple: new Tuple([1, new Tuple([])]),
      map: new Map<string, unknown>([['a', {}]]),
      empty: [],
      state: { 0: { step: 1 }, 10: {} },
      names: { 0: 1 },
    };
    const bytes = Buffer.from(pickle(values, nothing)).toString('hex');
    const text = run('import pickle, sys; print(pickle.loads(bytes.fromhex(sys.argv[1])))', bytes);
    expect(text).toBe(
      "{'small': [0, 1, -1, 255, -2147483648, 2147483647], 'large': [2147483648, -2147483649, " +
        '1180591620717411303424, -9223372036854775808, 128, -128, -129, 0], ' +
        "'floats': [0.5, -0.0, 1e+300, inf], 'text': 'grüße 🎲', 'logic': [True, False, None], " +
        "'tuple': (1, ()), 'map': OrderedDict([('a', {})]), 'empty': [], " +
        "'state': {0: {'step': 1}, 10: {}}, 'names': {'0': 1}}",
    );
  });

  it('refuses functions, cycles and objects of unknown classes', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => pickle(cycle, nothing)).toThrow('contains itself');
    expect(() => pickle({ f: nothing }, nothing)).toThrow('a function cannot be saved');
    expect(() => pickle(new Date(), nothing)).toThrow('an object of class Date cannot be saved');
  });
});
