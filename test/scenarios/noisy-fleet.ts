import type { PoolEvent } from "../../src/core/events.ts";
import { Random } from "../../src/core/kit/random.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { type OpenLoopResult, runOpenLoop } from "./open-loop.ts";

/**
 * Equal backends on a busy machine, as it is met in the field: latencies with a heavy tail (every twentieth
 * takes more than five times the median), now and then a stop of the whole host, which hits all at once, and
 * now and then one of a single backend (its garbage collector).
 */
export function runNoisyFleet(noise: NoisyFleet): NoisyResult {
  const { seed, endpoints, perSecond, seconds, slow } = noise;
  const dice = new Random(seed);
  const untilMs = seconds * 1_000;
  const hosts = pausesOf(dice.split(1), untilMs, HOST_GAP_MS, HOST_PAUSE_MS);
  const collectors = Array.from({ length: endpoints }, (_, index) =>
    pausesOf(dice.split(index + 2), untilMs, COLLECTOR_GAP_MS, COLLECTOR_PAUSE_MS),
  );
  const events: NoisyEvent[] = [];
  let asked = (): number => 0;
  const askedAt = { from: 0, to: 0 };
  const result = runOpenLoop({
    policy: noise.policy ?? "auto",
    seed,
    endpoints,
    requests: Math.round(perSecond * seconds),
    gapMs: 1_000 / perSecond,
    serversEach: 1_000,
    options: DEFAULT_POOL_OPTIONS,
    onEvent: (event) => void events.push({ ...event, asked: asked() }),
    prepare: ({ loop, picks }) => {
      asked = () => picks.get("b0") ?? 0;
      if (slow === undefined) return;
      loop.at(slow.fromMs, () => void (askedAt.from = asked()));
      loop.at(slow.toMs, () => void (askedAt.to = asked()));
    },
    serviceMs: (index, nowMs, random) => {
      const isSlow = slow !== undefined && index === 0 && nowMs >= slow.fromMs && nowMs < slow.toMs;
      const bareMs = MEDIAN_MS * Math.exp(normal(random)) * (isSlow ? slow.factor : 1);
      const stoppedMs = hosts.stoppedMs(nowMs, bareMs);
      return stoppedMs + collectors[index]!.stoppedMs(nowMs, stoppedMs);
    },
  });
  return { ...result, events, askedAt };
}

export interface NoisyFleet {
  readonly seed: number;
  readonly endpoints: number;
  /** Requests to all of them together. */
  readonly perSecond: number;
  readonly seconds: number;
  readonly policy?: string;
  /** Endpoint `b0` takes that many times longer in this time. */
  readonly slow?: { readonly factor: number; readonly fromMs: number; readonly toMs: number };
}

export interface NoisyResult extends OpenLoopResult {
  readonly events: readonly NoisyEvent[];
  /** Requests that `b0` had been given when it became slow, and when that ended. */
  readonly askedAt: { readonly from: number; readonly to: number };
}

export interface NoisyEvent extends PoolEvent {
  /** Requests that `b0` had been given by then. */
  readonly asked: number;
}

/** When something stands still, in order of time. */
class Pauses {
  readonly #fromMs: number[] = [];
  readonly #toMs: number[] = [];

  add(fromMs: number, toMs: number): void {
    this.#fromMs.push(fromMs);
    this.#toMs.push(toMs);
  }

  /** How long work of `bareMs` that begins at `nowMs` takes with them. */
  stoppedMs(nowMs: number, bareMs: number): number {
    let endMs = nowMs + bareMs;
    for (let i = this.#firstAfter(nowMs); i < this.#fromMs.length && this.#fromMs[i]! < endMs; i++) {
      endMs += this.#toMs[i]! - Math.max(this.#fromMs[i]!, nowMs);
    }
    return endMs - nowMs;
  }

  /** The first one that ends after that time. */
  #firstAfter(nowMs: number): number {
    let [low, high] = [0, this.#toMs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#toMs[middle]! > nowMs) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Some are three times longer than usual, a few ten times. */
function pausesOf(dice: Random, untilMs: number, gapMs: number, lastsMs: number): Pauses {
  const pauses = new Pauses();
  for (let atMs = dice.exponential(gapMs); atMs < untilMs;) {
    const endMs = atMs + lastsMs * Math.exp(normal(dice));
    pauses.add(atMs, endMs);
    atMs = endMs + dice.exponential(gapMs);
  }
  return pauses;
}

/** Source: Box and Muller, 1958. */
function normal(random: Random): number {
  return Math.sqrt(random.exponential(2)) * Math.cos(2 * Math.PI * random.float());
}

const MEDIAN_MS = 20;
const HOST_GAP_MS = 20_000;
const HOST_PAUSE_MS = 200;
const COLLECTOR_GAP_MS = 30_000;
const COLLECTOR_PAUSE_MS = 100;
