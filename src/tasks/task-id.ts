import { randomFillSync } from "node:crypto";

/**
 * Ids that sort by the time of their making: 48 bits of milliseconds and 80 of chance, as 26 characters of
 * Crockford's base 32 (the ULID specification). Within a millisecond they grow by one, so that order is that
 * of submission.
 */
export class TaskIds {
  readonly #random: Buffer = Buffer.alloc(10);
  #lastMs = 0;

  /** `wallMs`: Unix time; one that goes back does not make ids that do. */
  next(wallMs: number): string {
    if (wallMs > this.#lastMs) {
      this.#lastMs = wallMs;
      randomFillSync(this.#random);
      // Room to grow.
      this.#random[0]! &= 0x7f;
    } else this.#increase();
    let number = BigInt(Math.floor(this.#lastMs)) << 80n;
    number |= BigInt(`0x${this.#random.toString("hex")}`);
    let text = "";
    for (let i = 0; i < 26; i++, number >>= 5n) text = ALPHABET[Number(number & 31n)]! + text;
    return text;
  }

  #increase(): void {
    for (let i = this.#random.length - 1; i >= 0; i--) {
      this.#random[i] = (this.#random[i]! + 1) & 0xff;
      if (this.#random[i] !== 0) return;
    }
  }
}

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
