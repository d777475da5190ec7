import { randomUUID } from "node:crypto";
import type { Client } from "pg";
import type { TaskRecord } from "../core/tasks/task.ts";
import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { EvenerError, type ErrorCode } from "../errors.ts";
import { GroupCommit } from "./group-commit.ts";
import { describe, LostError, PostgresLine, stateOf } from "./postgres-line.ts";
import { COMMIT, LEAD, PRUNE, REGISTER, RESIGN, SELECT_TASKS, WHAT_BECAME } from "./postgres-statements.ts";
import { migrate } from "./postgres-schema.ts";
import { clean, postgresArguments, postgresOutcomes, type PostgresAnswer } from "./postgres-writes.ts";
import { recordOf, stateCode, storedEventOf } from "./rows.ts";
import type { Retention, StoredEvent, TaskQuery, TaskStore } from "./store.ts";

/** How patient a store in PostgreSQL is. */
export interface PostgresPatience {
  /** For so long a server that is away is waited for, before a commit or a question fails. */
  readonly awayMsMax: number;
  /** For so long a leader leads without a word. */
  readonly leadMs: number;
}

const PATIENCE: PostgresPatience = { awayMsMax: 30_000, leadMs: 10_000 };

type Row = Record<string, unknown>;

/**
 * Tasks in PostgreSQL, for several Evener processes on one queue. Two connections: one commits, one reads and
 * listens.
 */
export class PostgresStore implements TaskStore {
  readonly name: string;
  readonly #process: string = randomUUID();
  readonly #patience: PostgresPatience;
  readonly #writer: PostgresLine;
  readonly #reader: PostgresLine;
  readonly #commits: GroupCommit<readonly Write[]> = new GroupCommit(
    (writes) => writes,
    (commits) => this.#write(commits.flat()),
  );
  readonly #watchers: Set<() => void> = new Set();
  #number = 0;
  #leads: string | null = null;
  #isClosed = false;

  private constructor(url: string, patience: PostgresPatience) {
    this.name = nameOf(url);
    this.#patience = patience;
    this.#writer = new PostgresLine(url, async (client) => {
      await client.query(REGISTER, [this.#process]);
    });
    const listen = async (client: Client): Promise<void> => {
      client.on("notification", () => this.#news());
      await client.query("listen evener_tasks");
      // What was said while nobody listened.
      this.#news();
    };
    this.#reader = new PostgresLine(url, listen, true);
  }

  /** Connects, and brings the schema up to date. Throws EVENER_STORE_FAILED. */
  static async open(url: string, patience: PostgresPatience = PATIENCE): Promise<PostgresStore> {
    const store = new PostgresStore(url, patience);
    const first = new PostgresLine(url, migrate);
    try {
      await first.connected(0);
      await first.close();
      await store.#writer.connected(0);
      await store.#reader.connected(0);
    } catch (error) {
      await Promise.all([first.close(), store.#writer.close(), store.#reader.close()]);
      throw store.#failure("EVENER_STORE_FAILED", describe(error), error);
    }
    return store;
  }

  async commit(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    if (this.#isClosed) throw this.#failure("EVENER_STORE_FAILED", "it is closed");
    return this.#commits.commit(writes);
  }

  async unfinished(afterId: string | null, recordsMax: number): Promise<readonly TaskRecord[]> {
    const where = "where ended_ms is null and id > $1 order by id limit $2";
    const rows = await this.#read<Row>(`${SELECT_TASKS} ${where}`, [afterId ?? "", recordsMax]);
    return rows.map(recordOf);
  }

  async task(id: string): Promise<TaskRecord | null> {
    const [row] = await this.#read<Row>(`${SELECT_TASKS} where id = $1`, [id]);
    return row === undefined ? null : recordOf(row);
  }

  async find({ externalId, state, tenant, beforeId, recordsMax }: TaskQuery): Promise<readonly TaskRecord[]> {
    const values: (string | number)[] = [recordsMax];
    const where = (condition: string, value: string | number | undefined): string => {
      if (value === undefined) return "true";
      values.push(clean(value));
      return `${condition} $${values.length}`;
    };
    const conditions = [
      where("external_id =", externalId),
      where("state =", state === undefined ? undefined : stateCode(state)),
      where("tenant =", tenant),
      where("id <", beforeId),
    ].join(" and ");
    const rows = await this.#read<Row>(
      `${SELECT_TASKS} where ${conditions} order by id desc limit $1`,
      values,
    );
    return rows.map(recordOf);
  }

  async payloads(ids: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    type Found = { id: string; bytes: Uint8Array };
    const rows = await this.#read<Found>("select id, bytes from evener.payloads where id = any($1)", [ids]);
    return new Map(rows.map(({ id, bytes }) => [id, bytes]));
  }

  async result(id: string): Promise<Uint8Array | null> {
    return this.#bytes("select bytes from evener.results where id = $1", id);
  }

  async memory(name: string): Promise<Uint8Array | null> {
    return this.#bytes("select bytes from evener.memories where name = $1", clean(name));
  }

  async events(cursor: number, eventsMax: number, taskId?: string): Promise<readonly StoredEvent[]> {
    const ofTask = taskId === undefined ? "" : "and task_id = $3";
    const text = `select * from evener.events where cursor > $1 ${ofTask} order by cursor limit $2`;
    const values = taskId === undefined ? [cursor, eventsMax] : [cursor, eventsMax, taskId];
    return (await this.#read<Row>(text, values)).map(storedEventOf);
  }

  async lastCursor(): Promise<number> {
    return (await this.#read<{ cursor: number }>("select cursor from evener.clock", []))[0]!.cursor;
  }

  async prune({ endedTasksMax, endedAgeMaxMs, nowMs }: Retention): Promise<number> {
    const values = [endedTasksMax, Math.round(nowMs - endedAgeMaxMs), PRUNED_MAX];
    const gone = await this.#read<{ id: string }>(PRUNE, values.map(finite));
    await this.#read("delete from evener.idempotency_keys where until_ms <= $1", [Math.round(nowMs)]);
    await this.#read("delete from evener.writers where at < now() - interval '1 day'", []);
    return gone.length;
  }

  watch(onNews: () => void): () => void {
    this.#watchers.add(onNews);
    return () => this.#watchers.delete(onNews);
  }

  async lead(processId: string): Promise<number | null> {
    const rows = await this.#read<{ epoch: number }>(LEAD, [processId, this.#patience.leadMs]);
    this.#leads = rows.length === 0 ? null : processId;
    return rows[0]?.epoch ?? null;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#commits.atRest();
    await this.#farewell().catch(() => {
      // The server is away: what would be tidied up runs out by itself.
    });
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }

  async #farewell(): Promise<void> {
    const client = await this.#writer.connected(0);
    await this.#writer.ask(client, "delete from evener.writers where process = $1", [this.#process]);
    if (this.#leads !== null) await this.#writer.ask(client, RESIGN, [this.#leads]);
  }

  async #write(writes: readonly Write[]): Promise<readonly WriteOutcome[]> {
    const untilMs = performance.now() + this.#patience.awayMsMax;
    const [json, bytes] = postgresArguments(writes);
    for (;;) {
      const answer = await this.#writeOnce(json, bytes, untilMs);
      if (answer !== null) return postgresOutcomes(answer);
      if (performance.now() > untilMs)
        throw this.#failure("EVENER_STORE_FAILED", "nothing was kept, for too long");
    }
  }

  /** Null: it was certainly not kept, and may be tried again. */
  async #writeOnce(json: string, bytes: Buffer[], untilMs: number): Promise<PostgresAnswer | null> {
    const client = await this.#connected(untilMs);
    this.#number++;
    try {
      const values = [this.#process, this.#number, json, bytes];
      const rows = await this.#writer.ask<{ answer: PostgresAnswer }>(client, COMMIT, values);
      return rows[0]!.answer;
    } catch (error) {
      const state = stateOf(error);
      if (error instanceof LostError || state === NOT_THE_NEXT) return await this.#whatBecame(untilMs);
      this.#number--;
      if (state !== null && CROSSED.has(state)) return null;
      throw this.#failure(
        state === DISK_FULL ? "EVENER_STORE_FULL" : "EVENER_STORE_FAILED",
        describe(error),
        error,
      );
    }
  }

  /**
   * The connection was lost in mid-commit. Asks what became of it, and uses its number up, so that it can not
   * come about later. Throws EVENER_STORE_UNKNOWN when there was nobody to ask.
   */
  async #whatBecame(untilMs: number): Promise<PostgresAnswer | null> {
    for (;;) {
      try {
        const client = await this.#writer.connected(untilMs);
        type Found = { outcomes: PostgresAnswer | null };
        const [found] = await this.#writer.ask<Found>(client, WHAT_BECAME, [this.#process, this.#number]);
        return found!.outcomes;
      } catch (error) {
        if (error instanceof LostError && performance.now() < untilMs) continue;
        const message = `the connection was lost in mid-commit, and nobody answers: ${describe(error)}`;
        throw this.#failure("EVENER_STORE_UNKNOWN", message, error);
      }
    }
  }

  async #connected(untilMs: number): ReturnType<PostgresLine["connected"]> {
    try {
      return await this.#writer.connected(untilMs);
    } catch (error) {
      throw this.#failure("EVENER_STORE_FAILED", describe(error), error);
    }
  }

  /** What may be asked twice. */
  async #read<R>(text: string, values: unknown[]): Promise<R[]> {
    const untilMs = performance.now() + this.#patience.awayMsMax;
    for (;;) {
      try {
        const client = await this.#reader.connected(untilMs);
        return await this.#reader.ask<R>(client, text, values);
      } catch (error) {
        if (error instanceof LostError && performance.now() < untilMs) continue;
        throw this.#failure("EVENER_STORE_FAILED", describe(error), error);
      }
    }
  }

  async #bytes(text: string, of: string): Promise<Uint8Array | null> {
    return (await this.#read<{ bytes: Uint8Array }>(text, [of]))[0]?.bytes ?? null;
  }

  #news(): void {
    for (const onNews of this.#watchers) onNews();
  }

  #failure(code: ErrorCode, message: string, cause?: unknown): EvenerError {
    return new EvenerError(code, `${this.name}: ${message}`, { cause });
  }
}

/** Without user and password: it is for logs. */
function nameOf(url: string): string {
  if (!URL.canParse(url)) return "postgres";
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

/** PostgreSQL's bigint knows no infinity. */
function finite(value: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
}

const PRUNED_MAX = 1_000;
/** What the function says to a commit that is not the next one of its process. */
const NOT_THE_NEXT = "EV001";
/** Two processes stood in each other's way: the server has undone one of them. */
const CROSSED: ReadonlySet<string> = new Set(["40P01", "40001"]);
const DISK_FULL = "53100";
