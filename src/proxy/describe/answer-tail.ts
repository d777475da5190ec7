// Hot path: what passes is copied into a ring, at most TAIL_BYTES_MAX of one read.
import { latin1 } from "../../http1/latin1.ts";

/** So much of an answer's end is kept: some events, or a whole small body. */
export const TAIL_BYTES_MAX: number = 8 * 1024;
/** So many tails are kept for the next answers when nobody needs them. */
const SPARE_TAILS_MAX = 64;

/** The last bytes of an answer. */
export class AnswerTail {
  readonly #ring: Buffer = Buffer.allocUnsafeSlow(TAIL_BYTES_MAX);
  #at = 0;
  /** All that has passed. */
  bytes = 0;

  clear(): void {
    this.#at = 0;
    this.bytes = 0;
  }

  push(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    const kept = bytes.length <= TAIL_BYTES_MAX ? bytes : bytes.subarray(bytes.length - TAIL_BYTES_MAX);
    const room = TAIL_BYTES_MAX - this.#at;
    if (kept.length < room) {
      this.#ring.set(kept, this.#at);
      this.#at += kept.length;
      return;
    }
    this.#ring.set(kept.subarray(0, room), this.#at);
    this.#ring.set(kept.subarray(room), 0);
    this.#at = kept.length - room;
  }

  /** Nothing has been lost. */
  get isWhole(): boolean {
    return this.bytes <= TAIL_BYTES_MAX;
  }

  /** What is kept, one character a byte. */
  text(): string {
    const newer = latin1(this.#ring, 0, this.#at);
    if (this.bytes < TAIL_BYTES_MAX) return newer;
    return latin1(this.#ring, this.#at, TAIL_BYTES_MAX) + newer;
  }
}

const spares: AnswerTail[] = [];

/** An empty tail. It is needed while an answer passes only: connections that rest have none. */
export function borrowTail(): AnswerTail {
  const tail = spares.pop() ?? new AnswerTail();
  tail.clear();
  return tail;
}

/** Not needed any more. */
export function returnTail(tail: AnswerTail): void {
  if (spares.length < SPARE_TAILS_MAX) spares.push(tail);
}
