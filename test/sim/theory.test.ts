// What the simulator says of policies is held against queueing theory: servers with exponential services of
// mean 1 s, Poisson arrivals, mean of ten seeds. Values: Mitzenmacher 1996 and the textbooks, as in
// theory.ts.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CoreRouter } from "../../src/sim/core-router.ts";
import {
  lateBindingMeanS,
  meanSojournS,
  powerOfTwoMeanS,
  randomMeanS,
  roundRobinMeanS,
} from "../../src/sim/theory.ts";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

test("the formulas give the values of the textbooks", () => {
  const close = (value: number, expected: number): void => {
    assert.ok(Math.abs(value / expected - 1) < 6e-4, `${value}, expected ${expected}`);
  };
  close(randomMeanS(0.9), 10);
  close(roundRobinMeanS(10, 0.9), 5.66);
  close(roundRobinMeanS(100, 0.7), 1.891);
  close(powerOfTwoMeanS(0.9), 2.614);
  close(powerOfTwoMeanS(0.95), 3.383);
  close(lateBindingMeanS(4, 0.9), 2.969);
  close(lateBindingMeanS(100, 0.95), 1.101);
});

interface Case {
  /** Null: late binding. */
  readonly policy: string | null;
  readonly servers: number;
  readonly load: number;
  readonly exactS: number;
}

const CASES: readonly Case[] = [
  { policy: null, servers: 10, load: 0.9, exactS: lateBindingMeanS(10, 0.9) },
  { policy: null, servers: 100, load: 0.95, exactS: lateBindingMeanS(100, 0.95) },
  { policy: "random", servers: 10, load: 0.7, exactS: randomMeanS(0.7) },
  { policy: "round_robin", servers: 10, load: 0.8, exactS: roundRobinMeanS(10, 0.8) },
  { policy: "round_robin", servers: 100, load: 0.7, exactS: roundRobinMeanS(100, 0.7) },
  { policy: "p2c", servers: 100, load: 0.7, exactS: powerOfTwoMeanS(0.7) },
  { policy: "p2c", servers: 100, load: 0.9, exactS: powerOfTwoMeanS(0.9) },
];

for (const { policy, servers, load, exactS } of CASES) {
  const name = policy ?? "one line for all";
  test(`${name}, ${servers} servers, load ${load}: within 3 % of ${exactS.toFixed(3)} s`, (t) => {
    const requests = servers === 100 ? 16_000 : 30_000;
    const means = SEEDS.map((seed) => {
      const router = policy === null ? null : new CoreRouter(policy, seed);
      return meanSojournS({ servers, load, requests, seed, router });
    });
    const meanS = means.reduce((sum, value) => sum + value) / means.length;
    t.diagnostic(`measured ${meanS.toFixed(3)} s, ${(100 * (meanS / exactS - 1)).toFixed(2)} % off`);
    assert.ok(Math.abs(meanS / exactS - 1) <= 0.03, `measured ${meanS.toFixed(3)} s`);
  });
}

for (const policy of ["least_request", "auto"]) {
  test(`${policy}, 10 servers, load 0.9: at most 1.15 times one line for all`, (t) => {
    const meanOf = (name: string | null): number => {
      const means = SEEDS.map((seed) => {
        const router = name === null ? null : new CoreRouter(name, seed);
        return meanSojournS({ servers: 10, load: 0.9, requests: 20_000, seed, router });
      });
      return means.reduce((sum, value) => sum + value) / means.length;
    };
    // The same arrivals and services for both.
    const ratio = meanOf(policy) / meanOf(null);
    t.diagnostic(`${ratio.toFixed(3)} times`);
    assert.ok(ratio <= 1.15 && ratio > 1);
  });
}

test("the same seed gives the same mean, to the bit", () => {
  const once = (): number => {
    return meanSojournS({ servers: 5, load: 0.8, requests: 2000, seed: 3, router: new CoreRouter("p2c", 3) });
  };
  assert.equal(once(), once());
});
