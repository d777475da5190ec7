import { endpointSpec } from "../../src/core/endpoint.ts";
import type { Random } from "../../src/core/kit/random.ts";
import { type OpenLoopResult, runOpenLoop } from "./open-loop.ts";

/**
 * 10,000 requests over 8 equal backends of constant service time at 70 % load. Returns max / mean of the
 * shares.
 */
export function unevenness(policy: string, seed: number): number {
  const requests = 10_000;
  const { picks } = runOpenLoop({
    policy,
    seed,
    endpoints: 8,
    requests,
    gapMs: FAST_MS / (8 * 0.7),
    serviceMs: () => FAST_MS,
  });
  return Math.max(...picks.values()) / (requests / 8);
}

/**
 * Eight backends, the first four times slower, at 80 % of what they can do together; clients wait ten times
 * the fast service time, and a backend works on what it has taken even when nobody waits for it any more.
 * `ideal` splits by the true speeds, evenly in time.
 */
export function goodputWithOneSlow(policy: string, seed: number): number {
  const isIdeal = policy === "ideal";
  const requests = 20_000;
  const { good } = runOpenLoop({
    policy: isIdeal ? "round_robin" : policy,
    seed,
    endpoints: isIdeal ? WEIGHED_BY_SPEED : 8,
    requests,
    gapMs: FAST_MS / (7.25 * 0.8),
    serviceMs: (index) => (index === 0 ? 4 * FAST_MS : FAST_MS),
    deadlineMs: 10 * FAST_MS,
    backendsSeeAborts: false,
  });
  return good / requests;
}

/**
 * Linkerd, "Beyond Round Robin: Load Balancing for Latency" (2016): 11 backends, median 167 ms, 1,000
 * requests/s for 60 s, one backend at 2 s from second 15 to 45, clients give up after 1 s. Returns the share
 * of successes.
 */
export function linkerd2016(policy: string, seed: number): number {
  const requests = 60_000;
  const { good } = runOpenLoop({
    policy,
    seed,
    endpoints: 11,
    requests,
    gapMs: 1,
    arrivals: "even",
    serversEach: Number.POSITIVE_INFINITY,
    serviceMs: (index, nowMs, random) =>
      index === 0 && nowMs >= 15_000 && nowMs < 45_000 ? 2_000 : Math.max(1, normal(167, 5, random)),
    deadlineMs: 1_000,
  });
  return good / requests;
}

/**
 * Exponential services of mean 1 on `servers` FIFO servers at `load` (0..1). Late binding keeps all work in
 * one line before the pool and hands a piece to whoever is free.
 */
export function exponentialFleet(setup: ExponentialFleet): OpenLoopResult {
  const { isLateBinding = false, servers, load, requests } = setup;
  return runOpenLoop({
    policy: setup.policy,
    seed: setup.seed,
    endpoints: Array.from({ length: servers }, (_, index) =>
      endpointSpec(`b${index}`, { limit: isLateBinding ? 1 : 0 }),
    ),
    requests,
    warmUp: requests / 20,
    gapMs: 1 / (load * servers),
    serviceMs: (_index, _nowMs, random) => random.exponential(1),
    options: isLateBinding ? { queue: { requestsMax: requests, waitMs: 1e9 } } : {},
  });
}

export interface ExponentialFleet {
  readonly policy: string;
  readonly seed: number;
  readonly servers: number;
  readonly load: number;
  readonly requests: number;
  readonly isLateBinding?: boolean;
}

const FAST_MS = 100;

const WEIGHED_BY_SPEED = Array.from({ length: 8 }, (_, index) =>
  endpointSpec(`b${index}`, { weight: index === 0 ? 1 : 4 }),
);

/** Box and Muller, 1958. */
function normal(mean: number, deviation: number, random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.float()));
  return mean + deviation * radius * Math.cos(2 * Math.PI * random.float());
}
