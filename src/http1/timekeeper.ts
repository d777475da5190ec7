// Hot path: one deadline a connection, moved by a number's assignment.
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import type { Deadlines, ServerTimeouts } from "./deadlines.ts";
import { Lingering } from "./lingering.ts";
import type { Transport } from "./transport.ts";

/** How long a client's connection may take for what it is doing; its owner is told when that is over. */
export class Timekeeper {
  readonly #deadlines: Deadlines;
  readonly #timeouts: ServerTimeouts;
  readonly #deadline: Deadline;
  readonly #lingering: Lingering = new Lingering();
  #isHeadTimed = false;
  /** What was waiting to be sent when progress was looked for last. */
  #bufferedBytes = 0;

  constructor(deadlines: Deadlines, timeouts: ServerTimeouts, owner: DeadlineOwner) {
    this.#deadlines = deadlines;
    this.#timeouts = timeouts;
    this.#deadline = new Deadline(owner);
  }

  /** The first request of the connection is due. */
  awaitFirst(): void {
    this.#set(this.#timeouts.headerMs);
  }

  /** The next request is due, within `msMax` at most. */
  awaitNext(msMax: number): void {
    this.#set(Math.min(this.#timeouts.keepAliveMs, msMax));
  }

  /** From the first byte of a head the time runs, however slowly the rest drips in. */
  headGoesOn(): void {
    if (this.#isHeadTimed) return;
    this.#isHeadTimed = true;
    this.#set(this.#timeouts.headerMs);
  }

  headIsThere(): void {
    this.#isHeadTimed = false;
  }

  /** The next bytes of a body are due. */
  awaitBody(): void {
    this.#set(this.#timeouts.progressMs);
  }

  /** The rest of a body that nobody wants is due, all of it. */
  awaitRest(): void {
    this.#set(REST_MS_MAX);
  }

  /** The client is to read some of what waits for it. */
  awaitReading(transport: Transport): void {
    this.#bufferedBytes = transport.bufferedBytes;
    this.#set(this.#timeouts.progressMs);
  }

  /** It has read some of that. */
  hasBeenRead({ bufferedBytes }: Transport): boolean {
    return bufferedBytes > 0 && bufferedBytes < this.#bufferedBytes;
  }

  /** The client is not read from: whether it is still there is looked at now and then. */
  checkHeld(): void {
    this.#set(HELD_CHECK_MS);
  }

  /** The client is to close, after it has read what waits for it. */
  awaitClose(): void {
    // Through TLS no write is done at once: whether the client is slow is seen when it has been silent.
    this.#bufferedBytes = Number.POSITIVE_INFINITY;
    this.#set(this.#lingering.begin(this.#deadlines.nowMs));
  }

  /** It has sent so many bytes instead of closing; false when that was enough. */
  lingersOn(bytes: number, transport: Transport): boolean {
    const silentMs = this.#lingering.read(bytes, this.#deadlines.nowMs);
    if (silentMs > 0 && transport.bufferedBytes === 0) this.#set(silentMs);
    return silentMs > 0;
  }

  /** Whatever is due now is due from somebody else. */
  stop(): void {
    this.#deadlines.clear(this.#deadline);
  }

  /** For good. */
  remove(): void {
    this.#deadlines.remove(this.#deadline);
  }

  #set(ms: number): void {
    this.#deadlines.set(this.#deadline, ms);
  }
}

/** For the little that is still to come of a body, when its answer has been given. */
const REST_MS_MAX = 5_000;

/** How often it is looked whether a client that is not read from is still there. */
export const HELD_CHECK_MS = 100;
