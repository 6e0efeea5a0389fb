/** What the page and its worker say to each other. */

import type { EpochResult } from '../../demo/history.js';
import type { Recipe } from '../../demo/recipe.js';
import type { Progress } from '../../demo/train.js';
import type { Manifest, SetName } from '../manifest.js';

export type Settings = Pick<Recipe, 'model' | 'device' | 'epochs'> & { set: SetName };

export type ToWorker =
  | { type: 'hello'; sets: Manifest['sets'] }
  /** Asks for the test images of a data set. */
  | { type: 'choose'; set: SetName }
  | { type: 'start'; settings: Settings }
  | { type: 'pause' | 'resume' | 'stop' | 'save' }
  /** An image of 28 x 28 values in 0 ... 1. */
  | { type: 'classify'; image: Float32Array };

export type State = 'idle' | 'loading' | 'training' | 'testing' | 'paused';

/** Why a run is over. */
export type Ending = 'finished' | 'stopped' | 'failed';

export type FromWorker =
  | { type: 'ready'; missingWebGPU: string | undefined; threads: number; reason: string }
  | { type: 'download'; part: string; bytes: number; total: number }
  /** Test images of a data set: 28 x 28 bytes each. */
  | {
      type: 'samples';
      set: SetName;
      classes: readonly string[];
      images: Uint8Array;
      truths: Uint8Array;
    }
  /** What computes from now on, in words. */
  | { type: 'device'; name: string }
  | { type: 'state'; state: State }
  | { type: 'progress'; progress: Progress; batches: { epoch: number; loss: number }[] }
  /** What the network says about the samples; `accuracy` is its share of right answers. */
  | { type: 'probe'; epoch: number; accuracy: number; answers: number[]; confidences: number[] }
  | { type: 'epoch'; result: EpochResult }
  | { type: 'ended'; how: Ending; epochs: number }
  | { type: 'classified'; probabilities: number[] | undefined }
  | { type: 'saved'; bytes: Uint8Array<ArrayBuffer> }
  | { type: 'failure'; message: string };
