/** Pictures of a training run, as SVG. */

import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { type History, makeSmoother } from './history.js';

const width = 420;
const height = 260;

/** Loss (every batch, smoothed, and on the test images) beside test accuracy, over the epochs. */
export function drawCurves(history: History, title: string): Promise<string> {
  const tests = history.epochs.map((e) => ({ epoch: e.epoch, loss: e.testLoss, kind: 'test' }));
  const smooth = makeSmoother();
  const trend = history.batches.map(({ epoch, loss }) => ({
    epoch,
    loss: smooth(loss),
    kind: 'training',
  }));
  const batches = history.batches.map((b) => ({ ...b, kind: 'training' }));
  const epochAxis = { field: 'epoch', type: 'quantitative', title: 'epoch' } as const;
  const lossAxis = { field: 'loss', type: 'quantitative', title: 'loss' } as const;
  const legend = { orient: 'top-right', title: null } as const;
  const colour = { field: 'kind', type: 'nominal', legend } as const;
  const spec: TopLevelSpec = {
    title,
    background: 'white',
    padding: 12,
    hconcat: [
      {
        width,
        height,
        layer: [
          {
            data: { values: batches },
            mark: { type: 'line', opacity: 0.25, strokeWidth: 1 },
            encoding: { x: epochAxis, y: lossAxis, color: colour },
          },
          {
            data: { values: trend },
            mark: { type: 'line', strokeWidth: 2 },
            encoding: { x: epochAxis, y: lossAxis, color: colour },
          },
          {
            data: { values: tests },
            mark: { type: 'line', point: true },
            encoding: { x: epochAxis, y: lossAxis, color: colour },
          },
        ],
      },
      {
        width,
        height,
        data: { values: history.epochs },
        layer: [
          { mark: { type: 'line', point: { color: '#2a7f3f' }, color: '#2a7f3f' } },
          {
            mark: { type: 'text', dy: -10, fontSize: 10 },
            encoding: { text: { field: 'testAccuracy', format: '.1%' } },
          },
        ],
        encoding: {
          x: { ...epochAxis, axis: { tickMinStep: 1, format: 'd' }, scale: { padding: 20 } },
          y: {
            field: 'testAccuracy',
            type: 'quantitative',
            title: 'test accuracy',
            axis: { format: '%' },
            scale: { zero: false, padding: 16 },
          },
        },
      },
    ],
  };
  return new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG();
}

/** One image of the grid: its PNG, what it is, and what the network said. */
export interface Prediction {
  png: Uint8Array;
  truth: string;
  predicted: string;
  /** Probability the network gave its answer. */
  confidence: number;
}

const cell = 108;
const line = 14;
const gap = 10;

/** Test images with the network's answers; wrong ones are red and name the truth. */
export function drawPredictions(predictions: readonly Prediction[], columns = 6): string {
  const rows = Math.ceil(predictions.length / columns);
  const stepX = cell + gap;
  const stepY = cell + 2 * line + gap;
  const parts = predictions.map((p, i) => {
    const right = p.predicted === p.truth;
    const x = gap + (i % columns) * stepX;
    const y = gap + Math.floor(i / columns) * stepY;
    const colour = right ? '#2a7f3f' : '#c0392b';
    const percent = Math.round(100 * p.confidence);
    const answer = `${right ? '✓' : '✗'} ${p.predicted} ${percent}%`;
    const source = Buffer.from(p.png).toString('base64');
    const text = (content: string, dy: number, fill: string) =>
      `<text x="${x + cell / 2}" y="${y + cell + dy}" fill="${fill}">${escapeText(content)}</text>`;
    return [
      `<image x="${x}" y="${y}" width="${cell}" height="${cell}"`,
      ` href="data:image/png;base64,${source}"/>`,
      `<rect x="${x}" y="${y}" width="${cell}" height="${cell}" stroke="${colour}"/>`,
      text(answer, line, colour),
      right ? '' : text(`is ${p.truth}`, 2 * line, '#555'),
    ].join('');
  });
  const size = `width="${columns * stepX + gap}" height="${rows * stepY + gap}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size}>`,
    '<style>text{font:11px sans-serif;text-anchor:middle}image{image-rendering:pixelated}',
    'rect{fill:none;stroke-width:2}</style><rect width="100%" height="100%" style="fill:#fff"/>',
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
