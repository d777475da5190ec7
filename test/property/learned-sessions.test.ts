import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { LearnedSessions } from "../../src/core/affinity/learned.ts";
import { hashTextWide } from "../../src/core/kit/hash.ts";
import { LruTable } from "../../src/core/kit/lru-table.ts";
import { Random } from "../../src/core/kit/random.ts";

const TTL_MS = 80;
const IDS = ["a", "b", "c", "d"];

/** What the table should do, as plainly as it can be said. */
class Model {
  /** By hash, in the order of use. */
  readonly #entries: Map<number, { id: string; untilMs: number }> = new Map();
  readonly #most: number;
  learned = 0;
  evicted = 0;

  constructor(most: number) {
    this.#most = most;
  }

  find(hash: number, nowMs: number): string | null {
    const entry = this.#living(hash, nowMs);
    if (entry === undefined) return null;
    this.#put(hash, entry.id, nowMs + TTL_MS);
    return entry.id;
  }

  learn(hash: number, id: string, nowMs: number): void {
    for (const [hash, { untilMs }] of this.#entries) if (untilMs <= nowMs) this.#entries.delete(hash);
    const before = this.#living(hash, nowMs);
    if (before?.id !== id) this.learned++;
    if (before === undefined && this.#entries.size === this.#most) {
      this.#entries.delete(this.#entries.keys().next().value!);
      this.evicted++;
    }
    this.#put(hash, id, nowMs + TTL_MS);
  }

  keepOnly(ids: ReadonlySet<string>): void {
    for (const [hash, { id }] of this.#entries) if (!ids.has(id)) this.#entries.delete(hash);
  }

  /** Oldest first. */
  list(nowMs: number): [number, string, number][] {
    return [...this.#entries]
      .filter(([, { untilMs }]) => untilMs > nowMs)
      .map(([hash, { id, untilMs }]) => [hash, id, untilMs - nowMs]);
  }

  #living(hash: number, nowMs: number): { id: string; untilMs: number } | undefined {
    const entry = this.#entries.get(hash);
    return entry !== undefined && entry.untilMs > nowMs ? entry : undefined;
  }

  #put(hash: number, id: string, untilMs: number): void {
    this.#entries.delete(hash);
    this.#entries.set(hash, { id, untilMs });
  }
}

function listOf(table: LearnedSessions, nowMs: number): [number, string, number][] {
  const { ids, hashes, homes, leftMs } = table.dump(nowMs);
  return hashes.map((hash, i) => [hash, ids[homes[i]!]!, leftMs[i]!]);
}

// Few hashes, some of which meet in a bucket and some of which only differ above 32 bits.
const hash = fc.oneof(
  fc.nat(12),
  fc.nat(3).map((n) => n * 16),
  fc.nat(3).map((n) => n * 2 ** 32 + 1),
);
const id = fc.constantFrom(...IDS);
// Times are in steps, so that what expires at once is found at once by the few that a call looks at.
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("learn" as const), hash, id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("find" as const), hash }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(TTL_MS / 2) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("keep" as const), ids: fc.subarray(IDS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("move" as const) }) },
);

test("a table does what its model does: bounds, order of use, times, departures, hand-over", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(command, { maxLength: 80 }), (most, commands) => {
      let table = new LearnedSessions(most, TTL_MS);
      const model = new Model(most);
      let nowMs = 0;
      for (const it of commands) {
        // Whatever has expired counts no more: the table forgets two a call, its model all.
        table.count(nowMs);
        if (it.do === "learn") {
          table.learn(it.hash, it.id, nowMs);
          model.learn(it.hash, it.id, nowMs);
        } else if (it.do === "find") {
          assert.equal(table.find(it.hash, nowMs), model.find(it.hash, nowMs));
        } else if (it.do === "wait") nowMs += it.ms;
        else if (it.do === "keep") {
          table.keepOnly(new Set(it.ids));
          model.keepOnly(new Set(it.ids));
        } else {
          const other = new LearnedSessions(most, TTL_MS);
          other.takeOver(table, nowMs);
          table = other;
        }
        assert.deepEqual(
          listOf(table, nowMs).toSorted(byExpiry),
          model.list(nowMs).toSorted(byExpiry),
          JSON.stringify(it),
        );
        assert.equal(table.count(nowMs), model.list(nowMs).length);
        assert.deepEqual([table.learned, table.evicted], [model.learned, model.evicted]);
      }
    }),
    { numRuns: 1_000 },
  );
});

/** A hand-over keeps the order of expiry, which among equals need not be that of use. */
function byExpiry([a, , left]: [number, string, number], [b, , right]: [number, string, number]): number {
  return left - right || a - b;
}

test("two tables that tell each other agree on every session that is in use", () => {
  const step = fc.record({ hash: fc.nat(15), id, at: fc.nat(1), isUse: fc.boolean(), ms: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const tables: LearnedSessions[] = [0, 1].map(
        (n) => new LearnedSessions(64, TTL_MS, (hash, id, untilMs) => tables[1 - n]!.hear(hash, id, untilMs)),
      );
      let nowMs = 0;
      for (const { hash, id, at, isUse, ms } of steps) {
        nowMs += ms;
        const [here, there] = [tables[at]!, tables[1 - at]!];
        if (!isUse) here.learn(hash, id, nowMs);
        const found = here.find(hash, nowMs);
        if (found === null) continue;
        // Used here just now: the other knows it, for all but an eighth of its time.
        const left = listOf(there, nowMs).find(([other]) => other === hash);
        assert.ok(left !== undefined, `${hash} is not known there`);
        assert.equal(left[1], found);
        assert.ok(left[2] >= TTL_MS * (7 / 8), `${left[2]} ms left`);
      }
    }),
    { numRuns: 300 },
  );
});

test("a session that is in use in one thread survives a flood of others in all of them", () => {
  const most = 64;
  const tables: LearnedSessions[] = [0, 1].map(
    (n) => new LearnedSessions(most, 1e9, (hash, id, untilMs) => tables[1 - n]!.hear(hash, id, untilMs)),
  );
  const [here, there] = [tables[0]!, tables[1]!];
  here.learn(1, "a", 0);
  for (let i = 0; i < 10_000; i++) {
    there.learn(1_000 + i, "b", i);
    assert.equal(here.find(1, i), "a");
    assert.ok(
      listOf(there, i).some(([hash]) => hash === 1),
      `lost after ${i}`,
    );
  }
  assert.equal(there.count(10_000), most);
});

test("what makes no sense is not loaded, and what is known is known better", () => {
  const table = new LearnedSessions(10, TTL_MS);
  table.learn(7, "a", 0);
  const ids = ["a", "b", ""];
  const hashes = [7, 8, -1, 0.5, Number.NaN, 9, 10, 11, 12];
  const homes = [1, 1, 1, 1, 1, 5, 2, 1, 1];
  const leftMs = [50, 50, 50, 50, 50, 50, 50, Number.NaN, 1e9];
  table.load({ ids, hashes, homes, leftMs }, 0);
  assert.deepEqual(listOf(table, 0).toSorted(byExpiry), [
    [8, "b", 50],
    [7, "a", TTL_MS],
    [12, "b", TTL_MS],
  ]);
  assert.equal(table.learned, 1);
});

test("a table that is loaded with more than it holds keeps those used last", () => {
  const from = new LearnedSessions(100, TTL_MS);
  for (let i = 0; i < 100; i++) from.learn(i, "a", i / 10);
  const to = new LearnedSessions(10, TTL_MS);
  to.load(from.dump(10), 10);
  assert.deepEqual(
    listOf(to, 10).map(([hash]) => hash),
    [90, 91, 92, 93, 94, 95, 96, 97, 98, 99],
  );
  assert.equal(to.evicted, 0);
});

test("the plain data survives JSON", () => {
  const from = new LearnedSessions(10, TTL_MS);
  from.learn(hashTextWide("session"), "a", 0);
  const to = new LearnedSessions(10, TTL_MS);
  to.load(JSON.parse(JSON.stringify(from.dump(5))), 5);
  assert.equal(to.find(hashTextWide("session"), 6), "a");
});

test("wide hashes are whole numbers below 2^52, spread, and do not meet", () => {
  const seed = 20_26;
  const random = new Random(seed);
  const seen = new Set<number>();
  const halves = [0, 0];
  const count = 300_000;
  for (let i = 0; i < count; i++) {
    const text = i % 2 === 0 ? `session-${i}` : random.uint32().toString(36) + random.uint32().toString(36);
    const value = hashTextWide(text);
    assert.ok(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52, text);
    seen.add(value);
    halves[value >= 2 ** 51 ? 1 : 0]!++;
  }
  assert.equal(seen.size, count, `seed ${seed}`);
  for (const half of halves) assert.ok(Math.abs(half - count / 2) < count / 50, String(half));
});

test("an LRU table that is full says so, and uses places again", () => {
  const table = new LruTable(2);
  const first = table.add(5);
  table.add(21);
  assert.throws(() => table.add(37), /more than 2/);
  table.touch(first);
  assert.equal(table.hashAt(table.oldest), 21);
  table.remove(table.oldest);
  const again = table.add(37);
  assert.deepEqual([table.find(5), table.find(21), table.find(37)], [first, 0, again]);
  assert.equal(table.count, 2);
});
