import type { Endpoint } from "./endpoint.ts";
import type { FailureCause } from "./failure-cause.ts";
import { Forecast } from "./forecast.ts";
import type { Vitals } from "./vitals.ts";

/**
 * How an attempt ended. A client's abort is never a failure of the endpoint; for its latency it is a censored
 * sample ("at least this long"): without that, a backend so slow that all its clients give up looks healthy.
 */
export type Outcome =
  | "ok"
  /** It failed: refused, reset, broke off, or answered that it is broken. */
  | "backend_error"
  /** It said that it has too much to do (429, 503). */
  | "backend_overload"
  | "timeout"
  | "client_abort"
  /** Its first byte was late, and another endpoint has the work now: a censored sample, too. */
  | "late"
  /** We called it off for reasons of our own: says nothing about the endpoint. */
  | "cancelled";

/** More about a failure, where there is more. */
export interface OutcomeDetail {
  /** What the endpoint asked for; 0 is nothing. */
  readonly retryAfterMs: number;
  /** Nobody listens there, or nobody whom we may trust: certain at the first time. */
  readonly isUnreachable: boolean;
  /** For the event. */
  readonly cause?: FailureCause;
}

/** Nothing more is known. */
export const NO_DETAIL: OutcomeDetail = { retryAfterMs: 0, isUnreachable: false };

/** Why this endpoint: the policy chose it, the session is at home there, or it comes back and is tried. */
export type PickReason = "policy" | "session" | "trial";

/** What is known of a lease once it is over, or on its way. */
export interface LeaseFacts {
  readonly slot: number;
  readonly generation: number;
  /** How many times as long as usual its first byte may take: what it teaches is divided by that. */
  readonly scale: number;
  /** It is a prompt that was placed as one: {@link forecast} says what was expected. */
  readonly isPrompt: boolean;
  readonly forecast: Readonly<Forecast>;
  readonly bookedAtMs: number;
  readonly firstByteMs: number;
  /** See {@link Lease.established}. */
  readonly isEstablished: boolean;
  readonly why: PickReason;
}

/** What the pool does when something happens to a lease. */
export interface LeaseBook {
  leaseStarted(lease: Lease): void;
  leaseEstablished(lease: Lease): void;
  leaseReported(lease: Lease, vitals: Vitals): void;
  leaseProgressed(lease: Lease, units: number): void;
  leaseSettled(lease: Lease, outcome: Outcome, detail: OutcomeDetail): void;
}

/**
 * A booking of one piece of work on one endpoint, made at the pick and settled exactly once. The object may
 * be used for the next pick once it is settled; it starts a new life then.
 */
export class Lease {
  /** A lease is its own decision: nothing has to be made for a pick. */
  readonly kind = "send";
  endpoint: Endpoint | null = null;
  slot = -1;
  generation = -1;
  units = 0;
  scale = 1;
  isPrompt = false;
  readonly forecast: Forecast = new Forecast();
  /** Clock milliseconds of the pick. */
  bookedAtMs = 0;
  /** Milliseconds to the first sign of an answer; -1 until there was one. */
  firstByteMs = -1;
  /** See {@link established}. */
  isEstablished = false;
  /** What it holds is booked: see `PromptHolds`. */
  isHolding = false;
  why: PickReason = "policy";
  #book: LeaseBook | null = null;

  /** For whoever reads it as a decision. */
  get lease(): this {
    return this;
  }

  /** Booked and not settled. */
  get isOpen(): boolean {
    return this.#book !== null;
  }

  /** For the pool: begins a life. */
  open(book: LeaseBook, endpoint: Endpoint, units: number, nowMs: number, why: PickReason): void {
    if (this.#book !== null) throw new Error("a lease was picked with before it was settled");
    this.#book = book;
    this.endpoint = endpoint;
    this.slot = endpoint.slot;
    this.generation = endpoint.generation;
    this.units = units;
    this.scale = units;
    if (this.isPrompt) {
      this.isPrompt = false;
      this.forecast.reset();
    }
    this.bookedAtMs = nowMs;
    this.firstByteMs = -1;
    this.isEstablished = false;
    this.isHolding = false;
    this.why = why;
  }

  /** The first sign of an answer has come; later calls do nothing. */
  started(): void {
    if (this.#book !== null && this.firstByteMs < 0) this.#book.leaseStarted(this);
  }

  /**
   * The endpoint has done what it was asked for, and now only holds on: a tunnel that stands. That is a
   * success for its health; how long it lasts from here says nothing of its speed.
   */
  established(): void {
    if (this.#book === null || this.isEstablished) return;
    this.started();
    this.isEstablished = true;
    this.#book.leaseEstablished(this);
  }

  /** The answer says how its endpoint is. */
  reported(vitals: Vitals): void {
    this.#book?.leaseReported(this, vitals);
  }

  /** `units` of the work are done: they are pending no more. */
  progress(units: number): void {
    if (this.#book === null) return;
    const done = Math.min(units, this.units);
    this.units -= done;
    this.#book.leaseProgressed(this, done);
  }

  /** What the answer told of a prompt, before it is settled; NaN is unknown. */
  told(promptTokens: number, cachedTokens: number, outputTokens: number): void {
    this.forecast.toldPromptTokens = promptTokens;
    this.forecast.cachedTokens = cachedTokens;
    this.forecast.outputTokens = outputTokens;
  }

  /** How long parts of it took, as the answer told; NaN is unknown. */
  timed(decodeMs: number, loadMs: number): void {
    this.forecast.decodeMs = decodeMs;
    this.forecast.loadMs = loadMs;
  }

  /** The end, exactly once; returns false (and does nothing) when it had ended before. */
  settle(outcome: Outcome, detail: OutcomeDetail = NO_DETAIL): boolean {
    const book = this.#book;
    if (book === null) return false;
    this.#book = null;
    book.leaseSettled(this, outcome, detail);
    return true;
  }
}
