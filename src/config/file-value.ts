/**
 * `{ file: path }` stands for the contents of a file, but only where a text is expected: `access_log` has a
 * key of that name that means something else. So the reader of the YAML only notes how to read the file, and
 * the schema decides.
 */
export function noteFileValue(map: object, read: () => string): void {
  READERS.set(map, read);
}

/**
 * The contents, trimmed; undefined when `value` is no `{ file: path }`. Throws what reading the file throws.
 */
export function readFileValue(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return READERS.get(value)?.().trim();
}

const READERS = new WeakMap<object, () => string>();
