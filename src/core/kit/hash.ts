/** 32-bit FNV-1a over the string's code units, mixed; for keys of users, not for secrets. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/**
 * 52 bits, as a whole number: for tables in which a clash would join strangers. Two lanes that mix in ways of
 * their own, FNV-1a and a multiplication with a shift, so that texts which meet in one do not in the other.
 */
export function hashTextWide(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x2545f491;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x5bd1e995);
    high ^= high >>> 15;
  }
  return (mix(high) & 0xfffff) * 0x1_0000_0000 + mix(low);
}

/** Combines two 32-bit hashes into a third that depends on all their bits (murmur3's finaliser). */
export function combine(a: number, b: number): number {
  return mix(Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b);
}

function mix(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
