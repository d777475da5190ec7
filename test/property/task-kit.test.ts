// The heap that can be looked into and the bucket, against their plain definitions.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { type HeapMember, IndexedHeap } from "../../src/core/kit/indexed-heap.ts";
import { TokenBucket } from "../../src/core/kit/token-bucket.ts";

interface Item extends HeapMember {
  readonly value: number;
  readonly sequence: number;
}

test("members leave from anywhere, and a walk sees the rest in order and changes nothing", () => {
  const step = fc.record({ isAdd: fc.boolean(), value: fc.nat(20), which: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat(40), (steps, looks) => {
      const isLess = (a: Item, b: Item): boolean =>
        a.value < b.value || (a.value === b.value && a.sequence < b.sequence);
      const heap = new IndexedHeap<Item>(isLess);
      const model: Item[] = [];
      for (const [sequence, { isAdd, value, which }] of steps.entries()) {
        if (isAdd || model.length === 0) {
          const item = { value, sequence, heapIndex: -1 };
          heap.add(item);
          model.push(item);
        } else {
          const [item] = model.splice(which % model.length, 1);
          heap.remove(item!);
          assert.equal(item!.heapIndex, -1);
        }
        const sorted = model.toSorted((a, b) => (isLess(a, b) ? -1 : 1));
        assert.equal(heap.peek(), sorted[0]);
        const seen: Item[] = [];
        const walk = heap.walk();
        while (seen.length < looks && walk.peek() !== undefined) {
          seen.push(walk.peek()!);
          walk.skip();
        }
        assert.deepEqual(seen, sorted.slice(0, looks));
        assert.equal(heap.size, model.length);
      }
    }),
  );
});

test("a bucket never lets more pass than its burst and its rate, and never fewer to one that waits", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 50 }),
      (all, burst, rate) => {
        const bucket = new TokenBucket(rate, burst, 0);
        let nowMs = 0;
        let taken = 0;
        for (const gap of all) {
          nowMs += gap;
          if (bucket.take(nowMs)) taken++;
          else {
            const nextMs = bucket.nextMs(nowMs);
            assert.ok(nextMs > nowMs && nextMs <= nowMs + 1000 / rate + 1e-6);
            nowMs = nextMs;
            assert.ok(bucket.take(nowMs));
            taken++;
          }
          assert.ok(taken <= burst + (nowMs / 1000) * rate + 1e-6);
        }
      },
    ),
  );
});

test("no limit is no limit; a step back of the clock gives nothing", () => {
  const free = new TokenBucket(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0);
  for (let i = 0; i < 1000; i++) assert.ok(free.take(0));
  assert.equal(free.available(5), Number.POSITIVE_INFINITY);
  const bucket = new TokenBucket(1, 1, 1000);
  assert.ok(bucket.take(1000));
  assert.equal(bucket.take(0), false);
  assert.equal(bucket.take(1999), false);
  assert.ok(bucket.take(2000));
});
