// Packs bytes for embedding, as small as they get: Node unpacks Brotli by itself, pages LZMA by
// wasm/unpack.c.
import { spawn } from 'node:child_process';
import { brotliCompressSync, constants } from 'node:zlib';
import { findProgram, required } from './toolchain.mjs';

/** Python, which emscripten needs too, brings an LZMA encoder; the decoder knows these settings. */
const ENCODER = `
import lzma, sys
settings = dict(dict_size=1 << 22, lc=1, lp=0, pb=0, nice_len=273, mf=lzma.MF_BT4, depth=1000)
filters = [dict(id=lzma.FILTER_LZMA1, **settings)]
bytes = sys.stdin.buffer.read()
sys.stdout.buffer.write(lzma.compress(bytes, format=lzma.FORMAT_RAW, filters=filters))
`;

/** Raw LZMA. */
export function lzma(bytes) {
  const python = required(findProgram(['python3', 'python']), 'python3 (which emscripten needs)');
  const encoder = spawn(python, ['-c', ENCODER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const chunks = [];
  return new Promise((resolve, reject) => {
    encoder.stdout.on('data', (chunk) => chunks.push(chunk));
    encoder.on('error', reject);
    encoder.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`${python} cannot compress with its module lzma`));
    });
    encoder.stdin.end(bytes);
  });
}

/** Brotli at its best. */
export function brotli(bytes) {
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    [constants.BROTLI_PARAM_NPOSTFIX]: 1,
  };
  return brotliCompressSync(bytes, { params });
}
