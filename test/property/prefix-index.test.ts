import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PrefixIndex } from "../../src/core/affinity/prefix-index.ts";
import { Forecast } from "../../src/core/forecast.ts";
import { combine } from "../../src/core/kit/hash.ts";
import { Prompt } from "../../src/core/prompt.ts";

const SLOTS = 4;
const POOL = 7;
const ROOMY_BYTES = 12 * 2 ** 18;
const forecast = new Forecast();

test("an endpoint has the longest prefix of what went there, and no other has it", () => {
  const placed = fc.array(fc.tuple(path(), fc.nat(SLOTS - 1)), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(placed, path(), (placements, asked) => {
      const index = new PrefixIndex(PrefixIndex.memory(SLOTS, ROOMY_BYTES, false));
      for (const [labels, slot] of placements) index.note(prompt(labels), slot, 1, POOL);
      for (let slot = 0; slot < SLOTS; slot++) {
        const there = placements
          .filter(([, at]) => at === slot)
          .map(([labels]) => commonPrefix(labels, asked));
        assert.equal(index.match(prompt(asked), slot, 1), Math.max(0, ...there));
        assert.equal(index.match(prompt(asked), slot, 2), 0, "another endpoint of the same slot");
      }
      const anywhere = placements.map(([labels]) => commonPrefix(labels, asked));
      assert.equal(index.matchAnywhere(prompt(asked), POOL), Math.max(0, ...anywhere));
    }),
  );
});

test("what is beyond the endpoint's capacity is forgotten, but not what was used since", () => {
  const index = new PrefixIndex(PrefixIndex.memory(SLOTS, ROOMY_BYTES, false));
  index.capacity[0] = 1_000;
  const first = prompt(Array.from({ length: 300 }, () => 1));
  const fill = (label: number): void =>
    index.note(prompt(Array.from({ length: 300 }, () => label)), 0, 1, POOL);
  index.note(first, 0, 1, POOL);
  fill(2);
  fill(3);
  assert.equal(index.match(first, 0, 1), 300);
  index.note(first, 0, 1, POOL);
  fill(4);
  fill(5);
  assert.equal(index.match(first, 0, 1), 300, "used since");
  const second = prompt(Array.from({ length: 300 }, () => 2));
  assert.equal(index.match(second, 0, 1), 0, "four others since");
  index.advance(0, 600);
  assert.equal(index.match(first, 0, 1), 0, "answers take room, too");
  assert.equal(index.matchAnywhere(first, POOL), 300, "the pool has seen it");
});

test("the capacity is learned from what was not cached, whatever it really is", () => {
  const real = fc.integer({ min: 30, max: 3_000 });
  fc.assert(
    fc.property(real, fc.integer(), (capacityBlocks, seed) => {
      const index = new PrefixIndex(PrefixIndex.memory(1, ROOMY_BYTES, false));
      const cache = new Lru(capacityBlocks);
      let state = seed | 0;
      const dice = (below: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
        return (state >>> 8) % below;
      };
      let wrong = 0;
      let asked = 0;
      for (let i = 0; i < 4_000; i++) {
        const labels = [dice(Math.ceil(capacityBlocks / 4)), 0, 0, 0, 0, 0, 0, 0];
        const work = prompt(labels);
        index.expect(work, 0, 1, forecast);
        const matched = forecast.matchedBlocks;
        const cached = cache.use(labels);
        index.note(work, 0, 1, POOL);
        index.learn(0, forecast, cached);
        if (i < 2_000) continue;
        asked++;
        if (Math.abs(matched - cached) > 1) wrong++;
      }
      assert.ok(wrong / asked < 0.15, `${wrong} of ${asked} with a cache of ${capacityBlocks}`);
    }),
    { numRuns: 20 },
  );
});

test("an engine that caches nothing is found out", () => {
  const index = new PrefixIndex(PrefixIndex.memory(1, ROOMY_BYTES, false));
  const work = prompt([1, 2, 3, 4, 5]);
  for (let i = 0; i < 60; i++) {
    index.expect(work, 0, 1, forecast);
    index.learn(0, forecast, 0);
    index.note(work, 0, 1, POOL);
  }
  assert.equal(index.match(work, 0, 1), 0);
  for (let i = 0; i < 60; i++) {
    index.expect(work, 0, 1, forecast);
    index.learn(0, forecast, 5);
    index.note(work, 0, 1, POOL);
  }
  assert.equal(index.match(work, 0, 1), 5, "and that it does, after all");
});

test("a full table forgets what was used least lately, and stays within its bytes", () => {
  const memory = PrefixIndex.memory(1, 12 * 1_024, false);
  assert.ok(memory.buffer.byteLength < 16 * 1_024);
  const index = new PrefixIndex(memory);
  const kept = prompt([7, 7, 7, 7]);
  for (let i = 0; i < 2_000; i++) {
    index.note(prompt([100 + i, 1, 2]), 0, 1, POOL);
    index.note(kept, 0, 1, POOL);
  }
  assert.equal(index.match(kept, 0, 1), 4);
  assert.equal(index.match(prompt([100, 1, 2]), 0, 1), 0);
});

test("threads see one another's entries in shared memory", () => {
  const memory = PrefixIndex.memory(SLOTS, ROOMY_BYTES, true);
  const here = new PrefixIndex(memory);
  const there = new PrefixIndex(structuredClone(memory));
  here.note(prompt([1, 2]), 3, 5, POOL);
  assert.equal(there.match(prompt([1, 2, 3]), 3, 5), 2);
});

/** Few labels, so that prefixes meet. */
function path(): fc.Arbitrary<number[]> {
  return fc.array(fc.nat(2), { minLength: 0, maxLength: 40 });
}

/** Each block's hash depends on all labels up to it. */
function prompt(labels: readonly number[]): Prompt {
  const made = new Prompt();
  made.blocks = new Uint32Array(labels.length * 2);
  let a = 1;
  let b = 2;
  for (const [i, label] of labels.entries()) {
    a = combine(a, label);
    b = combine(b, label ^ 0x5555);
    made.blocks[i * 2] = a;
    made.blocks[i * 2 + 1] = b;
  }
  made.blockCount = labels.length;
  made.tokens = labels.length * made.blockTokens + 1;
  return made;
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return length;
}

/** An engine's cache, exactly: blocks by their path, the least lately used goes first. */
class Lru {
  readonly #capacity: number;
  readonly #blocks: Set<string> = new Set();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many blocks of the prompt were there. */
  use(labels: readonly number[]): number {
    const names = labels.map((_, i) => labels.slice(0, i + 1).join("."));
    let cached = 0;
    while (cached < names.length && this.#blocks.has(names[cached]!)) cached++;
    for (const name of names) {
      this.#blocks.delete(name);
      this.#blocks.add(name);
    }
    for (const name of this.#blocks) {
      if (this.#blocks.size <= this.#capacity) break;
      this.#blocks.delete(name);
    }
    return cached;
  }
}
