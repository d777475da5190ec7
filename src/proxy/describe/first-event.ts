import { EventHead } from "./answer-event.ts";
import { AnswerFrames, type AnswerFraming } from "./answer-frames.ts";

/** So much of a stream is held while nothing generated has come; more of it goes to the client as it is. */
export const HELD_BYTES_MAX: number = 32 * 1024;
/** What is allocated first: a role, some names, a comment. */
const HELD_BYTES_FIRST = 1024;

/**
 * What is known of the head of a stream: `more` is needed; an `event` has come that the client should have;
 * or an `error` came before anything was generated.
 */
export type FirstVerdict = "more" | "event" | "error";

/**
 * Holds the head of a stream until its first event that brings something generated, so that a failure before
 * it can still be mended by another backend. Events that bring nothing (a role, `response.created`, `ping`)
 * and comments are held, too: an engine may send them before it has even begun. How long, its owner decides.
 */
export class FirstEvent {
  readonly #frames = new AnswerFrames();
  readonly #head = new EventHead();
  #room: Buffer = NOTHING;
  #bytes = 0;

  /** A new stream; nothing is held. */
  begin(framing: AnswerFraming): void {
    this.release();
    this.#frames.begin(framing);
    this.#head.begin(framing === "sse");
  }

  /**
   * Content as it comes. It is held when the verdict is `more`; with any other it is not, and follows what is
   * held. After that no more must be given.
   */
  take(bytes: Buffer, start: number, end: number): FirstVerdict {
    const view = bytes.subarray(start, end);
    let at = this.#frames.enter(view);
    for (let next = this.#frames.next(view, at); next >= 0; next = this.#frames.next(view, at)) {
      if (this.#frames.isEvent) {
        this.#head.add(view, at, next);
        const { kind } = this.#head.read();
        if (kind !== "quiet") return kind === "error" ? "error" : "event";
      } else this.#head.drop();
      at = next;
    }
    this.#head.add(view, at, view.length);
    return this.#hold(view) ? "more" : "event";
  }

  /** The stream has ended well, without what was waited for: a last event may lack its empty line. */
  end(): Exclude<FirstVerdict, "more"> {
    return this.#head.read().kind === "error" ? "error" : "event";
  }

  /** What is held; valid until the next call of another method. */
  get held(): Buffer {
    return this.#room.subarray(0, this.#bytes);
  }

  /** What is held is not needed any more. */
  release(): void {
    this.#room = NOTHING;
    this.#bytes = 0;
    this.#head.drop();
  }

  #hold(view: Buffer): boolean {
    const needed = this.#bytes + view.length;
    if (needed > HELD_BYTES_MAX) return false;
    if (needed > this.#room.length) {
      const room = Buffer.allocUnsafeSlow(Math.min(HELD_BYTES_MAX, Math.max(HELD_BYTES_FIRST, 2 * needed)));
      this.#room.copy(room, 0, 0, this.#bytes);
      this.#room = room;
    }
    this.#room.set(view, this.#bytes);
    this.#bytes = needed;
    return true;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
