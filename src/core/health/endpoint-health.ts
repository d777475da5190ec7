import { STATE } from "../ledger.ts";
import type { EjectionReason, Outlier } from "./outlier.ts";
import { SlowWatch } from "./slow-watch.ts";
import { type ProbeEvent, type ProbeState, type ProbeThresholds, stepProbe } from "./probe-state.ts";

/** What an operator, or the endpoint's own agent, wants of it. */
export type Wish = "ready" | "drain" | "down";

/**
 * Everything known about one endpoint's health: three independent witnesses (operator and agent, probes, real
 * work) and the verdict that follows from them.
 */
export class EndpointHealth {
  readonly outlier: Outlier;
  probe: ProbeState = { kind: "unknown" };
  operator: Wish = "ready";
  agent: Wish = "ready";
  /** Share of its weight that the endpoint's agent asks for; (0, 1] or more. */
  agentShare = 1;
  /** Begin of the slow start; -Infinity when it is over or was none. */
  rampFromMs: number = Number.NEGATIVE_INFINITY;
  /** When it was told last that it can not be ejected, because too many are. */
  cappedAtMs: number = Number.NEGATIVE_INFINITY;
  readonly slow: SlowWatch = new SlowWatch();
  /** Share of its weight that slowness leaves it; (0, 1], and 1 while it does not count as slow. */
  slowShare = 1;

  constructor(outlier: Outlier) {
    this.outlier = outlier;
  }

  /** Steps the probes' state machine; true when up turned to down or back. */
  probed(event: ProbeEvent, thresholds: ProbeThresholds): boolean {
    const before = this.probe.kind;
    const after = stepProbe(this.probe, event, thresholds);
    this.probe = after;
    return after.kind !== before && !(before === "unknown" && after.kind === "up");
  }

  /** The verdict, without panic: one of {@link STATE}. */
  get state(): number {
    if (this.operator !== "ready" || this.agent === "drain") return STATE.draining;
    if (this.agent === "down" || this.probe.kind === "down") return STATE.down;
    if (this.outlier.kind === "ejected") return STATE.ejected;
    return this.outlier.kind === "probation" ? STATE.probation : STATE.available;
  }

  /** It may be used when panic says that health is more likely wrong than right. */
  get isEnabled(): boolean {
    return this.operator === "ready" && this.agent === "ready";
  }

  /** Nobody listens there: certain, so that even panic leaves it out while there is anything else. */
  get isUnreachable(): boolean {
    return this.outlier.kind === "ejected" && this.outlier.reason === "unreachable";
  }

  /** State and reason in the words of the status page, metrics and events. */
  describe(): HealthDescription {
    if (this.operator === "drain") return { state: "draining", reason: "drained by an operator" };
    if (this.operator === "down") return { state: "draining", reason: "taken out by an operator" };
    if (this.agent === "drain") return { state: "draining", reason: "its agent asked for it" };
    if (this.agent === "down") return { state: "down", reason: "its agent says so" };
    if (this.probe.kind === "down") return { state: "down", reason: this.probe.detail };
    const { kind, reason } = this.outlier;
    if (kind === "ejected") return { state: "ejected", reason: reasonText(reason) };
    if (kind === "probation") return { state: "probation", reason: `after ${reasonText(reason)}` };
    if (this.slow.isSlow) return { state: "slow", reason: this.#shareText };
    return { state: "up", reason: this.probe.kind === "unknown" ? "not probed yet" : "" };
  }

  get #shareText(): string {
    if (this.slowShare === 1) return "full share again, still watched";
    return `share cut to ${percent(this.slowShare)}`;
  }
}

/** For people; `state` is from a closed set, so that it can be a metric's label. */
export interface HealthDescription {
  readonly state: "up" | "slow" | "probation" | "ejected" | "down" | "draining";
  readonly reason: string;
}

/** An ejection's reason in words. */
export function reasonText(reason: EjectionReason | null): string {
  return (reason ?? "unknown").replaceAll("_", " ");
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
