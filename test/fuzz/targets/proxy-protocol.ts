// PROXY protocol headers: what trusted proxies, or somebody in their place, send first.
import assert from "node:assert/strict";
import { canonicalIp } from "../../../src/core/kit/ip-address.ts";
import { hashText } from "../../../src/core/kit/hash.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { FAILED, NEED_MORE } from "../../../src/http1/parser.ts";
import {
  type ConnectionEnds,
  proxyHeader,
  ProxyHeaderParser,
  V1_BYTES_MAX,
  V2_REST_BYTES_MAX,
} from "../../../src/http1/proxy-protocol.ts";
import { cutsOf, mutated, once, pick } from "../mutation.ts";
import type { Target } from "../target.ts";

/** Version 1 and 2. */
export const proxyProtocol: Target = {
  name: "proxy-protocol",
  about: "PROXY protocol headers, version 1 and 2",
  make,
  check: (input) => {
    const whole = read(input, []);
    const everyByte = Array.from({ length: input.length }, (_, i) => i + 1);
    const apart = read(input, everyByte);
    assert.deepEqual(apart, whole, "byte by byte");
    assert.deepEqual(read(input, cutsOf(input.length, new Random(hashText(input)))), whole, "in pieces");
    if (whole.verdict === FAILED) assert.notEqual(whole.error, "", "a refusal says why");
    else if (whole.verdict !== NEED_MORE) checkTaken(input, whole);
    const kind = input.startsWith("P") ? "v1" : "v2";
    if (whole.verdict < 0) return `${kind} ${whole.verdict === FAILED ? whole.error : "waiting"}`;
    return `${kind} ${whole.ends === null ? "unknown" : "known"}${whole.isTls ? " tls" : ""}`;
  },
};

interface Result {
  /** Bytes of the header, or a verdict. */
  readonly verdict: number;
  readonly ends: ConnectionEnds | null;
  readonly isTls: boolean;
  readonly error: string;
}

function read(input: string, cuts: readonly number[]): Result {
  const parser = new ProxyHeaderParser();
  let from = 0;
  for (const to of [...cuts, input.length]) {
    const verdict = parser.parse(Buffer.from(input.slice(from, to), "latin1"));
    const { ends, isTls, error } = parser;
    if (verdict === FAILED) return { verdict, ends, isTls, error };
    if (verdict !== NEED_MORE) return { verdict: from + verdict, ends, isTls, error };
    from = to;
  }
  return { verdict: NEED_MORE, ends: null, isTls: false, error: "" };
}

function checkTaken(input: string, { verdict, ends, error }: Result): void {
  assert.equal(error, "", "no error");
  const bytesMax = input.startsWith("P") ? V1_BYTES_MAX : V2_HEAD_BYTES + V2_REST_BYTES_MAX;
  assert(verdict > 0 && verdict <= Math.min(input.length, bytesMax), "length");
  assert.equal(read(input.slice(0, verdict - 1), []).verdict, NEED_MORE, "no part of a header is a header");
  if (ends === null) return;
  for (const address of [ends.remoteAddress!, ends.localAddress!]) {
    assert.notEqual(address, "", "an address");
    assert.equal(canonicalIp(address), address, "canonical address");
  }
  for (const port of [ends.remotePort!, ends.localPort!]) {
    assert(Number.isInteger(port) && port >= 0 && port <= 65_535, "port");
  }
  for (const version of ["v1", "v2"] as const) {
    const again = proxyHeader(version, ends);
    const { verdict: used, ends: same } = read(again, []);
    assert.equal(used, again.length, `written as ${version}`);
    assert.deepEqual(same, ends, `written as ${version}`);
  }
}

function make(random: Random): string {
  const text = once(2, random) ? v1(random) : v2(random);
  const stream = once(3, random) ? `${text}GET / HTTP/1.1\r\n` : text;
  return once(4, random) ? stream : mutated(stream, SAMPLES, INSERTS, random);
}

function v1(random: Random): string {
  if (once(8, random)) return `PROXY UNKNOWN${once(2, random) ? " a b" : ""}\r\n`;
  const isV4 = once(2, random);
  const list = isV4 ? IPV4 : IPV6;
  const ports = `${random.below(70_000)} ${random.below(70_000)}`;
  return `PROXY TCP${isV4 ? 4 : 6} ${pick(list, random)} ${pick(list, random)} ${ports}\r\n`;
}

function v2(random: Random): string {
  const family = random.below(4);
  let rest = bytes([0, 12, 36, 216][family]!, random);
  for (let left = random.below(3); left > 0; left--) {
    const value = bytes(random.below(once(20, random) ? 300 : 12), random);
    rest += String.fromCharCode(once(2, random) ? 0x20 : random.below(256)) + uint16(value.length) + value;
  }
  const wrong = once(8, random) ? random.below(5) - 2 : 0;
  const length = once(40, random) ? random.below(65_536) : Math.max(0, rest.length + wrong);
  const command = once(4, random) ? 0x20 : 0x21;
  return SIGNATURE + String.fromCharCode(command, family * 16 + random.below(3)) + uint16(length) + rest;
}

function bytes(count: number, random: Random): string {
  let text = "";
  for (let i = 0; i < count; i++) text += String.fromCharCode(once(2, random) ? 0 : random.below(256));
  return text;
}

function uint16(value: number): string {
  return String.fromCharCode(value >> 8, value & 0xff);
}

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const V2_HEAD_BYTES = 16;
const IPV4 = ["1.2.3.4", "0.0.0.0", "255.255.255.255", "127.0.0.1", "1.2.3.04", "1.2.3", "1.2.3.256"];
const IPV6 = [
  "::1",
  "::",
  "2001:DB8::1",
  "::ffff:1.2.3.4",
  "fe80::1%lo",
  "1:2:3:4:5:6:7:8",
  "1::2::3",
  "::1.2.3.4",
];
const SAMPLES = [
  "PROXY TCP4 1.2.3.4 5.6.7.8 12345 443\r\n",
  "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n",
  `${SIGNATURE}\x20\x00\x00\x00`,
  `${SIGNATURE}\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x30\x39\x01\xbb`,
];
const INSERTS = [
  " ",
  "\r",
  "\n",
  "\r\n",
  "\0",
  "0",
  "9",
  ":",
  ".",
  "::",
  "%",
  "\xff",
  "\x20",
  "PROXY ",
  "f".repeat(100),
];
