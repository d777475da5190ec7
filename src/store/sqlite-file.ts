import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { PackedCommit, PackedOutcome, PackedWrite, Row } from "./sqlite-messages.ts";
import { migrate } from "./sqlite-schema.ts";
import { bytesAt } from "./sqlite-pack.ts";
import { stateCode, TASK_COLUMNS } from "./rows.ts";
import type { Retention, TaskQuery } from "./store.ts";

/**
 * The file itself, in the thread that may wait for it. WAL with synchronous=FULL: a commit has reached the
 * disk when it returns. Nobody else may open the file meanwhile: there is one engine for it.
 */
export class SqliteFile {
  readonly #database: DatabaseSync;
  readonly #statements: Map<string, StatementSync> = new Map();
  #cursor: number;

  /** Throws SQLite's errors, or that another process has the file. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    try {
      // First, and with a write: it takes the lock for as long as the file is open.
      this.#database.exec(
        "pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full",
      );
      this.#database.exec(
        "pragma wal_autocheckpoint = 4000; pragma temp_store = memory; pragma cache_size = -65536",
      );
      this.#database.exec("begin immediate; commit");
      migrate(this.#database);
      const last = this.#get("select max(cursor) as cursor from events")?.cursor as number | null;
      this.#cursor = Math.max(last ?? 0, this.#savedCursor());
    } catch (error) {
      this.#database.close();
      const isLocked = (error as { errcode?: number }).errcode === BUSY;
      throw isLocked ? new Error("another process has it open; each Evener needs a file of its own") : error;
    }
  }

  /** All of it, or nothing where it throws. */
  commit(commits: readonly PackedCommit[]): PackedOutcome[] {
    const before = this.#cursor;
    this.#run("begin immediate");
    try {
      const outcomes = commits.flatMap(({ json, bytes }) =>
        (JSON.parse(json) as PackedWrite[]).map((write) => this.#apply(write, bytes)),
      );
      this.#run("commit");
      return outcomes;
    } catch (error) {
      this.#cursor = before;
      this.#rollBack();
      throw error;
    }
  }

  unfinished(afterId: string, recordsMax: number): Row[] {
    return this.#all(
      `${SELECT_TASKS} where ended_ms is null and id > ? order by id limit ?`,
      afterId,
      recordsMax,
    );
  }

  task(id: string): Row | null {
    return this.#get(`${SELECT_TASKS} where id = ?`, id) ?? null;
  }

  find({ externalId, state, tenant, beforeId, recordsMax }: TaskQuery): Row[] {
    const conditions: string[] = [];
    const cells: (string | number)[] = [];
    const where = (condition: string, cell: string | number | undefined): void => {
      if (cell === undefined) return;
      conditions.push(condition);
      cells.push(cell);
    };
    where("external_id = ?", externalId);
    where("state = ?", state === undefined ? undefined : stateCode(state));
    where("tenant = ?", tenant);
    where("id < ?", beforeId);
    const filter = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
    return this.#all(`${SELECT_TASKS} ${filter} order by id desc limit ?`, ...cells, recordsMax);
  }

  payloads(ids: readonly string[]): [string, Uint8Array][] {
    return ids.flatMap((id) => {
      const row = this.#get("select payload from asked where id = ? and payload is not null", id);
      return row === undefined ? [] : [[id, row.payload as Uint8Array] as [string, Uint8Array]];
    });
  }

  result(id: string): Uint8Array | null {
    return (this.#get("select bytes from results where id = ?", id)?.bytes as Uint8Array | undefined) ?? null;
  }

  events(cursor: number, eventsMax: number, taskId: string | null): Row[] {
    if (taskId === null)
      return this.#all("select * from events where cursor > ? order by cursor limit ?", cursor, eventsMax);
    return this.#all(
      "select * from events where task_id = ? and cursor > ? order by cursor limit ?",
      taskId,
      cursor,
      eventsMax,
    );
  }

  lastCursor(): number {
    return this.#cursor;
  }

  memory(name: string): Uint8Array | null {
    return (
      (this.#get("select bytes from memories where name = ?", name)?.bytes as Uint8Array | undefined) ?? null
    );
  }

  /** At most {@link PRUNED_MAX} a call, so that nobody waits for it. */
  prune({ endedTasksMax, endedAgeMaxMs, nowMs }: Retention): number {
    const surplus =
      (this.#get("select count(*) as n from tasks where ended_ms is not null")!.n as number) - endedTasksMax;
    const old = this.#all(
      "select id, ended_ms from tasks where ended_ms is not null order by ended_ms, id limit ?",
      PRUNED_MAX,
    );
    const ids = old
      .filter(({ ended_ms: endedMs }, i) => i < surplus || nowMs - (endedMs as number) > endedAgeMaxMs)
      .map(({ id }) => id as string);
    this.#run("begin immediate");
    try {
      for (const id of ids) {
        for (const table of ["tasks", "asked", "results"]) this.#run(`delete from ${table} where id = ?`, id);
        this.#run("delete from events where task_id = ?", id);
      }
      this.#run("delete from idempotency_keys where until_ms <= ?", Math.round(nowMs));
      // The newest events may be gone: their cursors must not come again.
      const saved = new TextEncoder().encode(String(this.#cursor));
      this.#run("insert or replace into memories values (?, ?)", CURSOR_NAME, saved);
      this.#run("commit");
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    return ids.length;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #apply(write: PackedWrite, bytes: Uint8Array): PackedOutcome {
    switch (write.do) {
      case "submit":
        return this.#submit(write, bytes);
      case "change":
        return this.#change(write, bytes);
      case "note": {
        const isThere = this.#get("select 1 as yes from tasks where id = ?", write.id) !== undefined;
        return isThere ? this.#note(write.id, write.event, bytesAt(bytes, write.evidence)) : { stale: null };
      }
      case "remember":
        this.#run("insert or replace into memories values (?, ?)", write.name, bytesAt(bytes, write.bytes));
        return 0;
    }
  }

  #submit(write: Extract<PackedWrite, { do: "submit" }>, bytes: Uint8Array): PackedOutcome {
    const { row, spec, payload, event, key, keyUntilMs } = write;
    const id = row[0] as string;
    if (key !== null) {
      const submittedMs = row[SUBMITTED_AT]!;
      const taken = this.#get(KEY_TAKEN, key, submittedMs);
      if (taken !== undefined) return { duplicate: taken.id as string };
    }
    if (this.#run(INSERT_TASK, ...row) === 0) return { duplicate: id };
    if (key !== null)
      this.#run("insert or replace into idempotency_keys values (?, ?, ?)", key, id, keyUntilMs);
    this.#run("insert into asked values (?, ?, ?)", id, spec, bytesAt(bytes, payload));
    return this.#note(id, event, null);
  }

  #change(write: Extract<PackedWrite, { do: "change" }>, bytes: Uint8Array): PackedOutcome {
    const { id, states, fence, names, cells } = write;
    // A change may change nothing: it is under its condition, and has its event, all the same.
    const sets = names.length === 0 ? "state = state" : names.map((name) => `${name} = ?`).join(", ");
    const marks = states.map(() => "?").join(", ");
    const isFenced = fence === null ? "" : " and fence = ?";
    const sql = `update tasks set ${sets} where id = ? and state in (${marks})${isFenced}`;
    const condition = fence === null ? [id, ...states] : [id, ...states, fence];
    if (this.#run(sql, ...cells, ...condition) === 0) return { stale: this.task(id) };
    if (write.result === null) this.#run("delete from results where id = ?", id);
    else if (write.result !== undefined)
      this.#run("insert or replace into results values (?, ?)", id, bytesAt(bytes, write.result));
    return this.#note(id, write.event, null);
  }

  #note(id: string, event: readonly (string | number | null)[], evidence: Uint8Array | null): number {
    this.#cursor++;
    this.#run("insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?)", this.#cursor, id, ...event, evidence);
    return this.#cursor;
  }

  #savedCursor(): number {
    const saved = this.memory(CURSOR_NAME);
    return saved === null ? 0 : Number(new TextDecoder().decode(saved));
  }

  #rollBack(): void {
    try {
      this.#run("rollback");
    } catch {
      // A full disk may have rolled it back already.
    }
  }

  #run(sql: string, ...cells: Input[]): number {
    return Number(this.#prepared(sql).run(...cells).changes);
  }

  #get(sql: string, ...cells: Input[]): Row | undefined {
    return this.#prepared(sql).get(...cells);
  }

  #all(sql: string, ...cells: Input[]): Row[] {
    return this.#prepared(sql).all(...cells);
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }
}

type Input = string | number | null | Uint8Array;

/** All columns but the last, which is apart: the spec. */
const CHANGING = TASK_COLUMNS.slice(0, TASK_COLUMNS.lastIndexOf(","));
const MARKS = CHANGING.replaceAll(/[a-z_]+/g, "?");
const INSERT_TASK = `insert into tasks (${CHANGING}) values (${MARKS}) on conflict (id) do nothing`;
const SELECT_TASKS = `select ${TASK_COLUMNS} from tasks join asked using (id)`;
const KEY_TAKEN = "select id from idempotency_keys where key = ? and until_ms > ?";
/** Where the time of submission stands in a row. */
const SUBMITTED_AT = 8;
const CURSOR_NAME = "last cursor";
const PRUNED_MAX = 1_000;
/** SQLITE_BUSY. */
const BUSY = 5;
