/** Follows a training that record.py wrote down, and finds where a port leaves it. */

import * as torch from '../../ts/index.js';

type State = Record<string, torch.Tensor>;

/** What record.py saves. */
interface Recording {
  seed: number;
  init: State;
  batches: torch.Tensor[][];
  losses: number[];
  gradients: State;
  final: State;
}

interface Steps {
  zeroGrad(): void;
  step(): unknown;
}

/** The program under test. */
export interface Port<Net extends torch.nn.Module, Optimizer extends Steps> {
  build(): Net;
  loss(net: Net, ...batch: torch.Tensor[]): torch.Tensor;
  optimizer(net: Net): Optimizer;
  scheduler?(optimizer: Optimizer): { step(): unknown };
}

/** One part of the comparison: what was compared, how far apart it is, and where most. */
export interface Finding {
  readonly part: 'initial weights' | 'gradients' | 'losses' | 'final weights';
  readonly difference: number;
  readonly where: string;
  readonly ok: boolean;
}

/** Largest difference of two tensors, in parts of the largest recorded element. */
async function difference(actual: torch.Tensor, expected: torch.Tensor): Promise<number> {
  if (String(actual.shape) !== String(expected.shape)) return Number.POSITIVE_INFINITY;
  const [a, b] = [actual.detach().double(), expected.double()];
  const apart = Number(await a.sub(b).abs().max().item());
  const size = Number(await b.abs().max().item());
  return apart === 0 ? 0 : apart / size;
}

/** The largest difference among named tensors; a name that one side lacks is an infinite one. */
async function compare(
  part: Finding['part'],
  actual: State,
  expected: State,
  tolerance: number,
): Promise<Finding> {
  let worst = { difference: 0, where: '' };
  for (const name of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const [a, b] = [actual[name], expected[name]];
    const missing = a === undefined || b === undefined;
    const apart = missing ? Number.POSITIVE_INFINITY : await difference(a, b);
    const where = missing ? `${name} (${a ? 'not in PyTorch' : 'only in PyTorch'})` : name;
    if (!(apart <= worst.difference)) worst = { difference: apart, where };
  }
  return { part, ...worst, ok: worst.difference <= tolerance };
}

/** Trains as recorded; fills `gradients` after the first backward pass. */
async function follow<Net extends torch.nn.Module, Optimizer extends Steps>(
  net: Net,
  port: Port<Net, Optimizer>,
  { batches, losses }: Recording,
  tolerance: number,
  gradients: State,
): Promise<Finding> {
  const optimizer = port.optimizer(net);
  const scheduler = port.scheduler?.(optimizer);
  let worst = { difference: 0, where: '' };
  for (const [step, expected] of losses.entries()) {
    optimizer.zeroGrad();
    const loss = port.loss(net, ...batches[step % batches.length]);
    loss.backward();
    if (step === 0) {
      for (const [name, { grad }] of net.namedParameters()) {
        if (grad) gradients[name] = grad.clone();
      }
    }
    optimizer.step();
    scheduler?.step();
    const apart = Math.abs(Number(await loss.item()) - expected) / Math.abs(expected);
    if (!(apart <= worst.difference)) worst = { difference: apart, where: `step ${step}` };
  }
  return { part: 'losses', ...worst, ok: worst.difference <= tolerance };
}

/**
 * Compares a port with a recording: initial weights under the seed, gradients of the first step,
 * losses, final weights. The first finding that is not `ok` is where to look. Weights are loaded
 * from the recording, so that a different initialisation does not hide the rest. The tolerance is
 * relative: 1e-4 for float32 and 1e-9 for float64 unless given.
 */
export async function portCheck<Net extends torch.nn.Module, Optimizer extends Steps>(
  source: string | Uint8Array,
  port: Port<Net, Optimizer>,
  tolerance?: number,
): Promise<Finding[]> {
  const recording = await torch.load<Recording>(source);
  const { seed, init, final } = recording;
  if (typeof init !== 'object' || typeof recording.gradients !== 'object') {
    throw new torch.ValueError('port-check: the file is no recording of record.py');
  }
  const [weight] = Object.values(init);
  const before = torch.getDefaultDtype();
  torch.setDefaultDtype(weight.dtype);
  try {
    const bound = tolerance ?? (weight.dtype === torch.float64 ? 1e-9 : 1e-4);
    torch.manualSeed(seed);
    const net = port.build();
    const findings = [await compare('initial weights', net.stateDict(), init, bound)];
    if (findings[0].difference === Number.POSITIVE_INFINITY) return findings;
    net.loadStateDict(init);
    const gradients: State = {};
    const losses = await follow(net, port, recording, bound, gradients);
    findings.push(await compare('gradients', gradients, recording.gradients, bound), losses);
    findings.push(await compare('final weights', net.stateDict(), final, bound));
    return findings;
  } finally {
    torch.setDefaultDtype(before);
  }
}

/** The findings as lines of text, and a verdict. */
export function report(findings: readonly Finding[]): string {
  const lines = findings.map(({ part, difference: apart, where, ok }) => {
    const most = where === '' ? '' : `, most at ${where}`;
    return `${ok ? 'same   ' : 'differs'}  ${part}: ${apart.toExponential(1)}${most}`;
  });
  const wrong = findings.find(({ ok }) => !ok);
  const verdict = wrong ? `It leaves PyTorch at the ${wrong.part}.` : 'It follows PyTorch.';
  return [...lines, verdict].join('\n');
}
