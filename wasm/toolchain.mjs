// Finds the compiler: a current emsdk as it is, or Debian's emscripten 3.1.6 with LLVM 19 behind
// it.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** The first of `names` that is an executable on the PATH (or in `folders`), or null. */
export function findProgram(names, folders = []) {
  const places = [...folders, ...(process.env.PATH ?? '').split(delimiter)].filter(Boolean);
  for (const name of names) {
    for (const place of places) {
      const file = join(place, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {}
    }
  }
  return null;
}

/** `program`, or an error that says what is missing. */
export function required(program, what) {
  if (program) return program;
  throw new Error(`${what} was not found. Run 'make setup', or install it and put it on the PATH.`);
}

/**
 * Debian's emscripten is built on clang 14, whose SIMD is dated: a config file puts clang 19 there.
 */
function debianConfig(root, clang) {
  const file = join(root, 'build/emscripten.py');
  const settings = {
    EMSCRIPTEN_ROOT: '/usr/share/emscripten',
    LLVM_ROOT: dirname(clang),
    CLANG_ADD_VERSION: '19',
    LLVM_ADD_VERSION: '19',
    BINARYEN_ROOT: '/usr',
    NODE_JS: process.execPath,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = '${value}'`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${[...lines, 'FROZEN_CACHE = True'].join('\n')}\n`);
  return file;
}

/** The archives that hold libm and compiler helpers, found in emscripten's cache. */
function archives(cache) {
  const folder = join(cache, 'sysroot/lib/wasm32-emscripten');
  return ['libc', 'libcompiler_rt'].map((stem) => {
    const file = [`${stem}-mt.a`, `${stem}.a`].map((f) => join(folder, f)).find(existsSync);
    return required(file, `emscripten's ${stem}.a (embuilder build ${stem})`);
  });
}

/** { compiler, ld, nm, libraries }; throws with what to install. */
export function findToolchain(root) {
  const emcc = required(findProgram(['emcc']), "emscripten's emcc");
  const version = execFileSync(emcc, ['--version'], { encoding: 'utf8' }).split('\n', 1)[0];
  const env = { ...process.env };
  let cache;
  if (existsSync('/usr/share/emscripten/emcc.py') && / 3\.1\.6 /.test(version)) {
    const clang = required(findProgram(['clang-19']), 'clang-19 (which Debian’s emscripten needs)');
    env.EM_CONFIG = debianConfig(root, clang);
    cache = '/usr/share/emscripten/cache';
  } else {
    const config = required(findProgram(['em-config'], [dirname(emcc)]), "emscripten's em-config");
    cache = execFileSync(config, ['CACHE'], { encoding: 'utf8' }).trim();
  }
  const bin = join(dirname(emcc), '../bin');
  const ld = required(findProgram(['wasm-ld-19', 'wasm-ld'], [bin]), 'wasm-ld (Debian: lld-19)');
  const nm = required(findProgram(['llvm-nm-19', 'llvm-nm'], [bin]), 'llvm-nm (Debian: llvm-19)');
  const compiler = { program: emcc, version: `${version} ${ld}`, env };
  return { compiler, ld, nm, libraries: archives(cache) };
}
