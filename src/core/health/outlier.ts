import type { Random } from "../kit/random.ts";

/**
 * What real work says about an endpoint: too many failures eject it for a time that doubles at every return
 * of the trouble; then it is tried with one request at a time, and only a success of real work readmits it. A
 * passing probe does not (P14: a server whose /health is fine while its generation hangs).
 *
 * Rules count requests, not seconds or hosts, so that they work at one request a second and with two
 * endpoints (P13: Envoy's need five hosts with a hundred requests each per 10 s).
 */
export class Outlier {
  /** Replaced when the configuration changes; the state goes on. */
  options: OutlierOptions;
  readonly #random: Random;
  kind: "admitted" | "ejected" | "probation" = "admitted";
  /** Why it was ejected last. */
  reason: EjectionReason | null = null;
  /** End of the ejection; clock milliseconds. */
  untilMs = 0;
  /** Since when it is on probation or admitted. */
  sinceMs = 0;
  /** Ejections in short succession: the exponent of the back-off. */
  #ejections = 0;
  /** The last 32 outcomes, newest lowest; 1 is a failure. */
  #history = 0;

  constructor(options: OutlierOptions, random: Random) {
    this.options = options;
    this.#random = random;
  }

  /** Real work succeeded; true when that readmits the endpoint. */
  succeeded(nowMs: number): boolean {
    this.#record(0);
    if (this.kind !== "probation") return false;
    this.kind = "admitted";
    this.sinceMs = nowMs;
    this.#forgetOutcomes();
    return true;
  }

  /** Real work failed; returns the reason for which the endpoint should be ejected, or null. */
  failed(isUnreachable: boolean): EjectionReason | null {
    this.#record(1);
    if (this.kind === "ejected") return null;
    if (isUnreachable) return "unreachable";
    if (this.kind === "probation") return "trial_failed";
    if (this.consecutive >= this.options.consecutive) return "consecutive_failures";
    return this.failuresOf >= this.options.failures ? "failures_of_last" : null;
  }

  eject(reason: EjectionReason, nowMs: number): void {
    const { ejectionMs, ejectionMsMax } = this.options;
    // A minute of health per earlier ejection makes up for it.
    if (this.kind === "admitted") {
      this.#ejections = Math.max(0, this.#ejections - Math.floor((nowMs - this.sinceMs) / FORGIVE_MS));
    }
    const backOff = Math.min(ejectionMs * 2 ** Math.min(this.#ejections, 20), ejectionMsMax);
    this.#ejections++;
    this.kind = "ejected";
    this.reason = reason;
    this.untilMs = nowMs + backOff * (1 + JITTER * this.#random.float());
    this.#forgetOutcomes();
  }

  /** The ejection is over: to be tried with real work. */
  beginProbation(nowMs: number): void {
    this.kind = "probation";
    this.sinceMs = nowMs;
  }

  /** Failures in a row up to now, at most 32. */
  get consecutive(): number {
    // Trailing ones: the lowest zero bit, counted from the right.
    const lowestZero = ~this.#history & (this.#history + 1);
    return lowestZero === 0 ? 32 : 31 - Math.clz32(lowestZero);
  }

  /** Failures among the last `of` outcomes. */
  get failuresOf(): number {
    const window = this.options.of >= 32 ? this.#history : this.#history & ((1 << this.options.of) - 1);
    return countBits(window);
  }

  /** For another process. */
  dump(nowMs: number): OutlierData {
    const { kind, reason, untilMs, sinceMs } = this;
    const history = this.#history;
    const ejections = this.#ejections;
    return { kind, reason, leftMs: untilMs - nowMs, lastedMs: nowMs - sinceMs, ejections, history };
  }

  /** Goes on where that one was. */
  load({ kind, reason, leftMs, lastedMs, ejections, history }: OutlierData, nowMs: number): void {
    this.kind = kind;
    this.reason = reason;
    this.untilMs = nowMs + leftMs;
    this.sinceMs = nowMs - lastedMs;
    this.#ejections = ejections;
    this.#history = history;
  }

  #record(bit: 0 | 1): void {
    this.#history = (this.#history << 1) | bit;
  }

  #forgetOutcomes(): void {
    this.#history = 0;
  }
}

/** When failures eject, and for how long. */
export interface OutlierOptions {
  /** Failures in a row that eject; 1..32. */
  readonly consecutive: number;
  /** So many failures among the last `of` outcomes eject; `of` <= 32. */
  readonly failures: number;
  readonly of: number;
  /** First ejection; doubles up to the maximum. */
  readonly ejectionMs: number;
  readonly ejectionMsMax: number;
}

/** How it stands, as plain data; times are distances from now in milliseconds. */
export interface OutlierData {
  readonly kind: Outlier["kind"];
  readonly reason: EjectionReason | null;
  readonly leftMs: number;
  readonly lastedMs: number;
  readonly ejections: number;
  readonly history: number;
}

export type EjectionReason =
  | "consecutive_failures"
  | "failures_of_last"
  | "trial_failed"
  | "unreachable"
  | "slow";

const FORGIVE_MS = 60_000;
const JITTER = 0.1;

function countBits(bits: number): number {
  let rest = bits >>> 0;
  let count = 0;
  for (; rest !== 0; rest &= rest - 1) count++;
  return count;
}
