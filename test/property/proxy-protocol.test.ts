// The PROXY protocol: what is read, what is refused, and that neither depends on how bytes are cut.
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import * as fc from "fast-check";
import { canonicalIp } from "../../src/core/kit/ip-address.ts";
import { FAILED, NEED_MORE } from "../../src/http1/parser.ts";
import {
  type ConnectionEnds,
  proxyHeader,
  ProxyHeaderParser,
  V1_BYTES_MAX,
  V2_REST_BYTES_MAX,
} from "../../src/http1/proxy-protocol.ts";

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

interface Result {
  readonly used: number;
  readonly ends: ConnectionEnds | null;
  readonly isTls: boolean;
}

/** Bytes of the header, or a negative verdict, when the bytes come in these pieces. */
function read(bytes: Uint8Array, cuts: readonly number[] = []): Result {
  const parser = new ProxyHeaderParser();
  const stops = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...stops, bytes.length]) {
    const verdict = parser.parse(bytes.subarray(from, to));
    if (verdict === FAILED) return { used: FAILED, ends: null, isTls: false };
    if (verdict !== NEED_MORE) return { used: from + verdict, ends: parser.ends, isTls: parser.isTls };
    from = to;
  }
  return { used: NEED_MORE, ends: null, isTls: false };
}

const line = (text: string): Result => read(Buffer.from(text, "latin1"));
const v2 = (command: number, family: number, rest: Buffer, length = rest.length): Buffer =>
  Buffer.concat([
    Buffer.from(SIGNATURE, "latin1"),
    Buffer.from([command, family, length >> 8, length & 0xff]),
    rest,
  ]);
const option = (type: number, value: Buffer): Buffer =>
  Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 0xff]), value]);
const IPV4 = Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 0x30, 0x39, 0x01, 0xbb]);
const ENDS = { remoteAddress: "1.2.3.4", localAddress: "5.6.7.8", remotePort: 12_345, localPort: 443 };

describe("version 1", () => {
  it("gives both ends, and stops behind its line", () => {
    const text = "PROXY TCP4 1.2.3.4 5.6.7.8 12345 443\r\n";
    assert.deepEqual(line(`${text}GET / HTTP/1.1\r\n`), { used: text.length, ends: ENDS, isTls: false });
    const { ends } = line("PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n");
    assert.deepEqual(ends, {
      remoteAddress: "2001:db8::1",
      localAddress: "::1",
      remotePort: 0,
      localPort: 65_535,
    });
    assert.equal(line("PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1 2\r\n").ends!.remoteAddress, "1.2.3.4");
  });

  it("UNKNOWN names nobody, whatever follows it", () => {
    for (const text of [
      "PROXY UNKNOWN\r\n",
      "PROXY UNKNOWN a b c\r\n",
      `PROXY UNKNOWN ${"f".repeat(91)}\r\n`,
    ]) {
      assert.deepEqual(line(text), { used: text.length, ends: null, isTls: false });
    }
  });

  const refused = [
    "GET / HTTP/1.1\r\n",
    "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY",
    "PROXY\r\n",
    "PROXY \r\n",
    "PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY UNKNOWNX\r\n",
    "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
    "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n",
    "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
    "PROXY TCP4 ::1 ::2 1 2\r\n",
    "PROXY TCP4 1.2.3.4 ::2 1 2\r\n",
    "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
    "PROXY TCP6 ::1 5.6.7.8 1 2\r\n",
    "PROXY TCP6 fe80::1%lo ::2 1 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX\n",
    "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
    `PROXY UNKNOWN ${"f".repeat(92)}\r\n`,
    `PROXY UNKNOWN${" ".repeat(V1_BYTES_MAX)}`,
  ];
  for (const text of refused) {
    it(`${JSON.stringify(text)} is refused, or never complete`, () => {
      const { used } = line(text);
      assert.ok(used === FAILED || (used === NEED_MORE && !text.endsWith("\n")), String(used));
    });
  }

  it("is refused at the first byte that is none of its own", () => {
    assert.equal(line("G").used, FAILED);
    assert.equal(line("PX").used, FAILED);
    assert.equal(line("\r\n\r\n\0\r\nQUIT\r").used, FAILED);
    assert.equal(line("\x16").used, FAILED);
  });
});

describe("version 2", () => {
  it("gives both ends of IPv4 and IPv6", () => {
    assert.deepEqual(read(v2(0x21, 0x11, IPV4)), { used: 28, ends: ENDS, isTls: false });
    const rest = Buffer.alloc(36);
    rest[0] = 0x20;
    rest[31] = 1;
    rest.writeUInt16BE(7, 32);
    const { ends } = read(v2(0x21, 0x21, rest));
    assert.deepEqual(ends, { remoteAddress: "2000::", localAddress: "::1", remotePort: 7, localPort: 0 });
  });

  it("LOCAL, UNSPEC, Unix sockets and UDP name nobody; all of their bytes are skipped", () => {
    const junk = Buffer.alloc(50, 0xff);
    const cases = [
      v2(0x20, 0x00, Buffer.alloc(0)),
      v2(0x20, 0x11, junk),
      v2(0x20, 0x11, Buffer.alloc(3)),
      v2(0x21, 0x00, Buffer.alloc(0)),
      v2(0x21, 0x00, junk),
      v2(0x21, 0x31, Buffer.alloc(216, 0x61)),
      v2(0x21, 0x12, IPV4),
    ];
    for (const bytes of cases) {
      const more = Buffer.concat([bytes, Buffer.from("GET")]);
      assert.deepEqual(read(more), { used: bytes.length, ends: null, isTls: false });
    }
  });

  it("options: that the client came over TLS is read, the others are skipped", () => {
    const others = [
      option(0x01, Buffer.from("h2")),
      option(0x04, Buffer.alloc(0)),
      option(0xee, Buffer.alloc(300)),
    ];
    const ssl = (client: number): Buffer => option(0x20, Buffer.from([client, 0, 0, 0, 0]));
    assert.equal(read(v2(0x21, 0x11, Buffer.concat([IPV4, ...others, ssl(1)]))).isTls, true);
    assert.equal(read(v2(0x21, 0x11, Buffer.concat([IPV4, ssl(0), ...others]))).isTls, false);
    assert.equal(read(v2(0x21, 0x11, Buffer.concat([IPV4, ...others]))).isTls, false);
  });

  const refused: [string, Buffer][] = [
    ["version 1", v2(0x11, 0x11, IPV4)],
    ["version 3", v2(0x31, 0x11, IPV4)],
    ["command 2", v2(0x22, 0x11, IPV4)],
    ["family 4", v2(0x21, 0x41, IPV4)],
    ["protocol 3", v2(0x21, 0x13, IPV4)],
    ["LOCAL of family 15", v2(0x20, 0xf0, Buffer.alloc(0))],
    ["IPv4 that is too short", v2(0x21, 0x11, IPV4.subarray(0, 11))],
    ["IPv6 that is too short", v2(0x21, 0x21, Buffer.alloc(35))],
    ["no addresses", v2(0x21, 0x11, Buffer.alloc(0))],
    ["an option without its length", v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([1, 0])]))],
    ["an option beyond the end", v2(0x21, 0x11, Buffer.concat([IPV4, Buffer.from([1, 0, 2, 0])]))],
    ["more than the limit", v2(0x21, 0x11, IPV4, V2_REST_BYTES_MAX + 1)],
  ];
  for (const [what, bytes] of refused) it(`${what} is refused`, () => assert.equal(read(bytes).used, FAILED));

  it("takes as many bytes as the limit says", () => {
    const filler = option(0x04, Buffer.alloc(V2_REST_BYTES_MAX - IPV4.length - 3));
    const bytes = v2(0x21, 0x11, Buffer.concat([IPV4, filler]));
    assert.deepEqual(read(bytes), { used: 16 + V2_REST_BYTES_MAX, ends: ENDS, isTls: false });
  });
});

const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map(canonicalIp);
const port = fc.nat(65_535);
const ends = fc.record(
  { remoteAddress: ip, localAddress: ip, remotePort: port, localPort: port },
  { noNullPrototype: true },
);

test("what is sent is read: both versions, every mix of families", () => {
  fc.assert(
    fc.property(fc.constantFrom("v1", "v2"), ends, (version, sent) => {
      const bytes = Buffer.from(proxyHeader(version, sent), "latin1");
      assert.ok(version === "v2" || bytes.length <= V1_BYTES_MAX);
      assert.deepEqual(read(bytes), { used: bytes.length, ends: sent, isTls: false });
    }),
  );
});

test("what is sent of our own, or of somebody without an address, names nobody", () => {
  for (const version of ["v1", "v2"] as const) {
    for (const sent of [null, {}, { remoteAddress: "", localAddress: "1.2.3.4" }]) {
      const bytes = Buffer.from(proxyHeader(version, sent), "latin1");
      assert.deepEqual(read(bytes), { used: bytes.length, ends: null, isTls: false });
    }
  }
  assert.equal(proxyHeader("v1", null), "PROXY UNKNOWN\r\n");
  assert.equal(proxyHeader("v2", null), `${SIGNATURE}\x20\0\0\0`);
});

/** Headers, headers with a byte changed, cut or added, and noise. */
const anyBytes = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("v1", "v2"),
      ends,
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(),
      fc.nat(255),
      fc.boolean(),
    )
    .map(([version, sent, tail, at, byte, isChanged]) => {
      const bytes = Buffer.concat([Buffer.from(proxyHeader(version, sent), "latin1"), tail]);
      if (isChanged) bytes[at % bytes.length] = byte;
      return bytes;
    }),
  fc
    .tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 300 }), fc.nat(400))
    .map(([command, family, rest, length]) => v2(command, family, Buffer.from(rest), length)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(
      fc.constantFrom(
        "PROXY",
        " ",
        "TCP4",
        "TCP6",
        "UNKNOWN",
        "1.2.3.4",
        "::1",
        "0",
        "443",
        "\r",
        "\n",
        "\r\n",
      ),
      {
        maxLength: 30,
      },
    )
    .map((parts) => Buffer.from(parts.join(""))),
);

test("any split of any bytes gives the same result, and none crashes", () => {
  fc.assert(
    fc.property(anyBytes, fc.array(fc.nat(), { maxLength: 12 }), (bytes, cuts) => {
      const whole = read(bytes);
      assert.deepEqual(read(bytes, cuts), whole);
      assert.deepEqual(
        read(
          bytes,
          Array.from(bytes, (_, i) => i),
        ),
        whole,
      );
      // It never wants more than a header can have, and never takes more than there is.
      assert.ok(whole.used <= bytes.length);
      if (bytes.length >= 16 + V2_REST_BYTES_MAX) assert.notEqual(whole.used, NEED_MORE);
    }),
    { numRuns: 3_000 },
  );
});
