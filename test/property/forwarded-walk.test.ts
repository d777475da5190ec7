// Whatever stands in a forwarding field, only what is well formed comes out of the walk.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalIp, IpRanges, parseIpRange } from "../../src/core/kit/ip-address.ts";
import { HOPS_MAX, Walk, walkAddresses, walkElements } from "../../src/proxy/forwarded-walk.ts";

const TRUSTED = new IpRanges(["10.0.0.0/8", "::1"].map((text) => parseIpRange(text)!.range));

const piece = fc.constantFrom(
  ..."1.2.3.4|10.0.0.1|::1|2001:db8::7|[::1]|[::1]:80|1.2.3.4:80|for=|For=|by=|proto=|host=|http|https|a.example".split(
    "|",
  ),
  ...'unknown|_x|"|\\|,|, |;|; |=| |\t|x|\xff|256|:|[|]'.split("|"),
);
const wellFormed = fc.constantFrom(
  "for=1.2.3.4",
  'for="[::1]:80";proto=https',
  "for=10.0.0.1;by=_x",
  "for=unknown",
  'host="a:1";for=10.0.0.2',
  'x="a,b\\"c"',
);
const text = fc.oneof(
  fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.array(fc.oneof(wellFormed, wellFormed, piece), { maxLength: 50 }).map((elements) => elements.join(", ")),
  fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), piece), { maxLength: 50 }).map((hops) => hops.join(",")),
  fc.string({ unit: "binary", maxLength: 200 }),
);

function assertSound(walk: Walk): void {
  const hops = walk.hops === "" ? [] : walk.hops.split(", ");
  assert.ok(hops.length <= HOPS_MAX);
  for (const hop of hops) assert.equal(canonicalIp(hop), hop);
  assert.equal(walk.nearest, hops.at(-1) ?? "");
  const fromRight = hops.toReversed();
  assert.equal(walk.client, fromRight.find((hop) => !TRUSTED.hasText(hop)) ?? hops[0] ?? "");
}

test("X-Forwarded-For: addresses alone come out, and walked again they give the same", () => {
  fc.assert(
    fc.property(text, (list) => {
      const walk = new Walk();
      walkAddresses(list, TRUSTED, walk);
      assertSound(walk);
      const again = new Walk();
      walkAddresses(walk.hops, TRUSTED, again);
      assert.deepEqual(again, walk);
    }),
    { numRuns: 5_000 },
  );
});

test("Forwarded: what is kept is a part of what came, and walked again it gives the same", () => {
  fc.assert(
    fc.property(text, (list) => {
      const walk = new Walk();
      walkElements(list, TRUSTED, walk);
      assertSound(walk);
      assert.ok(list.includes(walk.kept));
      const again = new Walk();
      walkElements(walk.kept, TRUSTED, again);
      assert.deepEqual(again, walk);
      // Ours behind it is read as ours, whatever it was.
      walkElements(
        `${walk.kept === "" ? "" : `${walk.kept}, `}for=9.9.9.9;proto=http;host="a"`,
        TRUSTED,
        again,
      );
      assert.equal(again.nearest, "9.9.9.9");
      assert.equal(again.client, "9.9.9.9");
    }),
    { numRuns: 5_000 },
  );
});
