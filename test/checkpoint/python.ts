/** The Python whose PyTorch reads what was written, where there is one. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const python = '/usr/bin/python3';

/** What a program prints. */
export function run(code: string, ...args: string[]): string {
  return execFileSync(python, ['-W', 'ignore', '-c', code, ...args], { encoding: 'utf8' }).trim();
}

/** Whether a program runs. */
export function works(code: string): boolean {
  try {
    run(code);
    return true;
  } catch {
    return false;
  }
}

export const havePython = existsSync(python) && works('');
export const havePyTorch = havePython && works('import torch');
