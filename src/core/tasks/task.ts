// The words of the second door: what a task is, how far it can be, and what may be changed about it. No I/O
// here: the engine (core/tasks), the store and the agents' door all speak of tasks in these types.

/**
 * Nothing more happens to a task in these states, unless it is redriven, as all but `succeeded` can be.
 * `quarantined`: three workers died with it.
 */
export const END_STATES = [
  "succeeded",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "worker_lost",
  "quarantined",
] as const;
export type EndState = (typeof END_STATES)[number];

const OPEN_STATES = ["blocked", "delayed", "queued", "leased", "suspect"] as const;

/**
 * How far a task is.
 *
 * - `blocked`: waits for the tasks that it depends on. `delayed`: for its time, or for the end of a back-off.
 * - `queued`: could run now. `leased`: sent to a worker, under a fence; counts as started.
 * - `suspect`: its lease ran out, and it must not run twice: waits for its agent, or for proof that it is
 * gone.
 * - The others are {@link END_STATES}.
 */
export type TaskState = (typeof OPEN_STATES)[number] | EndState;
/** Stores keep the place in this list. */
export const TASK_STATES: readonly TaskState[] = [...OPEN_STATES, ...END_STATES];

/** One of {@link END_STATES}. */
export function isEnd(state: TaskState): state is EndState {
  return ENDS.has(state);
}

const ENDS: ReadonlySet<TaskState> = new Set(END_STATES);

/**
 * What is to be run. `payload` and `stdin` are bytes that are never looked into; they are kept beside the
 * record.
 */
export type TaskWork =
  | {
      readonly kind: "command";
      readonly argv: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  /** For a warm loop of that name on the agent, such as `python`. */
  | { readonly kind: "loop"; readonly loop: string }
  /** Ends at once, on the agent: for benches and for the first minute. */
  | { readonly kind: "noop" };

/**
 * What a task asks for while it runs. `cpu` in cores, `mem` and `gpu_mem` in bytes, any other name in its own
 * unit.
 */
export type Resources = Readonly<Record<string, number>>;

/** What was asked for, as it was accepted: never changes. Times are seconds where their name says `S`. */
export interface TaskSpec {
  readonly work: TaskWork;
  /** What is learned about how long tasks take is learned by this key. */
  readonly key: string;
  readonly name: string;
  readonly externalId: string | null;
  readonly idempotencyKey: string | null;
  /** May be run again after its worker was lost. */
  readonly isIdempotent: boolean;
  readonly tenant: string;
  /** 0..9; 9 goes first. */
  readonly priority: number;
  readonly resources: Resources;
  /** Only workers with all of these labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** Workers that ran something with one of these keys lately are liked better, within a bound. */
  readonly affinity: readonly string[];
  /** Unix time, ms; not before it. */
  readonly notBeforeMs: number;
  /** Unix time, ms; one that has not begun by then ends as `expired`; null: no such time. */
  readonly deadlineMs: number | null;
  /** Seconds that one attempt may run; null: any. */
  readonly runTimeMaxS: number | null;
  readonly retry: RetrySpec;
  readonly dependsOn: readonly string[];
  readonly onParentFailure: "block" | "skip" | "run";
  /** Seconds that a suspect one waits for its agent. */
  readonly lostAfterS: number;
  /** A copy of an idempotent one is started when it has run for its key's p95 times this; null: never. */
  readonly speculateAfter: number | null;
}

/**
 * Failures of the task itself; a lost worker does not count. Full jitter: the n-th waits 0..min(max, base x
 * 2^n) s.
 */
export interface RetrySpec {
  readonly max: number;
  readonly backoffS: number;
  readonly backoffMaxS: number;
}

/** A task as it is kept: what was asked for, and how far it is. `payload` and `result` are kept beside it. */
export interface TaskRecord {
  readonly id: string;
  readonly spec: TaskSpec;
  readonly state: TaskState;
  /** Attempts begun so far that count for `retry`, lost workers excluded. */
  readonly attempt: number;
  /**
   * Grows with each time that it is sent: what comes back under an older one is not applied. 0: never sent.
   */
  readonly fence: number;
  /** Workers that were lost with it. */
  readonly crashes: number;
  /** Name of the worker that has or had it last, and the boot of its agent. */
  readonly worker: string | null;
  readonly boot: string | null;
  /** The Evener process whose agent has it; of several on one queue. */
  readonly owner: string | null;
  readonly submittedAtMs: number;
  /** When it may run (delays, back-off). */
  readonly readyAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Its owner does not want it any more; a worker may still have it. */
  readonly isCancelAsked: boolean;
  /** Exit code of a command; null for all else. */
  readonly exitCode: number | null;
  /** Why it is where it is, in words; null while there is nothing to say. */
  readonly reason: string | null;
}

/** What may change in a record. */
export type TaskChange = Partial<Omit<TaskRecord, "id" | "spec" | "submittedAtMs">>;

/** What has happened to a task; kept in the order in which it became durable. */
export interface TaskEvent {
  readonly kind: TaskEventKind;
  readonly atMs: number;
  readonly attempt: number;
  readonly fence: number;
  readonly worker: string | null;
  /** In words, and what is needed as evidence; small. */
  readonly detail: string | null;
}

const STEPS = [
  "submitted",
  "ready",
  "leased",
  "suspect",
  "reattached",
  "attempt_failed",
  "attempt_lost",
  "late_result",
  "cancel_asked",
  "redriven",
  "speculated",
] as const;

/** What has happened; an end goes by the name of the state. */
export type TaskEventKind = (typeof STEPS)[number] | EndState;
/** Stores keep the place in this list. */
export const TASK_EVENT_KINDS: readonly TaskEventKind[] = [...STEPS, ...END_STATES];
