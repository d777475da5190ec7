import { createHash, createHmac, randomBytes } from "node:crypto";

/**
 * The keys that session tickets of TLS are made with. All threads that began with one seed have the same, so
 * a client may come back to any of them. Twice a day each goes one step on, by a hash that nobody can turn
 * back: whoever gets today's key can not read what was recorded yesterday.
 */
export class TicketKeys {
  #epoch: number;
  #key: Buffer;

  /** Without a seed: a new one. */
  constructor(seed: TicketSeed | null = null) {
    this.#epoch = seed?.epoch ?? epochOf(Date.now());
    this.#key = seed === null ? randomBytes(KEY_BYTES) : Buffer.from(seed.key, "base64");
  }

  /** 48 bytes as Node's `ticketKeys` wants them; another `purpose` has others. */
  keyFor(purpose: string, wallMs: number = Date.now()): Buffer {
    this.#advance(wallMs);
    return createHmac("sha384", this.#key).update(purpose).digest();
  }

  /** For a thread that begins now. */
  seed(wallMs: number = Date.now()): TicketSeed {
    this.#advance(wallMs);
    return { epoch: this.#epoch, key: this.#key.toString("base64") };
  }

  #advance(wallMs: number): void {
    for (; this.#epoch < epochOf(wallMs); this.#epoch++) {
      this.#key = createHash("sha384").update(this.#key).digest();
    }
  }
}

/** Where keys start from: plain data, and a secret. */
export interface TicketSeed {
  readonly epoch: number;
  /** Base64. */
  readonly key: string;
}

const KEY_BYTES = 48;
const EPOCH_MS = 12 * 3_600_000;

function epochOf(wallMs: number): number {
  return Math.floor(wallMs / EPOCH_MS);
}
