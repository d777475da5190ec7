import { type AnswerEvent, linesOf, readJsonEvent, readSseEvent } from "./answer-event.ts";

/** So many events at the end of a stream are looked at, until one that brought something generated. */
const LAST_EVENTS_MAX = 12;

/** The end of a stream. */
export interface LastEvents {
  /** The last that brought something generated, and what came after it; the earlier first. */
  readonly events: readonly AnswerEvent[];
  /** Those after it that are complete. */
  readonly quietEvents: number;
  /** The rest of the event whose beginning is lost, when nothing else was found; else "". */
  readonly cut: string;
}

/** Reads the end of a stream. Its beginning may be lost: `isWhole` is false then. */
export function readLastEvents(text: string, isSse: boolean, isWhole: boolean): LastEvents {
  const walk = new FramesFromEnd(text, isSse);
  const events: AnswerEvent[] = [];
  let quietEvents = 0;
  for (let isRest = true; events.length < LAST_EVENTS_MAX; isRest = false) {
    const frame = walk.next();
    if (frame === null) break;
    const isFirst = walk.isAtStart;
    if (!isEvent(frame, isSse)) continue;
    if (isFirst && !isWhole) return { events: events.reverse(), quietEvents, cut: frame };
    const event = isSse ? readSseEvent(frame) : readJsonEvent(frame);
    // What was cut by the end of the stream may tell something, but it was never an event.
    if (isRest && event.json === null && event.kind === "content") continue;
    events.push(event);
    if (event.kind === "content") break;
    if (!isRest) quietEvents++;
  }
  return { events: events.reverse(), quietEvents, cut: "" };
}

/** The frames of a text, the last one first; that is what came after the last end of a frame, maybe "". */
class FramesFromEnd {
  readonly #isSse: boolean;
  readonly #lines: readonly string[];
  #at: number;
  /** The frame before may have begun before the text did. */
  isAtStart = false;

  constructor(text: string, isSse: boolean) {
    this.#isSse = isSse;
    this.#lines = isSse ? linesOf(text) : text.split("\n");
    this.#at = this.#lines.length;
  }

  /** The frame before, its lines ended by line feeds; null when there is none. */
  next(): string | null {
    if (this.#at === 0) return null;
    let frame = this.#lines[--this.#at]!;
    while (this.#isSse && this.#at > 0) {
      const line = this.#lines[--this.#at]!;
      // It ends the frame before.
      if (line === "") return frame;
      frame = `${line}\n${frame}`;
    }
    this.isAtStart = this.#at === 0;
    return frame;
  }
}

function isEvent(frame: string, isSse: boolean): boolean {
  return isSse ? SAYS_SOMETHING.test(frame) : frame.trim() !== "";
}

/** A line that is no comment. */
const SAYS_SOMETHING = /^[^:\n]/m;
