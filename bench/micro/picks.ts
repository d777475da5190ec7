// Nanoseconds and bytes per pick, of each policy alone and of a whole `pool.pick` with its `settle`, beside a
// plain loop over an array of that size in the same run: compare the ratios, the times are of the machine.
// `--smoke` only proves that it runs.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { endpointSpec } from "../../src/core/endpoint.ts";
import type { Clock } from "../../src/core/kit/clock.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { POLICIES } from "../../src/core/policies/index.ts";
import type { PoolView } from "../../src/core/policies/policy.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { Work } from "../../src/core/work.ts";
import { median } from "../measure/statistics.ts";
import { markdownTable } from "../measure/table.ts";

const isSmoke = process.argv.includes("--smoke");
const SIZES = [10, 100, 1_000];
/** One measurement visits about so many endpoints. */
const VISITS = isSmoke ? 200_000 : 10_000_000;
const REPEATS = isSmoke ? 1 : 5;
/** So few that nothing is collected before it is counted: the young generation begins with 1 MiB. */
const BATCH_PICKS = isSmoke ? 500 : 4_000;
/** A pick every tenth of a millisecond, so that what time brings (every 100 ms) is in the price. */
const PICK_EVERY_MS = 0.1;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Keeps results alive, so that no loop is optimised away. */
let sink = 0;

main();

function main(): void {
  const rows: string[][] = [];
  for (const size of SIZES) {
    const loop = measure(plainLoop(size), size);
    rows.push(["plain loop", String(size), loop.ns.toFixed(0), "1.0", loop.bytes.toFixed(1), "", "", ""]);
    for (const { name } of POLICIES) {
      const alone = measure(pickAlone(name, size), size);
      const whole = measure(pickAndSettle(name, size), size);
      rows.push([
        name,
        String(size),
        alone.ns.toFixed(0),
        (alone.ns / loop.ns).toFixed(1),
        alone.bytes.toFixed(1),
        whole.ns.toFixed(0),
        (whole.ns / loop.ns).toFixed(1),
        whole.bytes.toFixed(1),
      ]);
    }
  }
  const head = ["policy", "endpoints", "pick, ns", "x loop", "bytes"];
  process.stdout.write(`${markdownTable([...head, "pick + settle, ns", "x loop", "bytes"], rows)}\n`);
  if (Number.isNaN(sink)) throw new Error("a result is not a number");
}

interface Cost {
  readonly ns: number;
  readonly bytes: number;
}

/** The best of some runs: what disturbs can only add. */
function measure(run: (times: number) => number, size: number): Cost {
  const times = Math.max(1_000, Math.round(VISITS / REPEATS / size));
  sink += run(times);
  let ns = Number.POSITIVE_INFINITY;
  const perPick: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const startedAt = process.hrtime.bigint();
    sink += run(times);
    ns = Math.min(ns, Number(process.hrtime.bigint() - startedAt) / times);
    // The difference of two batches: what a measurement costs in itself falls out.
    const [few, many] = [heapGrowth(run, BATCH_PICKS), heapGrowth(run, 3 * BATCH_PICKS)];
    perPick.push(Math.max(0, many - few) / (2 * BATCH_PICKS));
  }
  return { ns, bytes: median(perPick) };
}

function heapGrowth(run: (times: number) => number, times: number): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  sink += run(times);
  return process.memoryUsage().heapUsed - before;
}

/** The least of `size` numbers. */
function plainLoop(size: number): (times: number) => number {
  const random = new Random(1);
  const values = Float64Array.from({ length: size }, () => random.float());
  return (times) => {
    let sum = 0;
    for (let time = 0; time < times; time++) {
      let least = 0;
      for (let i = 1; i < size; i++) if (values[i]! < values[least]!) least = i;
      values[least]! += 1;
      sum += least;
    }
    return sum;
  };
}

/** The policy's own part: candidates are given. */
function pickAlone(name: string, size: number): (times: number) => number {
  const { ledger, pool, random } = makePool(name, size);
  const policy = createPolicy(name, { random, slotsMax: ledger.slotsMax });
  for (const { slot, id } of pool.members.list) policy.joined?.(slot, id);
  const view: Writable<PoolView> = { ledger, candidates: pool.members.slots, count: size, nowMs: 0 };
  const work = new Work();
  return (times) => {
    let sum = 0;
    for (let time = 0; time < times; time++) {
      view.nowMs += PICK_EVERY_MS;
      work.key = time & 0xffff;
      const slot = policy.pick(view, work);
      // The books change a little, so that no two picks are alike.
      ledger.inFlight[slot] = (ledger.inFlight[slot]! + 1) & 15;
      sum += slot;
    }
    return sum;
  };
}

/** Candidates, choice, booking, settling and learning; lease and work are used again. */
function pickAndSettle(name: string, size: number): (times: number) => number {
  const { pool, time } = makePool(name, size);
  const work = new Work();
  const lease = new Lease();
  return (times) => {
    let sum = 0;
    for (let count = 0; count < times; count++) {
      time[0]! += PICK_EVERY_MS;
      work.key = count & 0xffff;
      const decision = pool.pick(work, lease);
      if (decision.kind !== "send") throw new Error("a bench needs room");
      sum += lease.slot;
      lease.settle("ok");
    }
    return sum;
  };
}

/** A pool under way: requests in flight, latencies known, figures reported. */
function makePool(name: string, size: number): BenchPool {
  const random = new Random(7);
  const time = new Float64Array(1);
  const clock: Clock = { nowMs: () => time[0]! };
  const ledger = new Ledger({ slotsMax: size });
  const pool = new Pool({
    name: "bench",
    ledger,
    clock,
    random,
    policy: createPolicy(name, { random, slotsMax: size }),
    options: DEFAULT_POOL_OPTIONS,
  });
  pool.update(Array.from({ length: size }, (_, index) => endpointSpec(`10.0.0.${index}:8000`)));
  const warmUps = Array.from({ length: size * 4 }, () => {
    const lease = new Lease();
    pool.pick(new Work(), lease);
    return lease;
  });
  // All answer in 20 ms: nobody is slow, so that weights are what most pools have.
  time[0]! += 20;
  for (const [index, lease] of warmUps.entries()) if (index % 2 === 0) lease.settle("ok");
  for (const endpoint of pool.members.list) {
    pool.reported(endpoint, random.float(), random.float(), random.float());
  }
  return { pool, ledger, time, random };
}

interface BenchPool {
  readonly pool: Pool;
  readonly ledger: Ledger;
  /** One element: the clock's milliseconds. */
  readonly time: Float64Array;
  readonly random: Random;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
