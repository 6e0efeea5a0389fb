/** Data sets, samplers and the loader: `torch.utils.data`. */

export { defaultCollate } from './collate.js';
export type { Collated, DataLoaderOptions, SampleStream } from './dataloader.js';
export { DataLoader } from './dataloader.js';
export type { MapDataset } from './dataset.js';
export {
  ConcatDataset,
  Dataset,
  IterableDataset,
  randomSplit,
  Subset,
  TensorDataset,
} from './dataset.js';
export type { Sized } from './sampler.js';
export {
  BatchSampler,
  RandomSampler,
  Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from './sampler.js';
