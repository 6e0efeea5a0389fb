/** Fields of modules that keep their kind: parameters, buffers and modules. */

import { showShape, ValueError } from '../core/errors.js';
import { isTensor } from '../ops/promote.js';
import type { Module } from './module.js';
import { Parameter } from './parameter.js';
import { type FieldKind, fieldsOf, STATE } from './state_dict.js';

const EXPECTED: { readonly [K in FieldKind]: string } = {
  parameter:
    'an nn.Parameter or null: new nn.Parameter(tensor) makes one; ' +
    'noGrad(() => parameter.copy_(tensor)) changes the one that is there',
  buffer: 'a tensor or null',
  module: 'a module or null',
};

function kindOf(value: unknown): FieldKind | undefined {
  if (isTensor(value)) return value instanceof Parameter ? 'parameter' : 'buffer';
  return typeof value === 'function' && STATE in value ? 'module' : undefined;
}

/** A value as errors name it. */
export function showField(value: unknown): string {
  if (isTensor(value)) return `a tensor of shape ${showShape(value.shape)}`;
  if (Array.isArray(value)) return 'an array; spread it (...layers)';
  const isCode = typeof value === 'function' && !(STATE in value);
  return isCode ? `the function or class ${value.name}` : String(value);
}

/** Throws if a value cannot take the place of what has the name; else the kind it then has. */
export function checkField(
  module: Module,
  name: string,
  kind: FieldKind,
  value: unknown,
): FieldKind {
  if (value === null || value === undefined) return kind;
  const given = kindOf(value);
  // As in PyTorch: parameters take any name, modules those of buffers.
  if (given === kind || given === 'parameter' || (given && kind === 'buffer')) return given;
  throw new ValueError(
    `${module.constructor.name}: cannot assign ${showField(value)} as ${kind} '${name}'; ` +
      `expected ${EXPECTED[kind]}`,
  );
}

/** Fields of lists, which stay plain. */
const NUMBER = /^\d+$/;

/** Whether a field is held, rather than a plain one that came after what was deleted. */
export function isHeld(module: Module, name: string): boolean {
  const field = Object.getOwnPropertyDescriptor(module, name);
  return field !== undefined && (!field.writable || NUMBER.test(name));
}

/**
 * Sets a field, which from then on takes values of its kind only, or null. Those that are numbers
 * stay plain, since engines are slow with others; who reads them checks.
 */
export function holdField(module: Module, name: string, kind: FieldKind, value: unknown): void {
  const { kinds, buffers } = module[STATE];
  let held = value;
  kinds.set(name, kind);
  if (NUMBER.test(name)) {
    fieldsOf(module)[name] = value;
    return;
  }
  Reflect.defineProperty(module, name, {
    get: () => held,
    set(next: unknown) {
      const now = checkField(module, name, kinds.get(name) as FieldKind, next);
      if (now !== 'buffer') buffers.delete(name);
      kinds.set(name, now);
      held = next;
    },
    enumerable: true,
    configurable: true,
  });
}

/** Holds a field that was found to be a parameter or a module, unless it is no plain one. */
export function noteField(module: Module, name: string): void {
  const { kinds } = module[STATE];
  if (kinds.has(name) && isHeld(module, name)) return;
  const value = fieldsOf(module)[name];
  const kind = kindOf(value);
  if (kind === undefined || kind === 'buffer') return;
  if (Object.getOwnPropertyDescriptor(module, name)?.writable) holdField(module, name, kind, value);
}
