/** What a run shows: a line per case, a Markdown table, and a chart. */

import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Outcome, Result, Timing } from './measure.js';

const OWN = 'isotorch';

export function isTiming(outcome: Outcome | undefined): outcome is Timing {
  return outcome !== undefined && 'median' in outcome;
}

/** Three digits and a unit. */
export function showTime(seconds: number): string {
  const [scale, unit] =
    seconds >= 1
      ? [1, 's']
      : seconds >= 1e-3
        ? [1e3, 'ms']
        : seconds >= 1e-6
          ? [1e6, 'µs']
          : [1e9, 'ns'];
  return `${digits(seconds * scale)} ${unit}`;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Half the distance between the tenth and the ninetieth percentile, as a share of the median. */
function spread({ median, low, high, samples }: Timing): string {
  if (samples === 1) return 'once';
  return `±${Math.round((50 * (high - low)) / median)}%`;
}

function cell(outcome: Outcome | undefined, own: Timing | undefined): string {
  if (!isTiming(outcome)) return outcome === undefined ? '-' : 'fails';
  const time = `${showTime(outcome.median)} ${spread(outcome)}`;
  if (own === undefined || outcome === own) return time;
  return `${time} (${digits(outcome.median / own.median)}x)`;
}

/** A row of cells: case, time with its spread, rate, then each peer's and its ratio to ours. */
export function row({ name, flops, peers }: Result, names: readonly string[]): string[] {
  const outcome = peers[OWN];
  const own = isTiming(outcome) ? outcome : undefined;
  const rate = flops && own ? (flops / own.median / 1e9).toFixed(0) : '';
  const others = names.filter((peer) => peer !== OWN).map((peer) => cell(peers[peer], own));
  return [name, cell(outcome, own), rate, ...others];
}

export function header(names: readonly string[]): string[] {
  return ['case', OWN, 'GFLOP/s', ...names.filter((name) => name !== OWN)];
}

/** All rows as a Markdown table. */
export function markdown(results: readonly Result[], names: readonly string[]): string {
  const head = header(names);
  const rows = [head, head.map(() => '---'), ...results.map((result) => row(result, names))];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Why a library has no figure for a case. */
export function failures(results: readonly Result[]): string[] {
  return results.flatMap(({ name, peers }) =>
    Object.entries(peers).flatMap(([peer, outcome]) =>
      isTiming(outcome) ? [] : [`${peer} on ${name}: ${outcome.reason}`],
    ),
  );
}

/** Told apart on white and on black; their shapes differ, too. */
const COLORS = [
  '#4c78a8',
  '#d9730d',
  '#e45756',
  '#2a9d8f',
  '#54a24b',
  '#b279a2',
  '#9d755d',
  '#8a8f98',
];

const DARK = `<style>@media (prefers-color-scheme: dark) {
rect[fill="white"] { fill: #16181d } text { fill: #e6e6e6 }
[stroke="#ddd"], [stroke="#888"] { stroke: #4b4f58 }
}</style>`;

/**
 * The time of each library over ours, per case, with the spread of its samples, on a logarithmic
 * axis, as SVG.
 */
export async function chart(
  results: readonly Result[],
  title: string,
  names: readonly string[],
): Promise<string> {
  const values = results.flatMap(({ name, peers }) => {
    const own = peers[OWN];
    if (!isTiming(own)) return [];
    return Object.entries(peers).flatMap(([library, outcome]) => {
      if (!isTiming(outcome)) return [];
      const [ratio, low, high] = [outcome.median, outcome.low, outcome.high].map(
        (seconds) => seconds / own.median,
      );
      return [{ case: name, library, ratio, low, high }];
    });
  });
  const text = `time over isotorch's median: further right is slower; bars: 10 to 90 % of samples`;
  const scale = { domain: [...names], range: COLORS };
  const spec: TopLevelSpec = {
    title: { text: title, subtitle: text },
    background: 'white',
    padding: 12,
    width: 480,
    height: { step: 20 },
    data: { values },
    encoding: {
      y: {
        field: 'case',
        type: 'nominal',
        sort: null,
        title: null,
        axis: { grid: true, labelLimit: 0 },
      },
      x: { field: 'ratio', type: 'quantitative', scale: { type: 'log' }, title: 'ratio' },
      color: {
        field: 'library',
        type: 'nominal',
        title: null,
        scale,
        legend: { symbolOpacity: 1 },
      },
    },
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.35 },
        encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
      },
      {
        mark: { type: 'point', filled: true, size: 70, opacity: 0.9 },
        encoding: {
          shape: { field: 'library', type: 'nominal', title: null, scale: { domain: [...names] } },
        },
      },
    ],
  };
  const svg = await new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
  return svg.replace(/<svg[^>]*>/, (opening) => `${opening}${DARK}`);
}
