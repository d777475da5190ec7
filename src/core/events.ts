/** Something that an operator wants to know, with its evidence. */
export interface PoolEvent {
  readonly atMs: number;
  readonly pool: string;
  /** Endpoint id; null when it concerns the whole pool. */
  readonly endpoint: string | null;
  readonly kind: PoolEventKind;
  /** Few words: what happened or why. */
  readonly reason: string;
  /** The figures behind it. */
  readonly evidence: string;
}

export type PoolEventKind =
  | "joined"
  | "left"
  | "probe_down"
  | "probe_up"
  | "ejected"
  /** It should have been ejected, but too many are out already. */
  | "ejection_capped"
  | "probation"
  | "readmitted"
  | "slowed"
  | "recovered"
  | "drained"
  | "undrained"
  | "agent"
  /** A data thread had a bug of ours; its requests ended with it. */
  | "thread_died"
  /** This process has taken over from another one, or that one has ended. */
  | "handover"
  /** The next process did not take over; this one goes on. */
  | "handover_failed"
  /** A name of backends stands for other addresses, or for the same ones after a failure. */
  | "resolved"
  /** It could not be found out what a name of backends stands for; the last answer is kept. */
  | "unresolved"
  | "panic_on"
  | "panic_off";

export type PoolEventSink = (event: PoolEvent) => void;
