/** Options of the demo: flags (`--epochs 3`) win over the environment (`EPOCHS=3`). */

import { parseArgs } from 'node:util';
import { learningRate, presets, type Recipe, words } from './recipe.js';

export interface DemoOptions extends Recipe {
  threads: number;
  out: string;
}

interface Option {
  help: string;
  /** Default, as it would be written on the command line. */
  preset: string;
  /** Allowed words; without them a number is wanted. */
  words?: readonly string[];
  whole?: boolean;
  least?: number;
}

const preset = (name: keyof typeof presets) => String(presets[name]);
const choice = (name: keyof typeof words) => ({ preset: preset(name), words: words[name] });

const options: Record<string, Option> = {
  epochs: {
    help: 'passes over the training images',
    preset: preset('epochs'),
    whole: true,
    least: 1,
  },
  'batch-size': { help: 'images per step', preset: preset('batchSize'), whole: true, least: 1 },
  lr: { help: 'learning rate (default: 0.001, for sgd 0.1)', preset: '', least: 0 },
  optimizer: { help: 'optimiser', ...choice('optimizer') },
  model: { help: 'network', ...choice('model') },
  dataset: { help: 'images', ...choice('dataset') },
  device: { help: 'where to compute', ...choice('device') },
  seed: { help: 'seed of all random numbers', preset: preset('seed'), whole: true },
  threads: { help: 'threads (0: as many as there are cores)', preset: '0', whole: true, least: 0 },
  out: { help: 'folder for the results', preset: 'out/demo' },
};

/** The text of `--help`. */
export function usage(): string {
  const lines = Object.entries(options).map(([name, { help, preset, words }]) => {
    const notes = [words?.join(', '), preset && `default ${preset}`].filter(Boolean).join('; ');
    return `  --${name.padEnd(12)} ${help}${notes && ` (${notes})`}`;
  });
  return [
    "Trains a network on Fashion-MNIST. Usage: make demo ARGS='--epochs 1 --model cnn'",
    ...lines,
    'Each option can also be set in the environment: EPOCHS=1 BATCH_SIZE=64 make demo',
  ].join('\n');
}

function read(name: string, text: string, { words, whole, least }: Option): string | number {
  if (name === 'out') return text;
  if (words !== undefined) {
    if (!words.includes(text)) {
      throw new Error(`--${name} must be one of ${words.join(', ')}, got '${text}'`);
    }
    return text;
  }
  const value = Number(text);
  const bad = text.trim() === '' || !Number.isFinite(value);
  if (bad || (whole && !Number.isInteger(value)) || value < (least ?? Number.NEGATIVE_INFINITY)) {
    const kind = whole ? 'an integer' : 'a number';
    const limit = least === undefined ? '' : ` of at least ${least}`;
    throw new Error(`--${name} must be ${kind}${limit}, got '${text}'`);
  }
  return value;
}

/** Reads the options, or undefined if help was asked for. Throws with a clear text for a bad one. */
export function readOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): DemoOptions | undefined {
  const flags = Object.fromEntries(
    Object.keys(options).map((name) => [name, { type: 'string' as const }]),
  );
  const { values } = parseArgs({
    args: [...args],
    options: { ...flags, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return undefined;
  const found: Record<string, string | number> = {};
  for (const [name, option] of Object.entries(options)) {
    const variable = environment[name.toUpperCase().replace('-', '_')];
    const text = (values as Record<string, string | undefined>)[name] ?? variable ?? option.preset;
    if (name === 'lr' && text === '') continue;
    found[name] = read(name, text, option);
  }
  const optimizer = found.optimizer as Recipe['optimizer'];
  return {
    epochs: found.epochs as number,
    batchSize: found['batch-size'] as number,
    lr: (found.lr as number | undefined) ?? learningRate(optimizer),
    optimizer,
    model: found.model as Recipe['model'],
    dataset: found.dataset as Recipe['dataset'],
    device: found.device as Recipe['device'],
    seed: found.seed as number,
    threads: found.threads as number,
    out: found.out as string,
  };
}
