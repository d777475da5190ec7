// Law: all is done nearly as soon as it could be, whatever the mix and however unequal the workers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../src/core/kit/random.ts";
import { Floor, floorTask, floorWorker, longestFirst, lowerBound, MIXES } from "./task-floor.ts";

const SEEDS = [1, 2, 3];
const SIZES = [
  { tasks: 100, workers: 4, slots: 2 },
  { tasks: 2_000, workers: 16, slots: 4 },
];

for (const [name, mix] of Object.entries(MIXES)) {
  for (const size of SIZES) {
    const how = `${name}, ${size.tasks} tasks, ${size.workers} x ${size.slots} slots`;
    test(`${how}: equal workers, within 5 % of the longest first`, (t) => {
      for (const seed of SEEDS) {
        const equal = run(seed, mix, size, 1, { speeds: true, seconds: true });
        t.diagnostic(`seed ${seed}: ${equal.makespanS.toFixed(2)} s, ${told(equal.ofLongestFirst)}`);
        assert.ok(equal.ofLongestFirst <= 1.05, `seed ${seed}: ${told(equal.ofLongestFirst)}`);
      }
    });
    test(`${how}: one worker 4 x slower, speeds known, within 10 % of the lower bound`, (t) => {
      for (const seed of SEEDS) {
        const uneven = run(seed, mix, size, 4, { speeds: true, seconds: true });
        t.diagnostic(`seed ${seed}: ${uneven.makespanS.toFixed(2)} s, ${told(uneven.ofBound)} of the bound`);
        assert.ok(uneven.ofBound <= 1.1, `seed ${seed}: ${told(uneven.ofBound)}`);
      }
    });
  }
  test(`${name}, 2,000 tasks, all learned: from cold late by one unlucky task at most, then within 10 %`, (t) => {
    for (const seed of SEEDS) {
      for (const slowness of [1, 4]) {
        const { floor, ...cold } = run(seed, mix, SIZES[1]!, slowness, { speeds: false, seconds: false });
        const warm = more(floor, new Random(seed + 100), mix, SIZES[1]!.tasks);
        const said = `one ${slowness} x slower, seed ${seed}: cold ${told(cold.ofBound)}, then ${told(warm)}`;
        t.diagnostic(`${said}; learned ${floor.durations.slowness("w0").toFixed(2)}`);
        // Nobody knew that it is long, nor that its worker is slow: it begins last, and there.
        const unluckyS = cold.longestS * slowness;
        assert.ok(cold.makespanS <= 1.1 * cold.boundS + unluckyS && warm <= 1.1, said);
      }
    }
  });
}

test("monotone: a faster worker never gets less, and each gets about its part", (t) => {
  for (const seed of SEEDS) {
    const shares = [0.5, 0.8, 1, 1.25, 2, 4, 10].map((slowness) => {
      const { floor } = run(seed, MIXES.lognormal!, SIZES[1]!, slowness, { speeds: true, seconds: true });
      const [odd, ...peers] = floor.workers;
      const mean = peers.reduce((sum, { doneS }) => sum + doneS, 0) / peers.length;
      return { slowness, share: odd!.doneS / mean };
    });
    const said = shares.map(({ slowness, share }) => `${slowness}: ${share.toFixed(3)}`).join(", ");
    t.diagnostic(`seed ${seed}, of its peers' work by slowness: ${said}`);
    for (const [i, { slowness, share }] of shares.entries()) {
      if (i > 0) assert.ok(share < shares[i - 1]!.share, `seed ${seed}: ${said}`);
      // A slow one has to stop early: what it began late would be the last to end.
      assert.ok(share * slowness > (slowness > 4 ? 0.5 : 0.85), `seed ${seed}: ${said}`);
      assert.ok(share * slowness < 1.15, `seed ${seed}: ${said}`);
    }
  }
});

interface Ran {
  readonly floor: Floor;
  readonly makespanS: number;
  readonly boundS: number;
  readonly longestS: number;
  /** Times the bound. */
  readonly ofBound: number;
  readonly ofLongestFirst: number;
}

/** The first worker takes `slowness` times as long as the others. */
function run(
  seed: number,
  mix: (typeof MIXES)[string],
  { tasks, workers, slots }: (typeof SIZES)[number],
  slowness: number,
  known: { readonly speeds: boolean; readonly seconds: boolean },
): Ran {
  const dice = new Random(seed);
  const all = Array.from({ length: workers }, (_, i) =>
    floorWorker(`w${i}`, { slots, slowness: i === 0 ? slowness : 1 }),
  );
  const floor = new Floor(all, known);
  const seconds = submit(floor, dice, mix, tasks);
  const places = placesOf(floor);
  const makespanS = floor.drain();
  const boundS = lowerBound(seconds, places);
  return {
    floor,
    makespanS,
    boundS,
    longestS: Math.max(...seconds),
    ofBound: makespanS / boundS,
    ofLongestFirst: makespanS / longestFirst(seconds, places),
  };
}

/** Another run on the same floor; times the bound. */
function more(floor: Floor, dice: Random, mix: (typeof MIXES)[string], tasks: number): number {
  const seconds = submit(floor, dice, mix, tasks);
  return floor.drain() / lowerBound(seconds, placesOf(floor));
}

function submit(floor: Floor, dice: Random, mix: (typeof MIXES)[string], tasks: number): number[] {
  return Array.from({ length: tasks }, () => {
    const { seconds, key } = mix(dice);
    const id = `t${floor.starts.length}-${floor.queue.size}`;
    floor.submit(floorTask(id, { key: floor.knowsSeconds ? id : key, sinceMs: floor.nowMs }), seconds);
    return seconds;
  });
}

function placesOf({ workers }: Floor): number[] {
  return workers.flatMap(({ facts, slowness }) => Array.from({ length: facts.slots }, () => slowness));
}

function told(times: number): string {
  return `${times.toFixed(3)} times`;
}
