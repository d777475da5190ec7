import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig, DatabaseError } from "pg";
import { EvenerError } from "../errors.ts";

/** A connection to PostgreSQL that is made again when it was lost. One question after the other. */
export class PostgresLine {
  readonly #url: string;
  readonly #prepare: (client: Client) => Promise<void>;
  #client: Client | null = null;
  #connecting: Promise<Client> | null = null;
  /** It is made again at once when it is lost, not only when it is needed: somebody listens on it. */
  readonly #isKept: boolean;
  #isClosed = false;

  /** `prepare` is called on each new connection, before anything else is asked. */
  constructor(url: string, prepare: (client: Client) => Promise<void>, isKept = false) {
    this.#isKept = isKept;
    this.#url = url;
    this.#prepare = prepare;
  }

  /** A connection, tried for until then (by `performance.now()`). Throws why there is none. */
  async connected(untilMs: number): Promise<Client> {
    for (;;) {
      if (this.#isClosed) throw new Error("it is closed");
      try {
        return this.#client ?? (await this.#connect());
      } catch (error) {
        if (isRefusal(error) || performance.now() + RETRY_MS > untilMs) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  /**
   * Rows of the answer. Throws what the server says against it (a `DatabaseError`), or {@link LostError}
   * when the connection went away meanwhile: whether it was done is not known then.
   */
  async ask<R>(client: Client, text: string, values: unknown[]): Promise<R[]> {
    try {
      return (await client.query(text, values)).rows as R[];
    } catch (error) {
      if (isAnswer(error)) throw error;
      this.#drop(client);
      throw new LostError(describe(error), { cause: error });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connecting?.catch(() => null);
    const client = this.#client;
    this.#client = null;
    await client?.end();
  }

  #connect(): Promise<Client> {
    this.#connecting ??= this.#connectNow().finally(() => (this.#connecting = null));
    return this.#connecting;
  }

  async #connectNow(): Promise<Client> {
    const client = await newClient(this.#url);
    client.on("error", () => this.#drop(client));
    client.on("end", () => this.#drop(client));
    try {
      await client.connect();
      // Whatever the server's file says: what is acknowledged is on its disk.
      await client.query("set synchronous_commit = on");
      await this.#prepare(client);
    } catch (error) {
      void client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    return client;
  }

  #drop(client: Client): void {
    if (this.#client !== client) return;
    this.#client = null;
    void client.end().catch(() => {});
    if (!this.#isKept) return;
    void this.connected(Number.POSITIVE_INFINITY).catch(() => {
      // It was closed, or is refused now: whoever asks next is told.
    });
  }
}

/** The connection was lost between a question and its answer. */
export class LostError extends Error {}

/** What a person reads about a failure: some of Node's have no message of their own. */
export function describe(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const { message, code } = first as Error & { code?: string };
  return message === "" ? (code ?? "no reason was given") : message;
}

/** SQLSTATE of what the server said; null: it was not the server who said it. */
export function stateOf(error: unknown): string | null {
  const { severity, code } = error as Partial<DatabaseError>;
  return severity !== undefined && code !== undefined ? code : null;
}

/** The server has said that it was not done; not that the server itself goes away. */
function isAnswer(error: unknown): boolean {
  const state = stateOf(error);
  return state !== null && !state.startsWith("57P") && !state.startsWith("08");
}

/** Trying again would not help: password, database, version. */
function isRefusal(error: unknown): boolean {
  return error instanceof EvenerError || (isAnswer(error) && stateOf(error) !== TOO_MANY_CONNECTIONS);
}

async function newClient(url: string): Promise<Client> {
  const { default: pg } = await import("pg").catch((error: unknown) => {
    const message = "a store in PostgreSQL needs the package pg: npm install pg";
    throw new EvenerError("EVENER_STORE_FAILED", message, { cause: error });
  });
  const numbers = new Set<number>([INT8]);
  const config: ClientConfig = {
    connectionString: url,
    application_name: "evener",
    keepAlive: true,
    connectionTimeoutMillis: ANSWER_MS_MAX,
    query_timeout: ANSWER_MS_MAX,
    // Times and cursors fit into a number of JavaScript.
    types: {
      getTypeParser: ((type: number, format?: "text") =>
        numbers.has(type) ? Number : pg.types.getTypeParser(type, format)) as never,
    },
  };
  return new pg.Client(config);
}

const RETRY_MS = 200;
/** For a server that has stopped without closing its connections. */
const ANSWER_MS_MAX = 20_000;
const INT8 = 20;
const TOO_MANY_CONNECTIONS = "53300";
