/** Values as Python prints them, for the printed form of modules. */

/** A Python float: 1e-05, 0.1, 2.0. */
export function float(value: number | null): string {
  if (value === null) return 'None';
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

export function bool(value: boolean): string {
  return value ? 'True' : 'False';
}

/** A number as given, None for null, a tuple for a list. */
export function value(given: number | null | readonly (number | null)[]): string {
  if (given === null) return 'None';
  if (typeof given === 'number') return String(given);
  const parts = given.map((item) => (item === null ? 'None' : String(item)));
  return parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(', ')})`;
}

/** Text of several lines, all but the first moved in by two spaces. */
export function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
