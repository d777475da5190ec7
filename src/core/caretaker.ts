import type { Endpoint } from "./endpoint.ts";
import type { PoolEvent, PoolEventKind } from "./events.ts";
import { type EjectionReason, type OutlierOptions } from "./health/outlier.ts";
import { isPanic } from "./health/panic.ts";
import { rampShare } from "./health/slow-start.ts";
import { Slowdown } from "./health/slowdown.ts";
import { reasonText } from "./health/endpoint-health.ts";
import { type Ledger, STATE, UNLIMITED } from "./ledger.ts";
import type { Members } from "./members.ts";
import type { PoolOptions } from "./pool-options.ts";
import { EXPLORE_MS, Slowness, type SlownessVerdict } from "./slowness.ts";
import type { Speed } from "./speed.ts";

/**
 * Turns what is known about the endpoints into what the picks go by: states, weights and limits in the
 * ledger.
 * `tend` does what time brings (ageing, ramps, ends of ejections); the other methods take single events.
 */
export class Caretaker {
  readonly #ledger: Ledger;
  readonly #members: Members;
  readonly #speed: Speed;
  readonly #report: (
    kind: PoolEventKind,
    endpoint: Endpoint | null,
    reason: string,
    evidence: string,
  ) => void;
  #options: PoolOptions;
  #slowdown: Slowdown | null = null;
  readonly #slowness: Slowness;
  readonly #tell: (verdict: SlownessVerdict) => void;
  #tendedAtMs = Number.NEGATIVE_INFINITY;
  isPanic = false;
  /** Slow endpoints lose weight; not where the policy goes by their speed itself. */
  cutsShares = true;

  constructor(
    ledger: Ledger,
    members: Members,
    speed: Speed,
    options: PoolOptions,
    report: (kind: PoolEvent["kind"], endpoint: Endpoint | null, reason: string, evidence: string) => void,
  ) {
    this.#ledger = ledger;
    this.#members = members;
    this.#speed = speed;
    this.#options = options;
    this.#report = report;
    this.#slowness = new Slowness(ledger, members, speed);
    this.#tell = (verdict) => this.#tellSlowness(verdict, this.#tendedAtMs);
    this.configure(options);
  }

  configure(options: PoolOptions): void {
    this.#options = options;
    this.#slowdown = options.slowdown === null ? null : new Slowdown(options.slowdown);
    if (this.#slowdown !== null) return;
    for (const { health } of this.#members.list) {
      health.slow.clear();
      health.slowShare = 1;
    }
  }

  /** What time brings; to be called 100 ms or so. O(n log n). */
  tend(nowMs: number): void {
    const { burden } = this.#ledger;
    const { slots, list } = this.#members;
    const passedMs = Math.max(0, nowMs - this.#tendedAtMs);
    const keep = Math.exp(-passedMs / BURDEN_MS);
    this.#tendedAtMs = nowMs;
    this.#speed.age(slots, slots.length, nowMs);
    for (let i = 0; i < slots.length; i++) {
      const left = burden[slots[i]!]! * keep;
      burden[slots[i]!] = left < 0.01 ? 0 : left;
    }
    for (const endpoint of list) this.#endEjection(endpoint, nowMs);
    if (this.#slowdown !== null) this.#slowness.judge(this.#slowdown, nowMs, this.#tell);
    this.publish(nowMs);
  }

  /** Writes states, weights and limits for the picks, after anything has changed. */
  publish(nowMs: number): void {
    const { state, weight, baseWeight, limit } = this.#ledger;
    for (const endpoint of this.#members.list) {
      const { health, slot } = endpoint;
      const share = this.#rampShare(endpoint, nowMs);
      state[slot] = health.state;
      baseWeight[slot] = endpoint.weight;
      const slowShare = this.cutsShares ? health.slowShare : 1;
      weight[slot] = endpoint.weight * health.agentShare * slowShare * share;
      const most = endpoint.limit === 0 ? UNLIMITED : Math.max(1, Math.ceil(endpoint.limit * share));
      limit[slot] = most;
    }
    this.#judgePanic();
  }

  /** Ejects for that reason, unless too many are out already; true when it did. */
  eject(endpoint: Endpoint, reason: EjectionReason, evidence: string, nowMs: number): boolean {
    const limits = this.#options.outlier;
    if (limits === null) return false;
    // Nobody listening is certain; and a trial that failed only goes back to where it was.
    const isFree = reason === "unreachable" || reason === "trial_failed";
    if (!isFree && (this.#ejectedCount() + 1) / this.#members.list.length > limits.ejectedShareMax) {
      this.#noteCapped(endpoint, reason, evidence, nowMs);
      return false;
    }
    endpoint.health.outlier.eject(reason, nowMs);
    const seconds = ((endpoint.health.outlier.untilMs - nowMs) / 1000).toFixed(1);
    this.#report("ejected", endpoint, reasonText(reason), `${evidence}; for ${seconds} s at first`);
    this.publish(nowMs);
    return true;
  }

  /** Once a minute: it may come back with every request that fails. */
  #noteCapped(endpoint: Endpoint, reason: EjectionReason, evidence: string, nowMs: number): void {
    const { health } = endpoint;
    if (nowMs - health.cappedAtMs < CAPPED_AGAIN_MS) return;
    health.cappedAtMs = nowMs;
    this.#report("ejection_capped", endpoint, reasonText(reason), evidence);
  }

  /** Real work succeeded on an endpoint on probation: it is back, by a ramp. */
  readmit(endpoint: Endpoint, nowMs: number): void {
    this.beginRamp(endpoint, nowMs);
    this.#report("readmitted", endpoint, "real work succeeded", `slow start ${this.#options.slowStartMs} ms`);
    this.publish(nowMs);
  }

  /** The slow endpoint in that slot has had its request: the next one later. */
  explored(slot: number, nowMs: number): void {
    const { exploreAtMs } = this.#ledger;
    if (exploreAtMs[slot]! < Number.POSITIVE_INFINITY) exploreAtMs[slot] = nowMs + EXPLORE_MS;
  }

  beginRamp(endpoint: Endpoint, nowMs: number): void {
    if (this.#options.slowStartMs > 0) endpoint.health.rampFromMs = nowMs;
  }

  /** The probe passes again where nobody had listened: no need to wait for the end of the ejection. */
  shortenEjection(endpoint: Endpoint, nowMs: number): void {
    const { outlier } = endpoint.health;
    if (outlier.kind === "ejected" && outlier.reason === "unreachable") this.#toProbation(endpoint, nowMs);
  }

  #endEjection(endpoint: Endpoint, nowMs: number): void {
    const { outlier } = endpoint.health;
    if (outlier.kind === "ejected" && nowMs >= outlier.untilMs) this.#toProbation(endpoint, nowMs);
  }

  #toProbation(endpoint: Endpoint, nowMs: number): void {
    endpoint.health.outlier.beginProbation(nowMs);
    this.#ledger.probationSinceMs[endpoint.slot] = nowMs;
    this.#ledger.trial[endpoint.slot] = 0;
    this.#report("probation", endpoint, "tried with one request at a time", "");
  }

  #rampShare(endpoint: Endpoint, nowMs: number): number {
    const { health } = endpoint;
    if (health.rampFromMs === Number.NEGATIVE_INFINITY) return 1;
    const share = rampShare(nowMs - health.rampFromMs, this.#options.slowStartMs);
    if (share === 1) health.rampFromMs = Number.NEGATIVE_INFINITY;
    return share;
  }

  /** Too few are left in every priority group: where one of them is well, failover to it is the answer. */
  #judgePanic(): void {
    const share = this.#options.outlier?.panicShare ?? 0;
    const { list } = this.#members;
    let panic = true;
    let usable = 0;
    let enabled = 0;
    for (let i = 0; i < list.length && panic;) {
      const group = countGroup(list, i, this.#ledger.state);
      // A group whose members were all taken out on purpose says nothing.
      if (group.enabled > 0) panic = isPanic(group.usable, group.enabled, share);
      usable += group.usable;
      enabled += group.enabled;
      i = group.end;
    }
    panic &&= enabled > 0;
    if (panic !== this.isPanic) {
      this.isPanic = panic;
      const reason = panic ? "too few are left" : "enough again";
      this.#report(panic ? "panic_on" : "panic_off", null, reason, `${usable} of ${enabled} usable`);
    }
    if (panic) this.#useAll();
  }

  /** But not what an operator or an agent took out, nor (while there is anything else) what nobody hears. */
  #useAll(): void {
    const { list } = this.#members;
    const isReachable = list.some(({ health }) => health.isEnabled && !health.isUnreachable);
    for (const { health, slot } of list) {
      const isOut = !health.isEnabled || (health.isUnreachable && isReachable);
      if (!isOut) this.#ledger.state[slot] = STATE.available;
    }
  }

  #tellSlowness({ kind, endpoint, score }: SlownessVerdict, nowMs: number): void {
    const evidence = `${score.toFixed(1)} times slower than it should be`;
    if (kind === "slowed") return this.#report("slowed", endpoint, "share cut", evidence);
    if (kind === "recovered") return this.#report("recovered", endpoint, "full share again", "");
    const { health, slot } = endpoint;
    if (health.outlier.kind !== "admitted" || !this.eject(endpoint, "slow", evidence, nowMs)) return;
    this.#ledger.samples[slot] = 0;
    health.slow.clear();
    health.slowShare = 1;
  }

  #ejectedCount(): number {
    let count = 0;
    for (const { health } of this.#members.list) if (health.outlier.kind !== "admitted") count++;
    return count;
  }
}

/** A failed request counts as in flight for about as long as the least penalty (5 s). */
const BURDEN_MS = 5_000;
const CAPPED_AGAIN_MS = 60_000;

/** Outcomes eject nobody where the outlier rules are off. */
export const OUTLIER_OFF: OutlierOptions = {
  consecutive: Number.POSITIVE_INFINITY,
  failures: Number.POSITIVE_INFINITY,
  of: 1,
  ejectionMs: 10_000,
  ejectionMsMax: 300_000,
};

/** How many of the priority group that begins at `start` are enabled and usable, and where it ends. */
function countGroup(list: readonly Endpoint[], start: number, state: Int32Array): GroupCount {
  const { priority } = list[start]!.spec;
  const group = { usable: 0, enabled: 0, end: start };
  for (; group.end < list.length && list[group.end]!.spec.priority === priority; group.end++) {
    const { health, slot } = list[group.end]!;
    if (!health.isEnabled) continue;
    group.enabled++;
    if (state[slot] === STATE.available || state[slot] === STATE.probation) group.usable++;
  }
  return group;
}

interface GroupCount {
  usable: number;
  enabled: number;
  end: number;
}
