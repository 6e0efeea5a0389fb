/** Throws unless `bytes` (gzipped or not) hold the file `file` of the data set `name`. */
export function verify(name: 'FashionMNIST' | 'MNIST', file: string, bytes: Uint8Array): void;

/** Makes sure that a data set lies in `data` (default: data/ of the project). */
export function getData(
  wanted?: string,
  options?: { data?: string; say?: (line: string) => void },
): Promise<{ name: 'FashionMNIST' | 'MNIST'; root: string; source: string }>;
