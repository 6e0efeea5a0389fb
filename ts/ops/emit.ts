/** What a row makes of its inputs: by asking the row, or as it was recorded. */

import type { Dtype } from '../core/dtype.js';
import { Geometry, rowMajor, sized } from '../core/layout.js';
import { lend } from '../core/lend.js';
import type { Device } from '../device/device.js';
import { emptyOf, Tensor } from '../tensor.js';
import type { Launches } from './launcher.js';
import { type Place, type Plan, placeOf } from './plans.js';
import type { OutputSpec, Primitive } from './row.js';

/**
 * The outputs of a row for inputs as it takes them. `program` runs in its place; inputs `stored` in
 * a dtype give outputs of `compute`.
 */
export function emit<A extends object>(
  launches: Launches,
  device: Device,
  row: Primitive<A>,
  program: Pick<Primitive<A>, 'run'>,
  inputs: readonly Tensor[],
  attributes: A,
  compute: Dtype,
  stored: Dtype | undefined,
): Tensor[] {
  const fixed = row.fixed === true && program === row;
  const place = fixed ? placeOf(row, attributes, compute, inputs) : undefined;
  const plan = place?.plan;
  let outputs: Tensor[] = NONE;
  try {
    if (plan !== undefined) {
      outputs = allocatePlanned(plan, device);
      launches.replay(plan, inputs, outputs);
    } else {
      outputs = allocate(row.outputs(inputs, attributes), device, stored, compute);
      if (place?.met && !place.tried) record(place, launches, row, inputs, outputs, attributes);
      else run(launches, program, inputs, outputs, attributes);
      if (place !== undefined) place.met = true;
    }
    return outputs;
  } catch (error) {
    for (const output of outputs) output.dispose();
    throw error;
  }
}

const NONE: never[] = [];

function run<A>(
  launches: Launches,
  program: Pick<Primitive<A>, 'run'>,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  attributes: A,
): void {
  let elements = 0;
  for (const output of outputs) elements += output.numel();
  if (elements > 0) program.run(launches, inputs, outputs, attributes);
}

/** As run(), and keeps what is emitted if it can be emitted again. */
function record<A>(
  place: Place,
  launches: Launches,
  row: Primitive<A>,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  attributes: A,
): void {
  const recording = launches.record(inputs, outputs);
  run(launches, row, inputs, outputs, attributes);
  place.tried = true;
  if (!recording.refused) place.plan = recording.plan;
}

/** As allocate(), of a call that was recorded. */
function allocatePlanned({ outputs }: Plan, device: Device): Tensor[] {
  const made = lend<Tensor>(outputs.length);
  try {
    for (let i = 0; i < outputs.length; i++) {
      made[i] = emptyOf(outputs[i].geometry, outputs[i].dtype, device);
    }
    return made;
  } catch (error) {
    for (const tensor of made) tensor?.dispose();
    throw error;
  }
}

/** The outputs of a call, all of them or none. */
function allocate(
  specs: readonly OutputSpec[],
  device: Device,
  /** A dtype that inputs are only stored in, and what is computed in instead. */
  stored: Dtype | undefined,
  compute: Dtype,
): Tensor[] {
  // Lists that grow take room for more.
  const made = lend<Tensor>(specs.length);
  let shared: Tensor | undefined;
  try {
    for (let i = 0; i < specs.length; i++) {
      const { shape, dtype, within } = specs[i];
      const type = dtype === stored ? compute : dtype;
      if (within === undefined) made[i] = emptyOf(rowMajor(shape), type, device);
      else {
        shared ??= emptyOf(sized(within.numel), type, device);
        const geometry = new Geometry(shape, within.strides);
        made[i] = new Tensor(shared.storage_, geometry, within.offset, shared.dtype);
      }
    }
    shared?.dispose();
    return made;
  } catch (error) {
    for (const tensor of made) tensor?.dispose();
    throw error;
  }
}
