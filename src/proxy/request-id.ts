// Hot path: no system call and no crypto per request.
import { randomBytes } from "node:crypto";
import { Random } from "../core/kit/random.ts";

/** Ids for requests and traces: unique, not secret. */
export class RequestIds {
  readonly #prefix: string = randomBytes(6).toString("hex");
  readonly #tracePrefix: string = randomBytes(8).toString("hex");
  readonly #spanPrefix: string = randomBytes(4).toString("hex");
  readonly #random: Random = new Random(randomBytes(4).readUInt32LE(0));
  #count = 0;

  /** The client's own id when it is harmless, else a new one. */
  requestId(given: string | null): string {
    if (given !== null && isHarmless(given)) return given;
    this.#count++;
    return `${this.#prefix}-${this.#count}`;
  }

  /**
   * The given W3C trace context when it is valid, else a new one that is not sampled: half of it is random
   * for the process, the other half for the request.
   */
  traceparent(given: string | null): string {
    if (given !== null && TRACEPARENT.test(given)) return given;
    const trace = `${this.#tracePrefix}${this.#hex()}${this.#hex()}`;
    return `00-${trace}-${this.#spanPrefix}${this.#hex()}-00`;
  }

  /** 32 random bits. */
  #hex(): string {
    const word = this.#random.uint32();
    return HEX[word >>> 24]! + HEX[(word >>> 16) & 255]! + HEX[(word >>> 8) & 255]! + HEX[word & 255]!;
  }
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const ID_LENGTH_MAX = 128;

function isHarmless(id: string): boolean {
  if (id.length === 0 || id.length > ID_LENGTH_MAX) return false;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    const isWord = (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
    // "-", ".", "_", ":"
    if (!isWord && code !== 45 && code !== 46 && code !== 95 && code !== 58) return false;
  }
  return true;
}
