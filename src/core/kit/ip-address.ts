// Hot path (behind trusted proxies only): reading and comparing are loops over characters and four numbers.

/**
 * An IP address as four 32-bit words, the most significant first. IPv4 is what it is as an IPv4-mapped IPv6
 * address (`::ffff:a.b.c.d`), so that both spellings are one address.
 */
export type IpWords = Uint32Array;

/** A place for one address. */
export function ipWords(): IpWords {
  return new Uint32Array(WORDS);
}

/**
 * Reads the address in `text[start, end)` into `into`; false when it is none. Strict: IPv4 is four decimal
 * numbers without leading zeros (RFC 6943 3.1.1 says why), IPv6 is RFC 4291 section 2.2, without a zone.
 */
export function readIp(text: string, into: IpWords, start = 0, end: number = text.length): boolean {
  if (end - start > TEXT_LENGTH_MAX || end <= start) return false;
  const colon = text.indexOf(":", start);
  if (colon >= 0 && colon < end) return readIpv6(text, into, start, end);
  const word = readIpv4(text, start, end);
  if (word < 0) return false;
  into[0] = 0;
  into[1] = 0;
  into[2] = MAPPED;
  into[3] = word;
  return true;
}

/** The canonical text: RFC 5952, and dotted for IPv4 and IPv4-mapped addresses. */
export function ipText(words: IpWords): string {
  if (isIpv4(words)) return ipv4Text(words[3]!);
  const groups = Array.from({ length: GROUPS }, (_, i) => groupOf(words, i));
  let longest = -1;
  let longestLength = 1;
  for (let at = 0; at < GROUPS; at++) {
    let stop = at;
    while (stop < GROUPS && groups[stop] === 0) stop++;
    if (stop - at <= longestLength) continue;
    longest = at;
    longestLength = stop - at;
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (longest < 0) return hex(groups);
  return `${hex(groups.slice(0, longest))}::${hex(groups.slice(longest + longestLength))}`;
}

/** IPv4, in whichever spelling. */
export function isIpv4(words: IpWords): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
}

/** The canonical text of the address of a socket, without its zone; "" for what is none. */
export function canonicalIp(text: string): string {
  const zone = text.indexOf("%");
  const words = ipWords();
  return readIp(text, words, 0, zone < 0 ? text.length : zone) ? ipText(words) : "";
}

/** Whether only this machine can reach what listens on `host`, an address or name without brackets. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** All addresses that begin with the same bits. */
export interface IpRange {
  readonly words: IpWords;
  /** Bits of the 128 that count; IPv4 ranges have 96 or more. */
  readonly bits: number;
}

/**
 * Reads `10.0.0.0/8`, `fd00::/8` or one address. Null when it is none; `isExact` false when bits behind the
 * prefix are set: then `range` is what was probably meant.
 */
export function parseIpRange(text: string): { readonly range: IpRange; readonly isExact: boolean } | null {
  const slash = text.indexOf("/");
  const words = ipWords();
  if (!readIp(text, words, 0, slash < 0 ? text.length : slash)) return null;
  // The length counts bits of the family as it is written.
  const before = text.includes(":") ? 0 : IPV4_BITS_BEFORE;
  const length = slash < 0 ? ALL_BITS - before : readDecimal(text, slash + 1, text.length, ALL_BITS - before);
  if (length < 0) return null;
  const bits = before + length;
  let isExact = true;
  for (let i = 0; i < WORDS; i++) {
    const kept = (words[i]! & maskOf(bits - 32 * i)) >>> 0;
    if (kept !== words[i]) isExact = false;
    words[i] = kept;
  }
  return { range: { words, bits }, isExact };
}

/** The canonical text of a range; a single address has no length. */
export function ipRangeText({ words, bits }: IpRange): string {
  const length = isIpv4(words) && bits >= IPV4_BITS_BEFORE ? bits - IPV4_BITS_BEFORE : bits;
  return bits === ALL_BITS ? ipText(words) : `${ipText(words)}/${length}`;
}

/** A set of addresses. IPv4 addresses are only in ranges of IPv4: `::/0` is all of IPv6. O(ranges). */
export class IpRanges {
  readonly #ranges: readonly IpRange[];

  constructor(ranges: readonly IpRange[]) {
    this.#ranges = ranges;
  }

  has(words: IpWords): boolean {
    const bitsMin = isIpv4(words) ? IPV4_BITS_BEFORE : 0;
    for (let i = 0; i < this.#ranges.length; i++) {
      const range = this.#ranges[i]!;
      if (range.bits >= bitsMin && isWithin(words, range)) return true;
    }
    return false;
  }

  /** Whether the text is an address of the set; a text that is none is not. */
  hasText(text: string): boolean {
    if (this.#ranges.length === 0) return false;
    const words = ipWords();
    return readIp(text, words) && this.has(words);
  }
}

const WORDS = 4;
const GROUPS = 8;
const ALL_BITS = 128;
const IPV4_BITS_BEFORE = 96;
const MAPPED = 0xffff;
/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`. */
const TEXT_LENGTH_MAX = 45;

function isWithin(words: IpWords, range: IpRange): boolean {
  for (let i = 0; i < WORDS; i++) {
    const mask = maskOf(range.bits - 32 * i);
    if (((words[i]! ^ range.words[i]!) & mask) !== 0) return false;
  }
  return true;
}

/** The first `bits` of a word; shifts by 32 would be shifts by 0. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
}

function groupOf(words: IpWords, index: number): number {
  const word = words[index >> 1]!;
  return index % 2 === 0 ? word >>> 16 : word & 0xffff;
}

function ipv4Text(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 0xff}.${(word >>> 8) & 0xff}.${word & 0xff}`;
}

/** The 32 bits, or -1. */
function readIpv4(text: string, start: number, end: number): number {
  let word = 0;
  let at = start;
  for (let part = 0; part < 4; part++) {
    const dot = text.indexOf(".", at);
    const stop = part === 3 ? end : dot;
    if (stop < 0 || stop > end) return -1;
    const value = readDecimal(text, at, stop, 255);
    if (value < 0) return -1;
    word = word * 256 + value;
    at = stop + 1;
  }
  return word;
}

/** A decimal number without leading zeros, up to `max`; else -1. */
function readDecimal(text: string, start: number, end: number, max: number): number {
  if (end <= start || end - start > 3) return -1;
  if (end - start > 1 && text.charCodeAt(start) === 0x30) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= max ? value : -1;
}

function readIpv6(text: string, into: IpWords, start: number, end: number): boolean {
  into.fill(0);
  let at = start;
  let count = 0;
  /** Groups in front of "::"; -1 when there is none. */
  let gap = -1;
  if (text.startsWith("::", at)) {
    gap = 0;
    at += 2;
  }
  while (at < end) {
    if (count === GROUPS) return false;
    const colon = text.indexOf(":", at);
    const stop = colon < 0 || colon > end ? end : colon;
    if (stop === end && text.indexOf(".", at) >= 0 && text.indexOf(".", at) < end) {
      const word = count > GROUPS - 2 ? -1 : readIpv4(text, at, end);
      if (word < 0) return false;
      putGroup(into, count++, word >>> 16);
      putGroup(into, count++, word & 0xffff);
      break;
    }
    const group = readHex(text, at, stop);
    if (group < 0) return false;
    putGroup(into, count++, group);
    if (stop === end) break;
    at = stop + 1;
    if (text.charCodeAt(at) === 0x3a && at < end) {
      if (gap >= 0) return false;
      gap = count;
      at++;
    } else if (at === end) return false;
  }
  if (gap < 0) return count === GROUPS;
  if (count === GROUPS) return false;
  openGap(into, gap, count);
  return true;
}

/** Moves the groups behind the gap to the end. */
function openGap(into: IpWords, gap: number, count: number): void {
  for (let moved = 1; moved <= count - gap; moved++) {
    const group = groupOf(into, count - moved);
    putGroup(into, count - moved, 0);
    putGroup(into, GROUPS - moved, group);
  }
}

function putGroup(into: IpWords, index: number, group: number): void {
  const word = into[index >> 1]!;
  into[index >> 1] = index % 2 === 0 ? (word & 0xffff) | (group << 16) : (word & 0xffff0000) | group;
}

/** One to four hexadecimal digits, or -1. */
function readHex(text: string, start: number, end: number): number {
  if (end <= start || end - start > 4) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const letter = (code | 0x20) - 0x61;
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && (letter < 0 || letter > 5)) return -1;
    value = value * 16 + (isDigit ? code - 0x30 : letter + 10);
  }
  return value;
}
