import type { Logger } from "pino";
import { EventLog } from "./admin/event-log.ts";
import type { PoolEvent, PoolEventKind } from "./core/events.ts";
import type { Clock } from "./core/kit/clock.ts";
import type { DataThreadsKit } from "./planes/data-threads.ts";
import { connectionsThatFit, openFilesMax } from "./proxy/descriptors.ts";

/** What operators are told of: events for the admin listener, and lines of the log. */
export class Journal {
  readonly events: EventLog = new EventLog();
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #lost: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  note(event: PoolEvent): void {
    this.events.append(event);
    const { pool, endpoint, kind, reason, evidence } = event;
    const isNews = kind !== "joined" && kind !== "left";
    this.#log[isNews ? "info" : "debug"]({ pool, backend: endpoint, kind, reason, evidence }, "pool event");
  }

  /** Of no pool. */
  noteOwn(kind: PoolEventKind, reason: string, evidence: string): void {
    this.note(this.#own(kind, reason, evidence));
  }

  noteDeath(reason: string, evidence: string): void {
    this.#log.error({ reason, evidence }, "a data thread died; another takes its place");
    const [first = ""] = reason.split("\n");
    this.events.append(this.#own("thread_died", first, evidence));
  }

  /** A connection was closed for its PROXY header. */
  noteRefusedPreface(address: string, reason: string): void {
    this.#log.warn({ address, reason }, "connection closed: proxy_protocol");
  }

  /** A data thread has no socket for these addresses; `isLost`: at one of them nobody has. */
  noteDeaf(thread: number, addresses: string, isLost: boolean): void {
    const text = "this data thread accepts nothing there: too few sockets came, and no other can be opened";
    this.#log[isLost ? "error" : "warn"]({ thread, addresses }, text);
    if (isLost) this.#lost.resolve();
  }

  /** Resolves when an address has no socket any more, and can not get one: another process may. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** What planes tell of, as they call it. */
  get ofPlanes(): PlaneNews {
    return {
      onThreadDeath: this.noteDeath.bind(this),
      onPrefaceRefused: this.noteRefusedPreface.bind(this),
      onDeaf: this.noteDeaf.bind(this),
    };
  }

  /** Fewer connections than configured are worth a line. */
  noteConnections(configured: number): void {
    const connections = connectionsThatFit(configured);
    if (connections === configured) return;
    const descriptors = openFilesMax();
    const text = "limits.connections lowered to what the limit of open files allows; raise it with ulimit -n";
    this.#log.warn({ configured, connections, descriptors }, text);
  }

  #own(kind: PoolEventKind, reason: string, evidence: string): PoolEvent {
    return { atMs: this.#clock.nowMs(), pool: "", endpoint: null, kind, reason, evidence };
  }
}

type PlaneNews = Pick<DataThreadsKit, "onThreadDeath" | "onPrefaceRefused" | "onDeaf">;
