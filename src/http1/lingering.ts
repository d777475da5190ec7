/**
 * How long a connection that is answered for the last time is still read from. Closing with something unread
 * sends a reset, and that takes the answer out of the hands of a client that is still sending (RFC 9112 9.6).
 * So it is read on: until the client closes, is silent, or has had enough of time and bytes.
 */
export class Lingering {
  #endMs = 0;
  #bytes = 0;

  /** The answer is written. Returns how long the client may be silent. */
  begin(nowMs: number): number {
    this.#endMs = nowMs + WHOLE_MS_MAX;
    this.#bytes = 0;
    return SILENT_MS_MAX;
  }

  /** So many bytes were thrown away. Returns how long the client may be silent now; 0: close. */
  read(bytes: number, nowMs: number): number {
    this.#bytes += bytes;
    if (this.#bytes > BYTES_MAX) return 0;
    return Math.max(0, Math.min(SILENT_MS_MAX, this.#endMs - nowMs));
  }
}

/** As in nginx (`lingering_timeout`, `lingering_time`). */
const SILENT_MS_MAX = 5_000;
const WHOLE_MS_MAX = 30_000;
/** More than the large APIs take in one request with images; to read it costs some 30 ms. */
const BYTES_MAX = 64 * 1024 * 1024;
