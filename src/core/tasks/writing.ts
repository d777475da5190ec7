import type { Entry } from "./book.ts";
import type { Verdict } from "./ending.ts";
import type { EngineLink } from "./engine-link.ts";
import type { Timetable } from "./timetable.ts";
import type { Write, WriteOutcome } from "./write.ts";

/** Writes that must come about: what the store can not write now is written when it can. */
export class Writing {
  readonly #link: EngineLink;
  readonly #timetable: Timetable;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(link: EngineLink, timetable: Timetable) {
    this.#link = link;
    this.#timetable = timetable;
  }

  /** The store has failed lately: nothing new is to be begun. */
  isPaused(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs;
  }

  commit(write: Write, done: (outcome: WriteOutcome, nowMs: number) => void): void {
    this.#link.commit(write, (outcome, nowMs) => {
      if (outcome.kind !== "failed") return done(outcome, nowMs);
      this.#pausedUntilMs = nowMs + PAUSE_MS;
      this.#timetable.at(this.#pausedUntilMs, () => this.commit(write, done));
    });
  }

  /**
   * One write of a task at a time, under the condition that it is as the book has it. What comes back `stale`
   * is the truth, and the book has it before `done` is called.
   */
  change(
    entry: Entry,
    { change, event }: Verdict,
    result: Uint8Array | null | undefined,
    done: (isDone: boolean, nowMs: number) => void,
  ): void {
    entry.isWriting = true;
    const { id, fence: ifFence, state } = entry.record;
    const write = { do: "change" as const, id, ifState: [state], ifFence, ifEpoch: null, change, event };
    this.commit(result === undefined ? write : { ...write, result }, (outcome, nowMs) => {
      // As it should be, though under another condition: this very write had come about before, unheard.
      const isDone = outcome.kind === "done" || (outcome.kind === "stale" && is(outcome.record, change));
      if (isDone) entry.record = { ...entry.record, ...change };
      else if (outcome.kind === "stale") entry.record = outcome.record ?? vanished(entry);
      done(isDone, nowMs);
      entry.written();
    });
  }
}

function is(record: Entry["record"] | null, change: Verdict["change"]): boolean {
  if (record === null) return false;
  return (Object.keys(change) as (keyof typeof change)[]).every((key) => record[key] === change[key]);
}

/** Somebody took it out of the store: there is nothing left to do for it. */
function vanished({ record }: Entry): Entry["record"] {
  return { ...record, state: "cancelled", reason: "it is not in the store any more" };
}

const PAUSE_MS = 1_000;
