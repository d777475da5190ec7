import { type IpWords, ipText, ipWords, isIpv4, readIp } from "../core/kit/ip-address.ts";
import { latin1 } from "./latin1.ts";
import { FAILED, NEED_MORE } from "./parser.ts";
import { CR, LF } from "./tables.ts";

/** The two ends of a connection, as a socket knows them; absent where there is no such address. */
export interface ConnectionEnds {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * Reads one PROXY protocol header, version 1 or 2, byte by byte and strictly, so that it makes no difference
 * how the bytes are cut. A header that does not fit is an error and never skipped.
 * Source: haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 and 2.2.
 */
export class ProxyHeaderParser {
  #bytes: Buffer = Buffer.allocUnsafe(V1_BYTES_MAX);
  #length = 0;
  #lengthMax = 0;
  /**
   * The ends of the connection that was relayed, canonical; null when the header names none (LOCAL, UNKNOWN,
   * UNSPEC, Unix sockets, UDP): then those of the socket hold.
   */
  ends: ConnectionEnds | null = null;
  /** The sender says that its client came over TLS. */
  isTls = false;
  /** What was wrong, after {@link FAILED}. */
  error = "";

  /** The offset behind the header in `bytes`, {@link NEED_MORE} or {@link FAILED}. */
  parse(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length; at++) {
      const verdict = this.#take(bytes[at]!);
      if (verdict === COMPLETE) return at + 1;
      if (verdict === FAILED) return FAILED;
    }
    return NEED_MORE;
  }

  #take(byte: number): number {
    const at = this.#length++;
    if (at === 0) {
      if (byte !== V1_PREFIX[0] && byte !== V2_SIGNATURE[0]) return this.#fail("no PROXY header");
      this.#lengthMax = byte === V1_PREFIX[0] ? V1_BYTES_MAX : V2_HEAD_BYTES;
    }
    this.#bytes[at] = byte;
    return this.#bytes[0] === V1_PREFIX[0] ? this.#takeV1(byte, at) : this.#takeV2(byte, at);
  }

  #takeV1(byte: number, at: number): number {
    if (at < V1_PREFIX.length) return byte === V1_PREFIX[at] ? NEED_MORE : this.#fail("no PROXY header");
    const isAfterReturn = this.#bytes[at - 1] === CR;
    if (byte === LF && isAfterReturn) return this.#readLine(latin1(this.#bytes, 0, at - 1));
    if (byte === LF || isAfterReturn) return this.#fail("a bare CR or LF");
    return this.#length === V1_BYTES_MAX ? this.#fail("a line that is too long") : NEED_MORE;
  }

  #readLine(line: string): number {
    if (line === "PROXY UNKNOWN" || line.startsWith("PROXY UNKNOWN ")) return COMPLETE;
    const parts = line.split(" ");
    const [, family, source = "", destination = "", sourcePort = "", destinationPort = ""] = parts;
    if (parts.length !== V1_PARTS || (family !== "TCP4" && family !== "TCP6")) {
      return this.#fail("a line that is not valid");
    }
    const from = ipWords();
    const to = ipWords();
    const isRead = readIp(source, from) && readIp(destination, to);
    const isOfFamily =
      source.includes(":") === (family === "TCP6") && source.includes(":") === destination.includes(":");
    if (!isRead || !isOfFamily) return this.#fail("an address that is not valid");
    const remotePort = readPort(sourcePort);
    const localPort = readPort(destinationPort);
    if (remotePort < 0 || localPort < 0) return this.#fail("a port that is not valid");
    this.ends = { remoteAddress: ipText(from), remotePort, localAddress: ipText(to), localPort };
    return COMPLETE;
  }

  #takeV2(byte: number, at: number): number {
    if (at < V2_SIGNATURE.length) {
      return byte === V2_SIGNATURE[at] ? NEED_MORE : this.#fail("no PROXY header");
    }
    if (at === COMMAND_AT && byte !== V2_LOCAL && byte !== V2_PROXY)
      return this.#fail("an unknown version or command");
    if (at === FAMILY_AT && (byte >> 4 > FAMILY_UNIX || (byte & 0x0f) > DATAGRAM)) {
      return this.#fail("an unknown family or protocol");
    }
    if (this.#length < this.#lengthMax) return NEED_MORE;
    if (this.#length > V2_HEAD_BYTES) return this.#readV2();
    const rest = this.#bytes.readUInt16BE(LENGTH_AT);
    if (rest > V2_REST_BYTES_MAX) return this.#fail(`more than ${V2_REST_BYTES_MAX} bytes`);
    if (this.#bytes[COMMAND_AT] === V2_PROXY && rest < this.#addressBytes)
      return this.#fail("a length that is too short");
    if (rest === 0) return COMPLETE;
    this.#lengthMax = V2_HEAD_BYTES + rest;
    this.#bytes = Buffer.concat([this.#bytes.subarray(0, V2_HEAD_BYTES)], this.#lengthMax);
    return NEED_MORE;
  }

  get #addressBytes(): number {
    return ADDRESS_BYTES[this.#bytes[FAMILY_AT]! >> 4]!;
  }

  #readV2(): number {
    const family = this.#bytes[FAMILY_AT]! >> 4;
    const protocol = this.#bytes[FAMILY_AT]! & 0x0f;
    // What a LOCAL or unspecified header carries is to be skipped, whatever it is.
    if (this.#bytes[COMMAND_AT] === V2_LOCAL || family === 0 || protocol === 0) return COMPLETE;
    if (family !== FAMILY_UNIX && protocol === STREAM) this.ends = this.#readAddresses(this.#addressBytes);
    return this.#readOptions(V2_HEAD_BYTES + this.#addressBytes);
  }

  #readAddresses(bytes: number): ConnectionEnds {
    const width = bytes / 2 - 2;
    const at = V2_HEAD_BYTES;
    return {
      remoteAddress: ipText(wordsOf(this.#bytes, at, width)),
      localAddress: ipText(wordsOf(this.#bytes, at + width, width)),
      remotePort: this.#bytes.readUInt16BE(at + 2 * width),
      localPort: this.#bytes.readUInt16BE(at + 2 * width + 2),
    };
  }

  /** Type, length and value of each option must fit; of all we read whether the client came over TLS. */
  #readOptions(from: number): number {
    const end = this.#lengthMax;
    for (let at = from; at < end;) {
      const value = at + OPTION_HEAD_BYTES;
      const next = value <= end ? value + this.#bytes.readUInt16BE(at + 1) : end + 1;
      if (next > end) return this.#fail("an option that is cut off");
      if (this.#bytes[at] === OPTION_SSL && next - value >= OPTION_SSL_BYTES_MIN) {
        this.isTls = (this.#bytes[value]! & CLIENT_SSL) !== 0;
      }
      at = next;
    }
    return COMPLETE;
  }

  #fail(what: string): number {
    this.error = what;
    this.ends = null;
    return FAILED;
  }
}

/** Versions of the header that can be sent. */
export type ProxyVersion = "v1" | "v2";

/**
 * The header for a connection that is made on behalf of another one, as latin1 text; `null` for a connection
 * of our own, such as a probe. IPv4 and IPv6 ends are told as IPv6.
 */
export function proxyHeader(version: ProxyVersion, ends: ConnectionEnds | null): string {
  const from = ipWords();
  const to = ipWords();
  const isKnown =
    ends !== null && readIp(ends.remoteAddress ?? "", from) && readIp(ends.localAddress ?? "", to);
  if (version === "v1") return isKnown ? v1Line(from, to, ends) : "PROXY UNKNOWN\r\n";
  const isV4 = isIpv4(from) && isIpv4(to);
  const command = ends === null ? V2_LOCAL : V2_PROXY;
  if (!isKnown) return v2Text(command, 0, Buffer.alloc(0));
  const width = isV4 ? 4 : 16;
  const addresses = Buffer.alloc(2 * width + 4);
  putWords(from, addresses, 0, width);
  putWords(to, addresses, width, width);
  addresses.writeUInt16BE(ends.remotePort ?? 0, 2 * width);
  addresses.writeUInt16BE(ends.localPort ?? 0, 2 * width + 2);
  return v2Text(command, (isV4 ? FAMILY_IPV4 : FAMILY_IPV6) * 16 + STREAM, addresses);
}

/** Longest line of version 1 with its CRLF. */
export const V1_BYTES_MAX = 107;
/** Addresses and options of version 2: far more than any option is known to need. */
export const V2_REST_BYTES_MAX = 4096;

const COMPLETE = 0;
const V1_PREFIX: Buffer = Buffer.from("PROXY ");
const V1_PARTS = 6;
const V2_SIGNATURE: Buffer = Buffer.from("\r\n\r\n\0\r\nQUIT\n");
const V2_HEAD_BYTES = 16;
const COMMAND_AT = 12;
const FAMILY_AT = 13;
const LENGTH_AT = 14;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
const FAMILY_IPV4 = 1;
const FAMILY_IPV6 = 2;
const FAMILY_UNIX = 3;
const STREAM = 1;
const DATAGRAM = 2;
/** By family: both addresses, and both ports where there are such. */
const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];
const OPTION_HEAD_BYTES = 3;
const OPTION_SSL = 0x20;
const OPTION_SSL_BYTES_MIN = 5;
const CLIENT_SSL = 0x01;

/** 0 to 65535 without leading zeros; else -1. */
function readPort(text: string): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1;
  return port <= 65_535 ? port : -1;
}

/** An address of 4 or 16 bytes. */
function wordsOf(bytes: Buffer, at: number, width: number): IpWords {
  const words = ipWords();
  if (width === 4) {
    words[2] = 0xffff;
    words[3] = bytes.readUInt32BE(at);
  } else for (let i = 0; i < 4; i++) words[i] = bytes.readUInt32BE(at + 4 * i);
  return words;
}

function putWords(words: IpWords, into: Buffer, at: number, width: number): void {
  if (width === 4) into.writeUInt32BE(words[3]!, at);
  else for (let i = 0; i < 4; i++) into.writeUInt32BE(words[i]!, at + 4 * i);
}

function v1Line(from: IpWords, to: IpWords, ends: ConnectionEnds): string {
  const isV4 = isIpv4(from) && isIpv4(to);
  const text = (words: IpWords): string =>
    isIpv4(words) && !isV4 ? `::ffff:${ipText(words)}` : ipText(words);
  const ports = `${ends.remotePort ?? 0} ${ends.localPort ?? 0}`;
  return `PROXY ${isV4 ? "TCP4" : "TCP6"} ${text(from)} ${text(to)} ${ports}\r\n`;
}

function v2Text(command: number, family: number, addresses: Buffer): string {
  const head = Buffer.concat([V2_SIGNATURE], V2_HEAD_BYTES);
  head[COMMAND_AT] = command;
  head[FAMILY_AT] = family;
  head.writeUInt16BE(addresses.length, LENGTH_AT);
  return head.toString("latin1") + addresses.toString("latin1");
}
