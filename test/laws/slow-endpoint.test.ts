// Law: a slow endpoint gets less. By what the policy sees of itself, and with the slowdown rules under any
// policy.
import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { goodputWithOneSlow, linkerd2016 } from "../scenarios/experiments.ts";
import { type OpenLoopResult, runOpenLoop } from "../scenarios/open-loop.ts";
import { equals, law, LOAD_AWARE, makeFleet, send, SPREADING, work } from "./law.ts";

const FAST_MS = 100;
const REQUESTS = 8_000;
const FAIR = 1 / 6;

law(
  "a slow endpoint gets less",
  (policy, seed) => {
    const share = slowShare(fleetWithOneSlow(policy, seed, 4));
    assert.ok(share <= FAIR * 0.7, `4 times slower, it got ${(share / FAIR).toFixed(2)} of its fair share`);
  },
  { policies: LOAD_AWARE },
);

law(
  "with the slowdown rules, a slow endpoint gets less under any policy that spreads",
  (policy, seed) => {
    const { slowdown } = DEFAULT_POOL_OPTIONS;
    const share = slowShare(fleetWithOneSlow(policy, seed, 6, { slowdown }));
    assert.ok(share <= FAIR * 0.6, `6 times slower, it got ${(share / FAIR).toFixed(2)} of its fair share`);
    assert.ok(share > 0.001, "it got none at all: nobody would see it recover");
  },
  { policies: SPREADING },
);

law("what was measured long ago ejects nobody, however fast the peers have become", (policy, seed) => {
  const options = { ...DEFAULT_POOL_OPTIONS, slowStartMs: 0 };
  const specs = equals(3, (i) => ({ labels: { n: String(i) } }));
  const { pool, clock, events } = makeFleet(policy, seed, { specs, options });
  /** One request to that endpoint, answered after `ms`. */
  const ask = (index: number, ms: number): void => {
    const lease = send(pool, work({ labels: { n: String(index) } }));
    clock.advance(ms);
    lease.settle("ok");
  };
  for (let round = 0; round < 30; round++)
    for (const index of [0, 1, 2]) ask(index, index === 0 ? 1_000 : 100);
  const isEjected = (): boolean =>
    events.some(({ kind, endpoint }) => kind === "ejected" && endpoint === "b0");
  assert.equal(isEjected(), false, "ten times slower is not useless yet");
  // Its last answer is more than five seconds old by the time the others become fast.
  for (let round = 0; round < 30; round++) for (const index of [1, 2]) ask(index, 100);
  for (let round = 0; round < 300; round++) for (const index of [1, 2]) ask(index, 20);
  assert.equal(isEjected(), false, "nobody has asked it for 18 seconds");
  ask(0, 1_000);
  pool.tend();
  assert.equal(isEjected(), true, "now it is known: fifty times slower");
});

law(
  "an endpoint that was slow gets its share back, also where nothing forces work onto it (P2)",
  (policy, seed) => {
    const shares = { slow: 0, well: 0 };
    runOpenLoop({
      ...BASE,
      policy,
      seed,
      endpoints: 3,
      requests: 6_000,
      gapMs: 50,
      serversEach: 100,
      options: DEFAULT_POOL_OPTIONS,
      serviceMs: (index, nowMs) => (index === 0 && nowMs > 60_000 && nowMs < 90_000 ? 2_000 : 200),
      prepare: ({ loop, picks, pool }) => {
        const [first] = pool.members.list;
        const mark = (from: number, to: number, name: "slow" | "well"): void => {
          let before = 0;
          let allBefore = 0;
          const all = (): number => [...picks.values()].reduce((sum, count) => sum + count, 0);
          loop.at(from, () => ([before, allBefore] = [picks.get(first!.id) ?? 0, all()]));
          loop.at(to, () => (shares[name] = ((picks.get(first!.id) ?? 0) - before) / (all() - allBefore)));
        };
        mark(70_000, 90_000, "slow");
        mark(150_000, 290_000, "well");
      },
    });
    assert.ok(shares.slow < 0.2, `slow, it got ${shares.slow.toFixed(3)}`);
    assert.ok(shares.slow > 0, "slow, it got nothing: nobody would see that it is well again");
    assert.ok(shares.well > 0.2, `well again for a minute and more, it got ${shares.well.toFixed(3)}`);
  },
  { policies: SPREADING },
);

law(
  "when all are equally slow nobody is blamed",
  (policy, seed) => {
    const { slowdown } = DEFAULT_POOL_OPTIONS;
    let slowed = 0;
    const result = runOpenLoop({
      ...BASE,
      policy,
      seed,
      gapMs: FAST_MS,
      options: { slowdown },
      serviceMs: (_index, nowMs) => (nowMs > 100_000 ? FAST_MS * 5 : FAST_MS),
      prepare: ({ loop, pool }) => {
        for (let at = 1_000; at < 600_000; at += 1_000) {
          // While it begins, those that were measured first stand out for a moment.
          if (at >= 100_000 && at <= 110_000) continue;
          loop.at(at, () => {
            for (const { health } of pool.members.list) if (health.slowShare < 0.5) slowed++;
          });
        }
      },
    });
    assert.equal(result.failed, 0);
    assert.equal(slowed, 0, "somebody's share was cut to less than half");
  },
  { policies: SPREADING },
);

for (const seed of [1, 2, 3]) {
  test(`one of 8 is 4 times slower, seed ${seed}: peak_ewma has >= 95 % of the ideal goodput`, (t) => {
    const ideal = goodputWithOneSlow("ideal", seed);
    const ratios = new Map(SPREADING.map((policy) => [policy, goodputWithOneSlow(policy, seed) / ideal]));
    for (const [policy, ratio] of ratios)
      t.diagnostic(`${policy}: ${(ratio * 100).toFixed(2)} % of the ideal`);
    assert.ok(ratios.get("peak_ewma")! >= 0.95);
  });
}

for (const seed of [1, 2, 3]) {
  test(`the 2016 experiment, seed ${seed}: peak_ewma >= 99.9 %, round_robin about 95 %`, (t) => {
    for (const policy of ["p2c", "least_request", "auto"]) {
      t.diagnostic(`${policy}: ${(linkerd2016(policy, seed) * 100).toFixed(2)} %`);
    }
    const peak = linkerd2016("peak_ewma", seed);
    const roundRobin = linkerd2016("round_robin", seed);
    t.diagnostic(`peak_ewma: ${(peak * 100).toFixed(3)} %, round_robin: ${(roundRobin * 100).toFixed(2)} %`);
    assert.ok(peak >= 0.999);
    assert.ok(roundRobin >= 0.945 && roundRobin <= 0.96);
  });
}

const BASE = { endpoints: 6, requests: REQUESTS, serversEach: 64, deadlineMs: 10_000 };

/** Endpoint 0 is `factor` times slower than the five others; about 25 requests are in flight. */
function fleetWithOneSlow(
  policy: string,
  seed: number,
  factor: number,
  options: Parameters<typeof runOpenLoop>[0]["options"] = {},
): OpenLoopResult {
  return runOpenLoop({
    ...BASE,
    policy,
    seed,
    options,
    gapMs: 5,
    serviceMs: (index) => (index === 0 ? FAST_MS * factor : FAST_MS),
  });
}

function slowShare({ picks }: OpenLoopResult): number {
  return (picks.get("b0") ?? 0) / REQUESTS;
}
