/** What a command writes: the beginning and the end of it, within a bound; what lies between is counted. */
export class Capture {
  readonly #most: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #lost = 0;

  /** `bytesMax`: half of it for the beginning. */
  constructor(bytesMax: number) {
    this.#most = Math.floor(bytesMax / 2) - NOTE_BYTES;
  }

  add(bytes: Buffer): void {
    const room = this.#most - this.#headBytes;
    const first = bytes.subarray(0, Math.max(0, room));
    if (first.length > 0) {
      this.#head.push(first);
      this.#headBytes += first.length;
    }
    const rest = bytes.subarray(first.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    while (this.#tailBytes > this.#most) this.#dropOldest();
  }

  /** All of it, or with a line in the place of what is missing. */
  result(): Buffer {
    const note = this.#lost === 0 ? "" : `\n[... ${this.#lost} bytes are left out here ...]\n`;
    return Buffer.concat([...this.#head, Buffer.from(note), ...this.#tail]);
  }

  #dropOldest(): void {
    const over = this.#tailBytes - this.#most;
    const oldest = this.#tail[0]!;
    const dropped = Math.min(over, oldest.length);
    if (dropped === oldest.length) this.#tail.shift();
    else this.#tail[0] = oldest.subarray(dropped);
    this.#tailBytes -= dropped;
    this.#lost += dropped;
  }
}

/** For the line in between, on each side. */
const NOTE_BYTES = 64;
