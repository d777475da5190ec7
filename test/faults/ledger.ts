/** What kind of request it is. Only `post` may not be sent twice. */
export type Kind = "get" | "put" | "post" | "chat" | "sse";

/**
 * How a request ended for its client.
 * - ok: a whole answer, and the right one.
 * - answered: a whole answer that says that it did not work.
 * - broken: the answer had begun and broke off, for the client to see.
 * - failed: the connection ended without an answer.
 * - left: the client gave up on purpose.
 * - wrong: a whole answer as far as HTTP says, but not the right one. Never right.
 */
export type Ending = "ok" | "answered" | "broken" | "failed" | "left" | "wrong";

/** One request, as its client saw it, and where it was delivered. */
export interface Entry {
  readonly id: string;
  readonly kind: Kind;
  readonly sentAtMs: number;
  /** Of its connection, on its client's side; 0 until there is one. */
  clientPort: number;
  /** Null while it runs: at the end of a row that is a request left hanging. */
  ending: Ending | null;
  endedAtMs: number;
  status: number;
  /** Evener's error code, where the answer is Evener's own. */
  code: string;
  /** The backend that Evener names in the answer. */
  backend: string;
  attempts: number;
  retryAfterS: number;
  /** Why it failed, for reports. */
  detail: string;
  /** The backends that it reached, in order. */
  readonly deliveries: string[];
}

/** The three promises, each with the requests that break it; all empty is what must be. */
export interface Verdict {
  /** Could have been answered, and were not. */
  readonly lost: readonly Entry[];
  /** Must not be sent twice, and were. */
  readonly duplicated: readonly Entry[];
  /** Failed in a way that their client can not see. */
  readonly undetectable: readonly Entry[];
}

/** Every request of a row on both ends: what its client saw, and each of its deliveries to a backend. */
export class Ledger {
  readonly entries: Map<string, Entry> = new Map();
  /** Deliveries that nobody asked for, by id. */
  readonly phantoms: string[] = [];
  #next = 0;

  /** A client sends a request. */
  open(kind: Kind): Entry {
    const id = `${kind}-${this.#next++}`;
    const entry: Entry = {
      id,
      kind,
      sentAtMs: performance.now(),
      clientPort: 0,
      ending: null,
      endedAtMs: 0,
      status: 0,
      code: "",
      backend: "",
      attempts: 0,
      retryAfterS: 0,
      detail: "",
      deliveries: [],
    };
    this.entries.set(id, entry);
    return entry;
  }

  /** An id for a request that the row watches itself. */
  ignore(): string {
    return `${IGNORED}${this.#next++}`;
  }

  /** Its client knows how it ended. */
  close(entry: Entry, ending: Ending, detail = ""): void {
    if (entry.ending !== null) return;
    entry.ending = ending;
    entry.endedAtMs = performance.now();
    entry.detail = detail;
  }

  /** It reached a backend. */
  delivered(id: string, backend: string): void {
    const entry = this.entries.get(id);
    if (entry === undefined) {
      if (!id.startsWith(IGNORED)) this.phantoms.push(`${backend}: ${id}`);
    } else entry.deliveries.push(backend);
  }

  /** Requests for which `is` holds. */
  filter(is: (entry: Entry) => boolean): Entry[] {
    return [...this.entries.values()].filter(is);
  }

  count(is: (entry: Entry) => boolean): number {
    let count = 0;
    for (const entry of this.entries.values()) if (is(entry)) count++;
    return count;
  }

  /** Judges the three promises; `isExcused` names losses that the row provokes on purpose. */
  judge(isExcused: (entry: Entry) => boolean = () => false): Verdict {
    return {
      lost: this.filter((entry) => isLost(entry) && !isExcused(entry)),
      duplicated: this.filter(({ kind, deliveries }) => kind === "post" && deliveries.length > 1),
      undetectable: this.filter(({ ending }) => ending === null || ending === "wrong"),
    };
  }
}

const IGNORED = "ignored-";

/**
 * Savable and not saved. Once an answer has begun nothing can be saved; before that everything may be sent
 * again that may be sent twice, and everything that was sent to nobody yet.
 */
export function isLost({ kind, ending, code, deliveries }: Entry): boolean {
  if (ending !== "answered" && ending !== "failed") return false;
  if (kind !== "post") return true;
  // What was written to a connection that died may have arrived: only the backend could tell.
  const mayHaveArrived = code === "EVENER_BACKEND_RESET" || code === "EVENER_FIRST_BYTE_TIMEOUT";
  return deliveries.length === 0 && !mayHaveArrived;
}

/** For messages. */
export function describe(entry: Entry): string {
  const { id, ending, status, code, deliveries, attempts, detail, backend } = entry;
  const ms = Math.round(entry.endedAtMs - entry.sentAtMs);
  const what = `${id}: ${ending ?? "hangs"} ${status} ${code} ${detail}`.trimEnd();
  return `${what}, ${attempts} attempts (last ${backend}), reached [${deliveries.join(" ")}], after ${ms} ms`;
}
