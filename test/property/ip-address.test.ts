// Addresses: judged against Node's own readers, and by laws of ranges.
import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { describe, it, test } from "node:test";
import * as fc from "fast-check";
import {
  canonicalIp,
  type IpRange,
  IpRanges,
  ipRangeText,
  ipText,
  ipWords,
  parseIpRange,
  readIp,
} from "../../src/core/kit/ip-address.ts";

const ranges = (...texts: string[]): IpRanges => new IpRanges(texts.map((text) => rangeOf(text)));
const LOOPBACK = ranges("127.0.0.0/8", "::1/128");
const METADATA = ranges("169.254.0.0/16");

describe("CVE class 10: spellings of an address", () => {
  const loopback = [
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.255",
    "::1",
    "0:0:0:0:0:0:0:1",
    "0000:0000:0000:0000:0000:0000:0000:0001",
    "::0:1",
    "0::1",
    "0:0::0:1",
    "::0000:0001",
    "::0.0.0.1",
    "0:0:0:0:0:0:0.0.0.1",
    "::ffff:127.0.0.1",
    "::FFFF:127.0.0.1",
    "::ffff:7f00:1",
    "::FFFF:7F00:0001",
    "0:0:0:0:0:ffff:127.0.0.1",
    "0:0:0:0:0:ffff:7f00:1",
    "0000:0000:0000:0000:0000:ffff:7f00:0001",
    "0::ffff:127.0.0.1",
    "::0:ffff:7f00:1",
  ];
  for (const text of loopback) it(`${text} is loopback`, () => assert.ok(LOOPBACK.hasText(text)));

  const metadata = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:FFFF:A9FE:A9FE",
  ];
  for (const text of metadata) it(`${text} is link-local`, () => assert.ok(METADATA.hasText(text)));

  const none = [
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.001",
    "0127.0.0.1",
    "127.0.0.1.",
    "127.0.0.1 ",
    " 127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.256",
    "127..0.1",
    "127.0.0.",
    "+127.0.0.1",
    "１27.0.0.1",
    "127。0。0。1",
    "[::1]",
    "::1%lo",
    ":::1",
    "::1::",
    "1::2::3",
    ":1",
    "1:",
    "00000::1",
    "::ffff:127.0.0.01",
    "::ffff:127.1",
    "::127.0.0.1:0",
    "1:2:3:4:5:6:7::8",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::ffff:0x7f.0.0.1",
    "localhost",
    "",
    "::g",
  ];
  for (const text of none) {
    it(`${JSON.stringify(text)} is no address`, () => {
      assert.equal(readIp(text, ipWords()), false);
      assert.equal(LOOPBACK.hasText(text), false);
    });
  }

  const others = [
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "::fffe:127.0.0.1",
    "::1:ffff:7f00:1",
    "::2",
  ];
  for (const text of others)
    it(`${text} is another address`, () => assert.equal(LOOPBACK.hasText(text), false));

  it("has one text that is canonical", () => {
    assert.equal(canonicalIp("::FFFF:7F00:1"), "127.0.0.1");
    assert.equal(canonicalIp("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");
    assert.equal(canonicalIp("0:0:0:0:0:0:0:0"), "::");
    assert.equal(canonicalIp("1:0:0:0:0:0:0:0"), "1::");
    assert.equal(canonicalIp("1:0:2:0:3:0:4:0"), "1:0:2:0:3:0:4:0");
    assert.equal(canonicalIp("fe80::1%eth0"), "fe80::1");
    assert.equal(canonicalIp("nonsense"), "");
  });
});

test("what is an address is what Node takes for one", () => {
  const piece = fc.constantFrom(
    "0",
    "1",
    "ff",
    "255",
    "256",
    "::",
    ":",
    ".",
    "7f00",
    "ffff",
    "01",
    "10",
    "%",
    " ",
    "g",
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 17 }).map((parts) => parts.join("")),
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV6().map((address) => address.toUpperCase()),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(text, (address) => {
      // Node takes zones, which mean nothing on another machine.
      fc.pre(!address.includes("%"));
      assert.equal(readIp(address, ipWords()), isIPv4(address) || isIPv6(address));
    }),
    { numRuns: 20_000 },
  );
});

test("canonical text: read again it is the same address; IPv6 is as URLs write it", () => {
  const words = fc
    .array(fc.oneof(fc.constantFrom(0, 0xffff, 0xffff0000, 1), fc.nat(0xffffffff)), {
      minLength: 4,
      maxLength: 4,
    })
    .map((parts) => Uint32Array.from(parts));
  fc.assert(
    fc.property(words, (address) => {
      const text = ipText(address);
      const again = ipWords();
      assert.ok(readIp(text, again));
      assert.deepEqual(again, address);
      assert.equal(ipText(again), text);
      assert.equal(canonicalIp(text), text);
      if (text.includes(":")) assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
    }),
    { numRuns: 5_000 },
  );
});

test("a range has exactly the addresses that share its bits", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6()).map(wordsOf);
  fc.assert(
    fc.property(address, fc.nat(128), fc.nat(127), (base, length, flipped) => {
      const isV4 = ipText(base).includes(".");
      const bits = isV4 ? 96 + (length % 33) : length;
      const masked = Uint32Array.from(base, (word, i) => maskedWord(word, bits - 32 * i));
      // A mapped range that is shorter than /96 can not be written, and an IPv6 one may not become IPv4.
      fc.pre(isV4 || !ipText(masked).includes("."));
      const text = ipRangeText({ words: masked, bits });
      const parsed = parseIpRange(text)!;
      assert.ok(parsed.isExact);
      assert.equal(ipRangeText(parsed.range), text);
      const set = new IpRanges([parsed.range]);
      assert.ok(set.has(base));
      const other = Uint32Array.from(base);
      other[flipped >> 5]! ^= 2 ** (31 - (flipped & 31));
      const isSameFamily = ipText(other).includes(".") === isV4;
      assert.equal(set.has(other), flipped >= bits && isSameFamily);
    }),
    { numRuns: 5_000 },
  );
});

test("ranges: the family is kept apart, stray bits are told, nonsense is none", () => {
  assert.ok(!ranges("::/0").hasText("10.0.0.1"));
  assert.ok(!ranges("::/0").hasText("::ffff:10.0.0.1"));
  assert.ok(ranges("::/0").hasText("2001:db8::1"));
  assert.ok(ranges("0.0.0.0/0").hasText("::ffff:10.0.0.1"));
  assert.ok(!ranges("0.0.0.0/0").hasText("::1"));
  assert.ok(ranges("::ffff:10.0.0.0/104").hasText("10.1.2.3"));
  assert.equal(ipRangeText(rangeOf("::ffff:10.0.0.0/104")), "10.0.0.0/8");
  const stray = parseIpRange("10.1.2.3/8")!;
  assert.equal(stray.isExact, false);
  assert.equal(ipRangeText(stray.range), "10.0.0.0/8");
  for (const text of [
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10/8",
    "::/129",
    "::1/1/1",
    "a/8",
    "/8",
    "",
  ]) {
    assert.equal(parseIpRange(text), null, text);
  }
});

function rangeOf(text: string): IpRange {
  const parsed = parseIpRange(text);
  assert.ok(parsed !== null && parsed.isExact, text);
  return parsed.range;
}

function wordsOf(text: string): Uint32Array {
  const words = ipWords();
  assert.ok(readIp(text, words), text);
  return words;
}

function maskedWord(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : word - (word % 2 ** (32 - bits));
}
