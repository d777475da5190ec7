import type { Prompt } from "./prompt.ts";

/** No key: the work does not care where it goes. */
export const NO_KEY = -1;

/** Work of a higher class leaves the queue first. */
export const WORK_CLASSES = ["high", "normal", "low"] as const;
export type WorkClass = (typeof WORK_CLASSES)[number];

/** Endpoints that one piece of work may visit, at most. */
export const TRIED_MAX = 12;

/**
 * One piece of work, as the engine sees it. The caller owns it and may use it again for the next piece
 * (`reset`), so that the request path allocates nothing.
 */
export class Work {
  /** 32-bit hash of what the `hash` policy goes by, or {@link NO_KEY}. */
  key: number = NO_KEY;
  /** 32-bit hash of the session, or {@link NO_KEY}. */
  sessionKey: number = NO_KEY;
  /** Slot of the endpoint that a session cookie names; -1 is none. */
  sessionSlot = -1;
  /** How much work it is; 1 where requests are not told apart. Whole, 1..2^31-1. */
  units = 1;
  /** What is known of it where it is a prompt for a language model. */
  prompt: Prompt | null = null;
  /** Index into {@link WORK_CLASSES}. */
  classIndex = 1;
  /** It may be sent again elsewhere, so it may be used to try out an endpoint that comes back. */
  isReplayable = false;
  /** Only endpoints that carry all these labels; null for any. One object per route: compared by identity. */
  labels: Readonly<Record<string, string>> | null = null;

  /** It leaves an endpoint for one that is sooner: neither its session nor a trial says which. */
  isMoving = false;

  /** Slots that have failed this work already. */
  readonly tried: Int32Array = new Int32Array(TRIED_MAX);
  triedCount = 0;

  reset(): void {
    this.key = NO_KEY;
    this.sessionKey = NO_KEY;
    this.sessionSlot = -1;
    this.units = 1;
    this.prompt = null;
    this.classIndex = 1;
    this.isReplayable = false;
    this.labels = null;
    this.isMoving = false;
    this.triedCount = 0;
  }

  /** The next pick leaves that slot out. */
  avoid(slot: number): void {
    if (this.triedCount === TRIED_MAX)
      throw new RangeError(`more than ${TRIED_MAX} attempts for one piece of work`);
    this.tried[this.triedCount++] = slot;
  }

  hasTried(slot: number): boolean {
    for (let i = 0; i < this.triedCount; i++) if (this.tried[i] === slot) return true;
    return false;
  }
}
