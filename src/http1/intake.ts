import type { Transport } from "./transport.ts";

/**
 * What a connection has read but can not use yet, and whether it reads on: bytes of later requests are kept
 * up to a limit, enough to notice that the client has gone; beyond it the transport is paused, and so the
 * peer, by its window.
 */
export class Intake {
  #transport: Transport | null = null;
  #kept: Buffer | null = null;
  #isPaused = false;
  #discardedBytes = 0;

  /** To be called once, before anything else. */
  attach(transport: Transport): void {
    this.#transport = transport;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isEmpty(): boolean {
    return this.#kept === null;
  }

  /** Keeps a copy of `bytes` from `offset` on. */
  keep(bytes: Buffer, offset: number): void {
    const rest = bytes.subarray(offset);
    this.#kept = this.#kept === null ? Buffer.from(rest) : Buffer.concat([this.#kept, rest]);
    if (this.#kept.length >= KEPT_BYTES_MAX) this.pause();
  }

  /** Hands out what was kept, or null. */
  take(): Buffer | null {
    const bytes = this.#kept;
    this.#kept = null;
    return bytes;
  }

  /** A body of which so much is still to come may be read only for the sake of the connection. */
  mayDiscard(bytes: number): boolean {
    return bytes > 0 && bytes <= DISCARDED_BYTES_MAX;
  }

  /** From here on bytes are not wanted; they are counted anew. */
  beginDiscarding(): void {
    this.#discardedBytes = 0;
  }

  /** Bytes of a body that are read only for the sake of the connection; false when they are too many. */
  discard(bytes: number): boolean {
    this.#discardedBytes += bytes;
    return this.#discardedBytes <= DISCARDED_BYTES_MAX;
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport!.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport!.resume();
  }
}

/** Bytes that are read ahead of their turn. */
const KEPT_BYTES_MAX = 64 * 1024;
/** Bytes of an unwanted body. */
const DISCARDED_BYTES_MAX = 64 * 1024;
