import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { FrameMeter, goingAwayFrame } from "../../src/proxy/frame-meter.ts";
import { CLOSE, frame, readFrame } from "../fixtures/websocket.ts";

const MASK = Uint8Array.of(0xa5, 0, 0xff, 7);

const frames = fc.array(
  fc.record({
    opcode: fc.integer({ min: 0, max: 15 }),
    length: fc.oneof(fc.nat(300), fc.constantFrom(0, 125, 126, 127, 65_535, 65_536)),
    isMasked: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

test("a frame ends where its header says, however the bytes are cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (list, cuts) => {
      const bytes = Buffer.concat(
        list.map(({ opcode, length, isMasked }) =>
          frame(opcode, Buffer.alloc(length, 0x88), isMasked ? MASK : null),
        ),
      );
      const boundaries = new Set([0]);
      let closedFrom = Number.POSITIVE_INFINITY;
      for (let at = 0; at < bytes.length;) {
        const { opcode, length } = readFrame(bytes, at)!;
        if (opcode === CLOSE) closedFrom = Math.min(closedFrom, at + 1);
        at += length;
        boundaries.add(at);
      }
      const meter = new FrameMeter();
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
        meter.take(bytes.subarray(at, end));
        at = end;
        assert.equal(meter.isAtBoundary, boundaries.has(at), `at ${at}`);
        assert.equal(meter.hasClosed, at >= closedFrom, `closed at ${at}`);
      }
      assert.equal(meter.isAtBoundary, true);
    }),
  );
});

test("bytes that are no frames do no harm", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 50 }), (pieces) => {
      const meter = new FrameMeter();
      for (const piece of pieces) meter.take(piece);
      assert.equal(typeof meter.isAtBoundary, "boolean");
    }),
  );
  const meter = new FrameMeter();
  meter.take(Uint8Array.of(0x82, 0x7f, 255, 255, 255, 255, 255, 255, 255, 255));
  meter.take(Buffer.alloc(1_000_000));
  assert.equal(meter.isAtBoundary, false);
});

test("the Close frame of ours says 1001, masked to a server", () => {
  for (const mask of [null, MASK]) {
    const { opcode, isMasked, payload, length } = readFrame(Buffer.from(goingAwayFrame(mask)))!;
    assert.equal(opcode, CLOSE);
    assert.equal(isMasked, mask !== null);
    assert.equal(payload.readUInt16BE(0), 1001);
    assert.equal(length, mask === null ? 4 : 8);
  }
});
