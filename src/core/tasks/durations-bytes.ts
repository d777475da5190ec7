// What was learned of durations, as bytes: the version (1), then the keys, then the workers: how many (4, big
// endian), and for each the length of its name (2), its name in UTF-8, how many samples (1), the samples
// (float32).

/** A name with its samples, as logarithms of seconds, oldest first. */
export interface NamedSamples {
  readonly name: string;
  readonly logs: readonly number[];
}

/** What survives a restart. */
export interface SavedDurations {
  readonly keys: readonly NamedSamples[];
  readonly workers: readonly NamedSamples[];
}

/** Those whose names can not be kept, because they are too long or no Unicode, are left out. */
export function encodeDurations({ keys, workers }: SavedDurations): Uint8Array {
  const lists = [keys, workers].map((list) =>
    list
      .filter(({ name }) => name.isWellFormed())
      .map(({ name, logs }) => ({ name: new TextEncoder().encode(name), logs: logs.slice(-SAMPLES_MAX) }))
      .filter(({ name }) => name.length <= NAME_BYTES_MAX),
  );
  let length = 1;
  for (const list of lists) {
    length += 4;
    for (const { name, logs } of list) length += 3 + name.length + 4 * logs.length;
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  let at = 1;
  for (const list of lists) {
    view.setUint32(at, list.length);
    at += 4;
    for (const { name, logs } of list) {
      view.setUint16(at, name.length);
      bytes.set(name, at + 2);
      at += 2 + name.length;
      bytes[at++] = logs.length;
      for (const log of logs) {
        view.setFloat32(at, log);
        at += 4;
      }
    }
  }
  return bytes;
}

/** Null where a byte is missing, left over or not what it must be. */
export function decodeDurations(bytes: Uint8Array): SavedDurations | null {
  if (bytes[0] !== VERSION) return null;
  const reader = new Reader(bytes, 1);
  const keys = reader.list();
  const workers = reader.list();
  return keys === null || workers === null || !reader.isAtEnd ? null : { keys, workers };
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  list(): NamedSamples[] | null {
    if (!this.#has(4)) return null;
    const count = this.#view.getUint32(this.#at);
    this.#at += 4;
    const list: NamedSamples[] = [];
    const names = new Set<string>();
    for (let i = 0; i < count; i++) {
      const entry = this.#entry();
      if (entry === null || names.has(entry.name)) return null;
      names.add(entry.name);
      list.push(entry);
    }
    return list;
  }

  #entry(): NamedSamples | null {
    if (!this.#has(2)) return null;
    const nameLength = this.#view.getUint16(this.#at);
    if (!this.#has(2 + nameLength + 1)) return null;
    const name = this.#text(this.#at + 2, nameLength);
    const count = this.#bytes[this.#at + 2 + nameLength]!;
    this.#at += 3 + nameLength;
    if (name === null || count > SAMPLES_MAX || !this.#has(4 * count)) return null;
    const logs: number[] = [];
    for (let i = 0; i < count; i++, this.#at += 4) {
      const log = this.#view.getFloat32(this.#at);
      if (!(Math.abs(log) <= LOG_MAX)) return null;
      logs.push(log);
    }
    return { name, logs };
  }

  #text(from: number, length: number): string | null {
    try {
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      return decoder.decode(this.#bytes.subarray(from, from + length));
    } catch {
      return null;
    }
  }

  #has(length: number): boolean {
    return this.#at + length <= this.#bytes.length;
  }
}

const VERSION = 1;
const SAMPLES_MAX = 64;
const NAME_BYTES_MAX = 65_535;
/** No task takes e^100 s. */
const LOG_MAX = 100;
