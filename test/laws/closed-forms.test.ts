// The scenarios are checked against queueing theory, so that what they say about policies can be believed:
// mean time in a system of n FIFO servers, exponential services of mean 1, Poisson arrivals at a load; mean
// of ten seeds.
import assert from "node:assert/strict";
import { test } from "node:test";

import { exponentialFleet } from "../scenarios/experiments.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

const CASES: readonly ClosedForm[] = [
  { name: "M/M/1: random split", policy: "random", servers: 10, load: 0.5, exact: 2 },
  { name: "M/M/1: random split", policy: "random", servers: 10, load: 0.7, exact: 1 / 0.3 },
  {
    name: "E_n/M/1: round robin",
    policy: "round_robin",
    servers: 10,
    load: 0.7,
    exact: roundRobinMean(10, 0.7),
  },
  { name: "power of two, n to infinity", policy: "p2c", servers: 200, load: 0.7, exact: powerOfTwoMean(0.7) },
  {
    name: "M/M/4: late binding",
    policy: "least_request",
    servers: 4,
    load: 0.7,
    exact: erlangMean(4, 0.7),
    isLate: true,
  },
  {
    name: "M/M/10: late binding",
    policy: "auto",
    servers: 10,
    load: 0.9,
    exact: erlangMean(10, 0.9),
    isLate: true,
  },
  {
    name: "M/M/10: late binding",
    policy: "random",
    servers: 10,
    load: 0.8,
    exact: erlangMean(10, 0.8),
    isLate: true,
  },
];

for (const { name, policy, servers, load, exact, isLate = false } of CASES) {
  test(`${name}, ${policy}, ${servers} servers, load ${load}: within 3 % of ${exact.toFixed(3)}`, (t) => {
    const requests = load >= 0.9 ? 60_000 : 40_000;
    const setup = { policy, servers, load, requests, isLateBinding: isLate };
    const means = SEEDS.map((seed) => exponentialFleet({ ...setup, seed }).meanMs);
    const mean = means.reduce((sum, value) => sum + value) / means.length;
    t.diagnostic(`measured ${mean.toFixed(3)}, ${(100 * (mean / exact - 1)).toFixed(2)} % off`);
    assert.ok(Math.abs(mean / exact - 1) <= 0.03, `measured ${mean.toFixed(3)} (seeds 1 to 10)`);
  });
}

test("least_request at 90 % load is within 1.25 of late binding", (t) => {
  const means = SEEDS.map(
    (seed) =>
      exponentialFleet({ policy: "least_request", servers: 10, load: 0.9, requests: 40_000, seed }).meanMs,
  );
  const mean = means.reduce((sum, value) => sum + value) / means.length;
  t.diagnostic(`${(mean / erlangMean(10, 0.9)).toFixed(3)} times late binding`);
  assert.ok(mean / erlangMean(10, 0.9) <= 1.25, `measured ${mean.toFixed(3)}`);
});

interface ClosedForm {
  readonly name: string;
  readonly policy: string;
  readonly servers: number;
  readonly load: number;
  readonly exact: number;
  /** One line before the pool: the work waits there and not at the servers. */
  readonly isLate?: boolean;
}

/** M/M/n (Erlang C): 1 + C / (n - a). */
function erlangMean(servers: number, load: number): number {
  const offered = servers * load;
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = (offered * blocking) / (n + offered * blocking);
  const waiting = blocking / (1 - load * (1 - blocking));
  return 1 + waiting / (servers - offered);
}

/** Each server sees every n-th arrival: E_n/M/1 with sigma = (n load / (n load + 1 - sigma))^n. */
function roundRobinMean(servers: number, load: number): number {
  const rate = servers * load;
  let sigma = 0.5;
  for (let i = 0; i < 1_000; i++) sigma = (rate / (rate + 1 - sigma)) ** servers;
  return 1 / (1 - sigma);
}

/** Mitzenmacher 1996: the sum of load^(2^i - 2), i from 1. */
function powerOfTwoMean(load: number): number {
  let sum = 0;
  for (let i = 1; i <= 20; i++) sum += load ** (2 ** i - 2);
  return sum;
}
