/** Images: data sets, transforms and pictures of batches. */

export * as datasets from './datasets.js';
export * as transforms from './transforms.js';
export * as utils from './utils.js';
