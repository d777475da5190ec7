import { write } from "node:fs";
import type { LogWriter } from "../proxy/access-log.ts";

/**
 * The one who writes to the standard output for all threads: one piece of whole lines after the other, so
 * that lines stay whole. Each thread waits for `done` before it gives more: no more waits here than threads
 * have buffers.
 */
export class StdoutWriter {
  readonly #waiting: Piece[] = [];
  #isWriting = false;

  readonly write: LogWriter = (bytes, done) => {
    this.#waiting.push({ bytes, done });
    if (!this.#isWriting) this.#next();
  };

  #next(): void {
    const piece = this.#waiting.shift();
    this.#isWriting = piece !== undefined;
    if (piece !== undefined) this.#write(piece, 0);
  }

  #write(piece: Piece, from: number, pauses = 0): void {
    const { bytes, done } = piece;
    write(STDOUT, bytes, from, bytes.length - from, null, (error, written) => {
      // A pipe may take less than all, or (where somebody made it non-blocking) nothing for now.
      const next = error === null ? from + written : from;
      if (error === null && next < bytes.length) return this.#write(piece, next);
      if (error?.code === "EAGAIN" && pauses < PAUSES_MAX) {
        setTimeout(() => this.#write(piece, next, pauses + 1), PAUSE_MS);
        return;
      }
      done(error === null);
      this.#next();
    });
  }
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly done: (isWritten: boolean) => void;
}

const STDOUT = 1;
/** A receiver that takes nothing for 10 s loses what was for it. */
const PAUSES_MAX = 1_000;
const PAUSE_MS = 10;
