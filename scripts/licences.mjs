// The licences of what is inside bundles.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The licences of the packages inside some bundles of `root` (results of esbuild with a metafile),
 * and of the C library inside the kernels.
 */
export function licences(root, results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = inputs.map((file) => file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  const names = [...new Set(packages.filter(Boolean))].sort();
  const texts = names.map((name) => {
    return `${name}\n\n${readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')}`;
  });
  texts.push(
    'musl (parts of its mathematical functions)\n\nMIT License, (c) Rich Felker and others\n',
  );
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}
