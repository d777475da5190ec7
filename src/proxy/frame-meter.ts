// Hot path: per read a few steps a frame; payload is skipped, nothing is copied or kept.

/**
 * Follows the frames of one direction of a WebSocket (RFC 6455 section 5.2) as they pass, to know where one
 * ends: only there can a frame of ours be put in. It judges nothing and changes nothing.
 */
export class FrameMeter {
  /** Bytes seen of the current frame's header. */
  #headerBytes = 0;
  #headerLength = HEADER_BYTES_MIN;
  #maskBytes = 0;
  /** Of the payload; as it is read, then what is left of it. */
  #payloadBytes = 0;
  /** A Close frame has begun: its sender says nothing after it. */
  hasClosed = false;

  /** The last byte was the last of a frame, or there was none yet. */
  get isAtBoundary(): boolean {
    return this.#headerBytes === 0;
  }

  take(bytes: Uint8Array): void {
    const end = bytes.length;
    let at = 0;
    while (at < end) {
      if (this.#headerBytes < this.#headerLength) {
        this.#takeHeader(bytes[at++]!);
      } else {
        const step = Math.min(this.#payloadBytes, end - at);
        this.#payloadBytes -= step;
        at += step;
      }
      if (this.#headerBytes === this.#headerLength && this.#payloadBytes === 0) this.#begin();
    }
  }

  #begin(): void {
    this.#headerBytes = 0;
    this.#headerLength = HEADER_BYTES_MIN;
  }

  #takeHeader(byte: number): void {
    const position = this.#headerBytes++;
    if (position === 0) {
      if ((byte & OPCODE) === CLOSE) this.hasClosed = true;
    } else if (position === 1) {
      const length = byte & LENGTH;
      const extendedBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
      this.#maskBytes = (byte & MASKED) === 0 ? 0 : 4;
      this.#headerLength = HEADER_BYTES_MIN + extendedBytes + this.#maskBytes;
      this.#payloadBytes = extendedBytes === 0 ? length : 0;
    } else if (position < this.#headerLength - this.#maskBytes) {
      this.#payloadBytes = this.#payloadBytes * 256 + byte;
    }
  }
}

/**
 * A Close frame that says 1001, "going away" (RFC 6455 section 7.4.1). `mask` has the four bytes that a
 * client's frame is masked with; null for a server's frame.
 */
export function goingAwayFrame(mask: Uint8Array | null): Uint8Array {
  if (mask === null) return Uint8Array.of(FINAL | CLOSE, 2, ...GOING_AWAY);
  const [high, low] = GOING_AWAY;
  return Uint8Array.of(FINAL | CLOSE, MASKED | 2, ...mask, high ^ mask[0]!, low ^ mask[1]!);
}

const HEADER_BYTES_MIN = 2;
const FINAL = 0x80;
const OPCODE = 0x0f;
const CLOSE = 0x8;
const MASKED = 0x80;
const LENGTH = 0x7f;
/** 1001 in network order. */
const GOING_AWAY = [0x03, 0xe9] as const;
