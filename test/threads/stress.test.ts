// Threads are ended at random points, over and over: whatever they were doing, nothing stays wrong.
import assert from "node:assert/strict";
import { once } from "node:events";
import { it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/core/kit/random.ts";
import { until } from "../fixtures/until.ts";
import { TOLD } from "./books.ts";
import { Hall } from "./hall.ts";

const SEED = Number(process.env.EVENER_SEED ?? 20_261_124);
const SECONDS = Number(process.env.EVENER_STRESS_SECONDS ?? 16) / 2;
const THREADS = 4;
/** A slow machine gets more time for them. */
const DEATHS_MIN = 1_000;
const PATIENCE_MS = 40_000;

it(`threads end where they stand, thousands of times in ${SECONDS} s (seed ${SEED})`, async (t) => {
  const hall = crowd(t);
  const numbers = Array.from({ length: THREADS }, (_, i) => i + 1);
  const workers = await Promise.all(numbers.map((number) => hall.start(number, "lives")));
  const done = workers.map((worker) => once(worker, "message"));
  for (const worker of workers) worker.postMessage("begin");
  const endMs = performance.now() + SECONDS * 1000;
  const lastMs = endMs + PATIENCE_MS;
  const mayStop = (nowMs: number): boolean => nowMs > endMs && hall.told[TOLD.deaths]! >= DEATHS_MIN;
  while (!mayStop(performance.now()) && performance.now() < lastMs) await sleep(50);
  hall.told[TOLD.stop] = 1;
  await Promise.all(done);
  await assertNothingLeft(hall);
  t.diagnostic(`${hall.told[TOLD.deaths]} deaths; ${hall.diary.length} lines in the diary`);
  assert.ok(hall.told[TOLD.deaths]! >= DEATHS_MIN, "too few deaths: the test proves little");
});

it(`worker threads are terminated and replaced for ${SECONDS} s (seed ${SEED})`, async (t) => {
  const hall = crowd(t);
  const dice = new Random(SEED);
  const endMs = performance.now() + SECONDS * 1000;
  let deaths = 0;
  /** One life after the other, in the place of one thread. */
  const lives = async (thread: number): Promise<void> => {
    do {
      const worker = await hall.start(thread);
      const ended = once(worker, "exit");
      worker.postMessage("begin");
      await sleep(dice.float() * LIFE_MS);
      void worker.terminate();
      await ended;
      hall.bury(thread);
      deaths++;
    } while (performance.now() < endMs);
  };
  await Promise.all(Array.from({ length: THREADS }, (_, i) => lives(i + 1)));
  await assertNothingLeft(hall);
  t.diagnostic(`${deaths} deaths; ${hall.diary.length} lines in the diary`);
  assert.ok(deaths >= 4 * THREADS, "too few deaths: the test proves little");
});

function crowd(t: TestContext): Hall {
  const diaryMax = Math.min(SECONDS, 600) * 200_000;
  const load = { clients: 6, picks: Number.POSITIVE_INFINITY, turnsMax: 2 };
  const hall = new Hall({ threads: THREADS, endpoints: 5, limit: 1, seed: SEED, ...load, diaryMax });
  t.after(() => hall.close());
  return hall;
}

/** Books are at zero, and whoever takes a dead thread's place works and finds every place free. */
async function assertNothingLeft(hall: Hall): Promise<void> {
  assertRest(hall);
  hall.told[TOLD.stop] = 0;
  const before = hall.told.slice();
  const served = (thread: number): number => hall.told[TOLD.done + thread]! - before[TOLD.done + thread]!;
  const numbers = Array.from({ length: THREADS }, (_, i) => i + 1);
  await hall.close();
  const workers = await Promise.all(numbers.map((number) => hall.start(number)));
  const done = workers.map((worker) => once(worker, "message"));
  for (const worker of workers) worker.postMessage("begin");
  await until(
    () => numbers.every((number) => served(number) > 100),
    () => `work of every thread; done: ${numbers.map(served).join(", ")}`,
  );
  hall.told[TOLD.stop] = 1;
  await Promise.all(done);
  assertRest(hall);
  const waited = hall.diary.check();
  assert.ok(waited > 50, `only ${waited} waited: the test proves little`);
}

function assertRest(hall: Hall): void {
  assert.equal(hall.told[TOLD.broken], 0, "a place had two owners");
  assert.equal(hall.inFlight(), 0, "somebody dead is in flight");
  assert.equal(hall.board.length, 0, "somebody dead waits");
  const { pendingUnits, trial } = hall.ledger;
  assert.deepEqual(
    [Math.max(...pendingUnits), Math.max(...trial)],
    [0, 0],
    "somebody dead has work, or tries",
  );
}

/** A worker lives so long at most, from its first pick on. */
const LIFE_MS = 12;
