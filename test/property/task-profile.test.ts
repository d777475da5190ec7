// What is free from now on, against the plain definition: at no moment is more taken than there is.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";

import { Profile } from "../../src/core/tasks/profile.ts";

const CAPACITY = [4, 8];
const amounts = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 4 }));
const stay = fc.record({ want: amounts, forMs: fc.integer({ min: 1, max: 12 }) });

test("each begins at the first moment at which it has room for as long as it runs, and keeps it", () => {
  const running = fc.array(stay, { maxLength: 2 });
  fc.assert(
    fc.property(running, fc.array(stay, { maxLength: 12 }), (before, asked) => {
      const free = CAPACITY.map((has, i) => has - before.reduce((sum, { want }) => sum + want[i]!, 0));
      const profile = new Profile(0, free);
      const taken = before.map(({ want, forMs }) => ({ want, fromMs: 0, toMs: forMs }));
      for (const { want, toMs } of taken.toSorted((a, b) => a.toMs - b.toMs)) profile.release(toMs, want);
      const hasRoom = (want: readonly number[], atMs: number): boolean =>
        CAPACITY.every((has, i) => {
          const stays = taken.filter(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
          return want[i] === 0 || stays.reduce((sum, it) => sum + it.want[i]!, 0) + want[i]! <= has;
        });
      for (const { want, forMs } of asked) {
        let expectedMs = 0;
        const isFit = (fromMs: number): boolean =>
          Array.from({ length: forMs }, (_, i) => fromMs + i).every((atMs) => hasRoom(want, atMs));
        while (!isFit(expectedMs)) expectedMs++;
        assert.equal(profile.earliest(want, forMs), expectedMs);
        assert.equal(profile.isFreeFirst(want), hasRoom(want, 0));
        profile.take(want, expectedMs, forMs);
        taken.push({ want, fromMs: expectedMs, toMs: expectedMs + forMs });
      }
      assert.ok(profile.stepCount <= 1 + 2 * taken.length);
    }),
  );
});

test("what is never free begins never", () => {
  const profile = new Profile(5, [1]);
  profile.release(9, [1]);
  assert.equal(profile.earliest([3], 1), Number.POSITIVE_INFINITY);
  assert.equal(profile.earliest([2], 1), 9);
  assert.equal(profile.earliest([1], 100), 5);
});
