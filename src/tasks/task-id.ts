import { randomFillSync } from "node:crypto";

/**
 * Ids that sort by the time of their making: 48 bits of milliseconds and 80 of chance, as 26 characters of
 * Crockford's base 32 (the ULID specification). Within a millisecond they grow by one, so that order is that
 * of submission.
 */
export class TaskIds {
  readonly #chance: Uint8Array = new Uint8Array(CHANCE_DIGITS);
  #lastMs = 0;
  #time = "";

  /** `wallMs`: Unix time; one that goes back does not make ids that do. */
  next(wallMs: number): string {
    if (Math.floor(wallMs) > this.#lastMs) this.#begin(Math.floor(wallMs));
    else this.#increase();
    let text = this.#time;
    for (const digit of this.#chance) text += ALPHABET[digit]!;
    return text;
  }

  #begin(ms: number): void {
    this.#lastMs = ms;
    this.#time = "";
    for (let i = 0, left = ms; i < TIME_DIGITS; i++, left = Math.floor(left / 32)) {
      this.#time = ALPHABET[left % 32]! + this.#time;
    }
    randomFillSync(this.#chance);
    for (let i = 0; i < CHANCE_DIGITS; i++) this.#chance[i]! &= 31;
    // Room to grow.
    this.#chance[0]! &= 15;
  }

  #increase(): void {
    for (let i = CHANCE_DIGITS - 1; i >= 0; i--) {
      this.#chance[i] = (this.#chance[i]! + 1) & 31;
      if (this.#chance[i] !== 0) return;
    }
  }
}

const TIME_DIGITS = 10;
const CHANCE_DIGITS = 16;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
