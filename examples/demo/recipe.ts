/** What a run of the demo is made of, with its defaults: the same in Node and on the page. */

export const words = {
  optimizer: ['adam', 'adamw', 'sgd', 'rmsprop'],
  model: ['mlp', 'cnn'],
  dataset: ['fashion', 'mnist'],
  device: ['cpu', 'webgpu'],
} as const;

export interface Recipe {
  epochs: number;
  batchSize: number;
  lr: number;
  optimizer: (typeof words.optimizer)[number];
  model: (typeof words.model)[number];
  dataset: (typeof words.dataset)[number];
  device: (typeof words.device)[number];
  /** Seed of all random numbers. */
  seed: number;
}

export const presets: Readonly<Omit<Recipe, 'lr'>> = {
  epochs: 5,
  batchSize: 128,
  optimizer: 'adam',
  model: 'mlp',
  dataset: 'fashion',
  device: 'cpu',
  seed: 0,
};

export function learningRate(optimizer: Recipe['optimizer']): number {
  return optimizer === 'sgd' ? 0.1 : 0.001;
}
