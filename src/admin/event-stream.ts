import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { ServerConnection } from "../http1/server.ts";
import { answerHead } from "../control/answer.ts";
import type { EventLog, LoggedEvent } from "./event-log.ts";

/**
 * Events as they come, as server-sent events, until the client leaves. Nothing is kept for a client that
 * reads slowly: it gets from the log what it has missed, and is told how many it has missed for good.
 */
export class EventStream implements DeadlineOwner {
  readonly #connection: ServerConnection;
  readonly #log: EventLog;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline = new Deadline(this);
  #unsubscribe: (() => void) | null = null;
  /** Number of the last event that was written. */
  #sent: number;
  #isBlocked = false;

  private constructor(setup: EventStreamSetup) {
    this.#connection = setup.connection;
    this.#log = setup.log;
    this.#deadlines = setup.deadlines;
    this.#sent = setup.since > setup.log.last ? 0 : setup.since;
  }

  /** Begins to answer with a stream; null, and nothing was written, when too many follow already. */
  static begin(setup: EventStreamSetup): EventStream | null {
    const stream = new EventStream(setup);
    stream.#unsubscribe = setup.log.subscribe(() => stream.#write());
    if (stream.#unsubscribe === null) return null;
    stream.#begin();
    return stream;
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#write();
  }

  onDeadline(): void {
    if (!this.#isBlocked) this.#isBlocked = !this.#connection.write(": still here\n\n");
    this.#deadlines.set(this.#deadline, HEARTBEAT_MS);
  }

  close(): void {
    this.#unsubscribe?.();
    this.#deadlines.remove(this.#deadline);
  }

  #begin(): void {
    // It ends with its connection: there is no length, and nothing comes after it.
    this.#connection.isLast = true;
    const head = `${answerHead(200, "text/event-stream; charset=utf-8")}connection: close\r\n\r\n`;
    this.#isBlocked = !this.#connection.write(`${head}retry: ${RECONNECT_MS}\n\n`);
    this.#deadlines.set(this.#deadline, HEARTBEAT_MS);
    this.#write();
  }

  #write(): void {
    while (!this.#isBlocked && this.#sent < this.#log.last) {
      const missed = this.#log.first - this.#sent - 1;
      let text = missed > 0 ? `event: missed\ndata: {"count":${missed}}\n\n` : "";
      for (const event of this.#log.since(this.#sent, BATCH)) {
        text += `id: ${event.sequence}\ndata: ${JSON.stringify(eventStatus(event))}\n\n`;
        this.#sent = event.sequence;
      }
      this.#isBlocked = !this.#connection.write(Buffer.from(text, "utf8"));
    }
  }
}

/** What a stream needs. `since`: number of the last event that the client has seen. */
export interface EventStreamSetup {
  readonly connection: ServerConnection;
  readonly log: EventLog;
  readonly deadlines: Deadlines;
  readonly since: number;
}

/** An event as the API shows it. */
export interface EventStatus {
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly pool: string;
  /** Null when it concerns the whole pool. */
  readonly backend: string | null;
  readonly kind: string;
  readonly reason: string;
  readonly evidence: string;
}

/** The event with the names of the API. */
export function eventStatus({ sequence, atWallMs, event }: LoggedEvent): EventStatus {
  const { pool, endpoint, kind, reason, evidence } = event;
  return { sequence, at: new Date(atWallMs).toISOString(), pool, backend: endpoint, kind, reason, evidence };
}

const HEARTBEAT_MS = 15_000;
/** How soon a browser comes back after the stream broke. */
const RECONNECT_MS = 2_000;
/** Events that are written at once. */
const BATCH = 100;
