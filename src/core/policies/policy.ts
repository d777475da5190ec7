import type { PromptBook } from "../inference/prompt-book.ts";
import type { Weighing } from "../inference/weighing.ts";
import type { Random } from "../kit/random.ts";
import type { Lease, LeaseFacts, Outcome } from "../lease.ts";
import type { Ledger } from "../ledger.ts";
import type { Work } from "../work.ts";

/**
 * A way to choose among the endpoints that may be chosen. A policy never sees an endpoint that is down,
 * draining, full or already tried: the pool has taken those out of `view.candidates` before.
 */
export interface Policy {
  /**
   * Returns one of `view.candidates[0 .. view.count - 1]`, or -1 where `count` is 0.
   * Synchronous, allocates nothing, reads the ledger and writes only what is its own.
   */
  pick(view: PoolView, work: Work): number;
  /** The slot belongs to endpoint `id` from now on: forget what was known about it. */
  joined?(slot: number, id: string): void;
  /**
   * A prompt goes to the lease's slot, whoever chose it (a session, a trial, this policy). May say that it is
   * booked as one: `lease.isPrompt`, `lease.units`, `lease.scale` and `lease.forecast`.
   */
  placed?(view: PoolView, work: Work, lease: Lease): void;
  /**
   * The lease's prompt waits for its first byte longer than was expected: whether one of the candidates, of
   * whom its endpoint is none, would bring it clearly sooner, as things are now. Books nothing.
   */
  isSooner?(view: PoolView, work: Work, lease: Lease): boolean;
  /**
   * The answer to a prompt has begun. This and what follows is told where pools are kept, not where work is
   * given.
   */
  began?(lease: LeaseFacts, nowMs: number): void;
  ended?(lease: LeaseFacts, outcome: Outcome, nowMs: number): void;
  /** Time has passed: some 100 ms. `slots` are those of the members. */
  tended?(slots: Int32Array, nowMs: number): void;
  /** Bytes of a prompt's JSON for a token, as learned; absent where prompts are not looked at. */
  readonly bytesPerToken?: number;
  /** What was weighed for the prompt that was placed last; absent where prompts are not weighed. */
  readonly weighing?: Weighing;
  /** It weighs how fast an endpoint is: one that is slow is not to get less for that once more. */
  readonly knowsSpeed?: boolean;
  /** What it has in common with the policy of the same pool in another thread, which opens it by its kit. */
  readonly memory?: PolicyMemory;
}

/** What threads share of a policy; may be posted when its buffer is shared. */
export interface PolicyMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}

/** What a policy may look at. One object a pool, filled anew for every pick. */
export interface PoolView {
  readonly ledger: Ledger;
  /** Slots that may be picked now; only the first `count` entries count. */
  readonly candidates: Int32Array;
  readonly count: number;
  readonly nowMs: number;
}

/**
 * Everything that the product needs to know about a policy: adding one is a file, a menu line and a docs
 * page.
 */
export interface PolicySpec {
  /** As operators write it in the configuration. */
  readonly name: string;
  /** One line for menus and docs: what it does and when to use it. */
  readonly summary: string;
  readonly options: Fields;
  /** `options` has a value of the right kind, within its range, for every field. */
  create(options: PolicyOptions, kit: PolicyKit): Policy;
}

/** What a policy is built with. */
export interface PolicyKit {
  readonly random: Random;
  /** Slots of the ledger: the length of every column that a policy keeps for itself. */
  readonly slotsMax: number;
  /** What is known of those who answer prompts, for all pools; absent: the policy makes its own. */
  readonly prompts?: PromptBook;
  /** Tells this pool from others that share {@link prompts}: 32 bits. */
  readonly pool?: number;
  /** Other threads will open the policy's memory. */
  readonly isShared?: boolean;
  /** The memory of the same policy in another thread: to be opened, not made. */
  readonly memory?: PolicyMemory;
}

/** The options of a policy, described so that configuration, checks and docs follow from them. */
export type Fields = Readonly<Record<string, Field>>;

export type FieldValue = number | string;

export type PolicyOptions = Readonly<Record<string, FieldValue>>;

/** One option. `about` is published as its reference documentation. */
export type Field =
  | { kind: "number"; default: number; min: number; max: number; about: string }
  /** Written as `10s` or `250ms` in the configuration, milliseconds in code. */
  | { kind: "duration"; default: number; min: number; max: number; about: string }
  | { kind: "text"; default: string; about: string };

/** For a policy that has nothing to set. */
export const NO_OPTIONS: Fields = {};

/** The options of a policy with every default filled in. */
export function defaultOptions(fields: Fields): PolicyOptions {
  const options: Record<string, FieldValue> = {};
  for (const [name, field] of Object.entries(fields)) options[name] = field.default;
  return options;
}
