// Hot path: a key of the body costs a look at three of its bytes, and at all of them when it is one of ours.

/** Keys are told apart by a byte; 0 is a key that nobody asked for. */
export const KEY_IDS = 256;
const SLOTS = 1024;
/** Longer keys are nobody's. */
const KEY_BYTES_MAX = 32;

const ids = new Map<string, number>();
const slots = new Uint8Array(SLOTS);
const lengths = new Uint8Array(KEY_IDS);
const letters = new Uint8Array(KEY_IDS * KEY_BYTES_MAX);

/** The number of a key that is looked for; only while modules are loaded. */
export function internKey(name: string): number {
  const known = ids.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.from(name);
  const id = ids.size + 1;
  if (id >= KEY_IDS || bytes.length === 0 || bytes.length > KEY_BYTES_MAX)
    throw new RangeError(`no room for the key "${name}"`);
  ids.set(name, id);
  lengths[id] = bytes.length;
  letters.set(bytes, id * KEY_BYTES_MAX);
  let slot = slotOf(bytes, 0, bytes.length);
  while (slots[slot] !== 0) slot = (slot + 1) % SLOTS;
  slots[slot] = id;
  return id;
}

/** The number of the key that stands there (without quotes and escapes), or 0. */
export function keyIdOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length === 0 || length > KEY_BYTES_MAX) return 0;
  let slot = slotOf(bytes, from, to);
  let id = slots[slot]!;
  while (id !== 0) {
    if (lengths[id] === length && isAt(bytes, from, length, id)) return id;
    slot = (slot + 1) % SLOTS;
    id = slots[slot]!;
  }
  return 0;
}

/** The same for a key that had escapes. */
export function keyIdOfText(text: string): number {
  return ids.get(text) ?? 0;
}

function slotOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  const sum = bytes[from]! * 7 + bytes[from + (length >> 1)]! * 59 + bytes[to - 1]! * 31 + length * 401;
  return sum % SLOTS;
}

function isAt(bytes: Uint8Array, from: number, length: number, id: number): boolean {
  const at = id * KEY_BYTES_MAX;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== letters[at + i]) return false;
  return true;
}
