/** The race among builds of a kernel, on engines and machines that are made up. */

import { describe, expect, it } from 'vitest';
import { Trial } from '../../ts/device/cpu/trial.js';

const UNIT = 0.39; // million operations

interface Engine {
  /** GFLOP/s of optimised code by build, and of code that is not optimised. */
  rates: Record<string, number>;
  slow?: number;
  /** Milliseconds until a build is optimised, after its first unit. */
  compiles?: Record<string, number> | number;
  /** The thread runs for so long, and then rests for as long. */
  turns?: number;
  /** Milliseconds of the clock's step. */
  step?: number;
  /** Milliseconds for which the machine runs at half its speed. */
  throttled?: number;
}

function race({ rates, slow = 11, compiles = 1, turns = 0, step = 0, throttled = 0 }: Engine) {
  let time = 0;
  const read = () => (step > 0 ? Math.floor(time / step) * step : time);
  const clock = () => {
    time += 0.0001;
    return read();
  };
  const trial = new Trial(clock);
  for (const name of Object.keys(rates)) {
    const wait = typeof compiles === 'number' ? compiles : compiles[name];
    let since: number | undefined;
    trial.add({
      name,
      unit: () => {
        since ??= time;
        const before = time;
        const pace = time < throttled ? 2 : 1;
        time += (pace * UNIT) / (time - since > wait ? rates[name] : slow);
        if (turns > 0 && Math.floor(before / turns) !== Math.floor(time / turns)) time += turns;
      },
    });
  }
  return { trial, wait: (ms: number) => (time += ms) };
}

const NODE_20 = { 'plain-2x16': 52, 'plain-4x16': 37 };
const NODE_24 = { 'plain-2x16': 54, 'relaxed-6x8': 59, 'relaxed-6x16': 38 };
const PAIRED = { 'plain-2x16': 88, 'relaxed-6x8': 80, 'relaxed-6x16': 116 };

describe('a race among builds', () => {
  it.each<[string, Engine]>([
    ['plain-2x16', { rates: NODE_20, slow: 7 }],
    ['relaxed-6x8', { rates: NODE_24 }],
    ['relaxed-6x16', { rates: PAIRED, slow: 15 }],
    ['relaxed-6x8', { rates: NODE_24, turns: 3 }],
    ['relaxed-6x16', { rates: PAIRED, slow: 15, turns: 0.7 }],
    ['relaxed-6x16', { rates: PAIRED, slow: 15, step: 0.005 }],
    ['relaxed-6x8', { rates: { 'plain-2x16': 50, 'relaxed-6x8': 62 }, step: 0.1 }],
    ['plain-2x16', { rates: { 'plain-2x16': 52, 'relaxed-6x8': 26 }, step: 0.1 }],
  ])('is won by %s: %o', (name, engine) => {
    const { trial } = race(engine);
    trial.run(5);
    expect(trial.settled).toBe(true);
    expect(trial.best).toBe(name);
    expect(trial.spent).toBeLessThan(engine.step === 0.1 ? 5 : 3);
  });

  it('is judged at one speed of the machine', () => {
    const compiles = { 'plain-2x16': 0, 'plain-4x16': 1.5 };
    const { trial } = race({ rates: NODE_20, slow: 7, compiles, throttled: 1.2 });
    trial.run(5);
    expect(trial.settled).toBe(true);
    expect(trial.best).toBe('plain-2x16');
  });

  it('is not won by a hair', () => {
    const { trial } = race({ rates: { first: 100, second: 103 } });
    trial.run(5);
    expect(trial.best).toBe('first');
  });

  it('does not take code that is not optimised for a slow build', () => {
    const { trial, wait } = race({ rates: PAIRED, slow: 15, compiles: 20 });
    trial.run(4);
    expect(trial.settled).toBe(false);
    expect(trial.best).toBe('plain-2x16');
    expect(trial.spent).toBeLessThan(4.5);
    wait(20);
    trial.run(5);
    expect(trial.settled).toBe(true);
    expect(trial.best).toBe('relaxed-6x16');
  });

  it('falls back on the first while that is not optimised, whatever the others do', () => {
    const compiles = { 'plain-2x16': 30, 'relaxed-6x8': 1, 'relaxed-6x16': 1 };
    const { trial } = race({ rates: NODE_24, compiles });
    trial.run(4);
    expect(trial.best).toBe('plain-2x16');
  });

  it('takes the best of what has settled when the time is over', () => {
    const compiles = { 'plain-2x16': 1, 'relaxed-6x8': 1, 'relaxed-6x16': 1000 };
    const { trial } = race({ rates: { ...NODE_24, 'relaxed-6x16': 200 }, compiles });
    trial.run(5);
    expect(trial.settled).toBe(false);
    expect(trial.best).toBe('relaxed-6x8');
    expect(trial.describe((rate) => (rate * UNIT).toFixed(0))).toMatch(
      /^plain-2x16 5\d, relaxed-6x8 \d\d, relaxed-6x16 \(compiling\)$/,
    );
  });

  it('goes on with those that are kept, and with new ones', () => {
    const { trial, wait } = race({ rates: PAIRED, slow: 15, compiles: 50 });
    trial.run(4);
    trial.keep(['plain-2x16']);
    trial.add({ name: 'plain-4x16', unit: () => wait(UNIT / 108) });
    wait(100);
    trial.run(5);
    expect(trial.settled).toBe(true);
    expect(trial.best).toBe('plain-4x16');
  });

  it('is cheap where the first has been in use, and is optimised from the start', () => {
    const { trial } = race({
      rates: NODE_24,
      compiles: { ...NODE_24, 'plain-2x16': 0, 'relaxed-6x8': 1, 'relaxed-6x16': 1 },
    });
    trial.run(5);
    expect(trial.settled).toBe(true);
    expect(trial.best).toBe('relaxed-6x8');
  });
});
