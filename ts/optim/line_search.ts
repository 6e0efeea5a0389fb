/** A line search for the strong Wolfe conditions, by cubic interpolation, as in minFunc. */

import type { Tensor } from '../tensor.js';
import type { Reading } from './reading.js';

/** What yields tensors to read, and is given their numbers. */
export type Steps<R> = Generator<readonly Reading[], R, readonly number[]>;

/** A point on a line: how far along, and there the loss, its gradient and its slope. */
export interface Point {
  readonly t: number;
  readonly loss: number;
  readonly grad: Tensor;
  readonly slope: number;
}

/** How much of the promised decrease is enough, and how much flatter the slope must be. */
const DECREASE = 1e-4;
const FLATTER = 0.9;
/** Evaluations at most. */
const MOST = 25;

function isHigh({ t, loss }: Point, start: Point): boolean {
  return loss > start.loss + DECREASE * t * start.slope;
}

function isFlat({ slope }: Point, start: Point): boolean {
  return Math.abs(slope) <= -FLATTER * start.slope;
}

/** Where the cubic through two points with their slopes is least, between `least` and `most`. */
function interpolate(a: Point, b: Point, least: number, most: number): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 ** 2 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const [x, y] = a.t <= b.t ? [a, b] : [b, a];
  const t = y.t - (y.t - x.t) * ((y.slope + d2 - d1) / (y.slope - x.slope + 2 * d2));
  return Math.min(Math.max(t, least), most);
}

/** A trial value, moved away from the ends of its bracket if it comes close to one twice. */
function awayFromEnds(t: number, a: Point, b: Point, stuck: boolean): [t: number, stuck: boolean] {
  const least = Math.min(a.t, b.t);
  const most = Math.max(a.t, b.t);
  const margin = 0.1 * (most - least);
  if (Math.min(most - t, t - least) >= margin) return [t, false];
  if (!stuck && t < most && t > least) return [t, true];
  return [Math.abs(t - most) < Math.abs(t - least) ? most - margin : least + margin, false];
}

/**
 * Looks along a line from `start` (t = 0), at `first` first, for a point with enough decrease and a
 * slope flat enough. `reach` is the largest element of the direction; a bracket shorter than
 * `tolerance` ends the search. Gives the best point and the number of evaluations.
 */
export function* strongWolfe(
  evaluate: (t: number) => Steps<Point>,
  start: Point,
  first: number,
  reach: number,
  tolerance: number,
): Steps<{ point: Point; evals: number }> {
  let previous = start;
  let point = yield* evaluate(first);
  let bracket: [Point, Point] | undefined;
  let turns = 0;
  for (; turns < MOST; turns++) {
    const rises = isHigh(point, start) || (turns > 1 && point.loss >= previous.loss);
    if (!rises && isFlat(point, start)) return { point, evals: turns + 1 };
    if (rises || point.slope >= 0) {
      bracket = [previous, point];
      break;
    }
    const least = point.t + 0.01 * (point.t - previous.t);
    const t = interpolate(previous, point, least, point.t * 10);
    previous = point;
    point = yield* evaluate(t);
  }
  return yield* zoom(evaluate, start, bracket ?? [start, point], turns, reach, tolerance);
}

/** Narrows a bracket down around a point that will do. */
function* zoom(
  evaluate: (t: number) => Steps<Point>,
  start: Point,
  ends: [Point, Point],
  begun: number,
  reach: number,
  tolerance: number,
): Steps<{ point: Point; evals: number }> {
  const order = (): [0 | 1, 0 | 1] => (ends[0].loss <= ends[1].loss ? [0, 1] : [1, 0]);
  let [low, high] = order();
  let stuck = false;
  let turns = begun;
  while (turns < MOST && !(Math.abs(ends[1].t - ends[0].t) * reach < tolerance)) {
    const [a, b] = ends;
    const guess = interpolate(a, b, Math.min(a.t, b.t), Math.max(a.t, b.t));
    const trial = awayFromEnds(guess, a, b, stuck);
    stuck = trial[1];
    const point = yield* evaluate(trial[0]);
    turns++;
    if (isHigh(point, start) || point.loss >= ends[low].loss) {
      ends[high] = point;
      [low, high] = order();
      continue;
    }
    if (isFlat(point, start)) return { point, evals: turns + 1 };
    if (point.slope * (ends[high].t - ends[low].t) >= 0) ends[high] = ends[low];
    ends[low] = point;
  }
  return { point: ends[low], evals: turns + 1 };
}
