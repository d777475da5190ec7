// Law: a tenant that floods the queue leaves the others their share of worker-seconds, whatever its tasks.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../../src/core/kit/random.ts";
import type { Waiting } from "../../src/core/tasks/engine-link.ts";
import { FairQueue } from "../../src/core/tasks/fair-queue.ts";
import { dominantShare } from "../../src/core/tasks/resources.ts";

const TENANTS = 4;
const TOTAL = { cpu: 32, gpu: 4 };
const SEEDS = [1, 2, 3];

// Where nothing is known of any task, what was charged wrongly is made good only when it has ended.
for (const { isPredicted, window } of [
  { isPredicted: true, window: 100 },
  { isPredicted: false, window: 400 },
]) {
  const how = isPredicted ? "with predictions that are off by some" : "with nothing known of any task";
  test(`100:1 backlog, mixed durations and sizes, ${how}: Jain >= 0.98 over any ${window} dispatches`, (t) => {
    for (const seed of SEEDS) {
      const jains = flood(seed, isPredicted, window);
      const least = Math.min(...jains);
      t.diagnostic(`seed ${seed}: least ${least.toFixed(4)} over ${jains.length} windows`);
      assert.ok(least >= 0.98, `seed ${seed}: Jain ${least}`);
    }
  });
}

/** Jain's index of what each tenant was given, for each window of dispatches after the first ones. */
function flood(seed: number, isPredicted: boolean, window: number): number[] {
  const dice = new Random(seed);
  const queue = new FairQueue();
  const measured = new Map<string, number>();
  let count = 0;
  const add = (tenant: string, nowMs: number): void => {
    const task = randomTask(dice, tenant, count++, nowMs);
    const seconds = 0.5 + 4 * dice.float();
    measured.set(task.id, seconds);
    queue.add(task, isPredicted ? seconds * (0.7 + 0.6 * dice.float()) : 1);
  };
  for (let i = 0; i < 4_000; i++) add("t0", 0);
  for (let tenant = 1; tenant < TENANTS; tenant++) for (let i = 0; i < 40; i++) add(`t${tenant}`, 0);
  const running: { task: Waiting; endMs: number; expected: number }[] = [];
  const given: { tenant: string; cost: number }[] = [];
  for (let nowMs = 0; given.length < 1_500;) {
    while (running.length < 16) {
      const cost = (task: Waiting, seconds: number): number => seconds * dominantShare(task.resources, TOTAL);
      const turn: { task: Waiting; seconds: number }[] = [];
      queue.walk(nowMs, cost, (task, seconds) => {
        turn.push({ task, seconds });
        return "enough";
      });
      const { task, seconds: predicted } = turn[0]!;
      queue.remove(task.id);
      const expected = cost(task, predicted);
      queue.began(task, expected, nowMs);
      const seconds = measured.get(task.id)!;
      running.push({ task, endMs: nowMs + seconds * 1000, expected });
      given.push({ tenant: task.tenant, cost: cost(task, seconds) });
      // The others stay at their backlog.
      add(task.tenant, nowMs);
    }
    running.sort((a, b) => a.endMs - b.endMs);
    const ended = running.shift()!;
    nowMs = ended.endMs;
    const seconds = measured.get(ended.task.id)!;
    queue.ended(ended.task, ended.expected, seconds * dominantShare(ended.task.resources, TOTAL));
  }
  const jains: number[] = [];
  for (let from = 100; from + window <= given.length; from++) {
    const sums = Array.from({ length: TENANTS }, () => 0);
    for (const { tenant, cost } of given.slice(from, from + window)) sums[Number(tenant.slice(1))]! += cost;
    jains.push(jain(sums));
  }
  return jains;
}

function randomTask(dice: Random, tenant: string, index: number, nowMs: number): Waiting {
  const isGpu = dice.below(5) === 0;
  return {
    id: `${tenant}-${index}`,
    // Each of its own key: its duration is its own.
    key: `k${index}`,
    tenant,
    priority: 5,
    resources: isGpu ? { cpu: 1, gpu: 0.25 } : { cpu: 1 + dice.below(3) },
    labels: {},
    affinity: [],
    loop: "",
    sinceMs: nowMs,
  };
}

/** 1: all have the same; 1 / n: one has all. Source: Jain, Chiu and Hawe, DEC-TR-301, 1984. */
function jain(sums: readonly number[]): number {
  const total = sums.reduce((sum, it) => sum + it, 0);
  return total ** 2 / (sums.length * sums.reduce((sum, it) => sum + it ** 2, 0));
}
