/** What a training run leaves behind. `epoch` counts passes, with fractions for batches. */
export interface History {
  batches: { epoch: number; loss: number }[];
  epochs: EpochResult[];
}

export interface EpochResult {
  epoch: number;
  trainLoss: number;
  testLoss: number;
  testAccuracy: number;
}

/** Running mean over about 20 batches, so that the trend shows through the noise. */
export function makeSmoother(): (value: number) => number {
  let sum = 0;
  let weight = 0;
  return (value) => {
    sum = 0.95 * sum + value;
    weight = 0.95 * weight + 1;
    return sum / weight;
  };
}
