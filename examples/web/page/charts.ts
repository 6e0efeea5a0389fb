/** The curves of a training run: loss and accuracy over the epochs. */

import uPlot from 'uplot';
import { type EpochResult, makeSmoother } from '../../demo/history.js';
import { duration, everyFrame, percent } from './dom.js';

type Column = (number | null)[];

const HEIGHT = 240;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function axis(label: string, format?: (value: number) => string): uPlot.Axis {
  return {
    label,
    labelSize: 22,
    labelFont: '13px system-ui, sans-serif',
    font: '12px system-ui, sans-serif',
    labelGap: 0,
    size: label === 'epoch' ? 34 : 50,
    stroke: () => colour('muted'),
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { stroke: () => colour('line'), width: 1 },
    ...(format && { values: (_, values) => values.map(format) }),
  };
}

function line(label: string, name: string, width: number, points = false): uPlot.Series {
  return {
    label,
    stroke: () => colour(name),
    width,
    spanGaps: true,
    points: { show: points, size: 9, fill: () => colour(name) },
  };
}

/** A chart as wide as its place, in the colours of the page. */
class Chart {
  private readonly plot: uPlot;
  private data: uPlot.AlignedData;
  private readonly draw = everyFrame(() => this.plot.setData(this.data));

  constructor(
    place: HTMLElement,
    series: uPlot.Series[],
    axes: uPlot.Axis[],
    scales: uPlot.Scales,
  ) {
    this.data = [[], ...series.map(() => [])] as unknown as uPlot.AlignedData;
    const epoch: uPlot.Series = { label: 'epoch', value: '' };
    this.plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: HEIGHT,
        scales: { x: { time: false }, ...scales },
        axes,
        series: [epoch, ...series],
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        padding: [12, 12, 0, 0],
      },
      this.data,
      place,
    );
    const canvas = place.querySelector('canvas');
    canvas?.setAttribute('aria-hidden', 'true');
    new ResizeObserver(([{ contentRect }]) => {
      this.plot.setSize({ width: Math.max(200, Math.floor(contentRect.width)), height: HEIGHT });
    }).observe(place);
    for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)']) {
      matchMedia(query).addEventListener('change', () => this.plot.redraw());
    }
  }

  setData(data: uPlot.AlignedData): void {
    this.data = data;
    this.draw();
  }
}

/** Both charts, fed by what the worker reports. */
export class Curves {
  private readonly loss: Chart;
  private readonly accuracy: Chart;
  private smooth = makeSmoother();
  private epochs = 1;
  private batches: { x: number[]; raw: number[]; trend: number[] } = { x: [], raw: [], trend: [] };
  private probes: { x: number[]; accuracy: number[] } = { x: [], accuracy: [] };
  private results: EpochResult[] = [];

  constructor(lossPlace: HTMLElement, accuracyPlace: HTMLElement) {
    const x = {
      time: false,
      range: (): [number, number] => [0, Math.max(this.epochs, this.batches.x.at(-1) ?? 0)],
    };
    const value = (digits: number) => (_: uPlot, v: number | null) => v?.toFixed(digits) ?? '';
    const share = (_: uPlot, v: number | null) =>
      v === null || v === undefined ? '' : percent(v, 1);
    this.loss = new Chart(
      lossPlace,
      [
        { ...line('each batch', 'faint', 1), value: value(3) },
        { ...line('smoothed', 'training', 2), value: value(3) },
        { ...line('test images', 'test', 2, true), value: value(3) },
      ],
      [axis('epoch'), axis('loss')],
      {
        x,
        y: {
          range: (_, low, high) => (high === null ? [0, 2.5] : [Math.min(0, low), high * 1.05]),
        },
      },
    );
    this.accuracy = new Chart(
      accuracyPlace,
      [
        { ...line('500 test images', 'training', 2), value: share },
        { ...line('all test images', 'test', 2, true), value: share },
      ],
      [axis('epoch'), axis('accuracy', (v) => percent(v))],
      { x, y: { range: (_, low) => [low === null || low < 0.5 ? 0 : 0.5, 1] } },
    );
  }

  restart(epochs: number): void {
    this.epochs = epochs;
    this.smooth = makeSmoother();
    this.batches = { x: [], raw: [], trend: [] };
    this.probes = { x: [], accuracy: [] };
    this.results = [];
    this.draw();
  }

  addBatches(batches: readonly { epoch: number; loss: number }[]): void {
    for (const { epoch, loss } of batches) {
      this.batches.x.push(epoch);
      this.batches.raw.push(loss);
      this.batches.trend.push(this.smooth(loss));
    }
    this.draw();
  }

  addProbe(epoch: number, accuracy: number): void {
    const { x, accuracy: values } = this.probes;
    if (x.at(-1) === epoch) {
      values[values.length - 1] = accuracy;
    } else {
      x.push(epoch);
      values.push(accuracy);
    }
    this.draw();
  }

  addResult(result: EpochResult): void {
    this.results.push(result);
    this.draw();
  }

  private draw(): void {
    const { batches, probes, results } = this;
    const at = results.map(({ epoch }) => epoch);
    const join = (...tables: Column[][]) => uPlot.join(tables as uPlot.AlignedData[]);
    this.loss.setData(
      join(
        [batches.x, batches.raw, batches.trend],
        [at, results.map(({ testLoss }) => testLoss)],
      ) as uPlot.AlignedData,
    );
    this.accuracy.setData(
      join(
        [probes.x, probes.accuracy],
        [at, results.map(({ testAccuracy }) => testAccuracy)],
      ) as uPlot.AlignedData,
    );
  }
}

/** The row of an epoch in the table beside the curves. */
export function resultRow(result: EpochResult, seconds: number): HTMLTableRowElement {
  const row = document.createElement('tr');
  const texts = [
    String(result.epoch),
    result.trainLoss.toFixed(4),
    result.testLoss.toFixed(4),
    percent(result.testAccuracy, 2),
    duration(seconds),
  ];
  row.append(
    ...texts.map((text) => {
      const cell = document.createElement('td');
      cell.textContent = text;
      return cell;
    }),
  );
  return row;
}
