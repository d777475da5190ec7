import type { Client } from "pg";
import { EvenerError } from "../errors.ts";
import { COMMIT_FUNCTION, WHAT_BECAME_FUNCTION } from "./postgres-commit.ts";

/** What each version adds to the one before; applied in order, never changed once published. */
const MIGRATIONS: readonly string[] = [
  `
  create table evener.tasks (
    id text collate "C" primary key,
    state integer not null,
    attempt integer not null,
    fence bigint not null,
    crashes integer not null,
    worker text,
    boot text,
    owner text,
    submitted_ms bigint not null,
    ready_ms bigint not null,
    started_ms bigint,
    ended_ms bigint,
    cancel_asked integer not null,
    exit_code integer,
    reason text,
    tenant text not null,
    external_id text,
    spec text not null
  ) with (fillfactor = 80);
  create index tasks_unfinished on evener.tasks (id) where ended_ms is null;
  create index tasks_ended on evener.tasks (ended_ms, id) where ended_ms is not null;
  create index tasks_external on evener.tasks (external_id) where external_id is not null;
  create table evener.payloads (id text collate "C" primary key, bytes bytea not null);
  create table evener.results (id text collate "C" primary key, bytes bytea not null);
  create table evener.events (
    cursor bigint primary key,
    task_id text collate "C" not null,
    kind integer not null,
    at_ms bigint not null,
    attempt integer not null,
    fence bigint not null,
    worker text,
    detail text,
    evidence bytea
  );
  create index events_of_task on evener.events (task_id);
  create table evener.idempotency_keys (key text primary key, id text not null, until_ms bigint not null);
  create index idempotency_until on evener.idempotency_keys (until_ms);
  create table evener.memories (name text primary key, bytes bytea not null);
  -- One row: the newest cursor. Changed last in each transaction: cursors are in the order of commits.
  create table evener.clock (cursor bigint not null);
  insert into evener.clock values (0);
  -- One row: who leads, until when.
  create table evener.leadership (process text not null, epoch bigint not null, until timestamptz not null);
  insert into evener.leadership values ('', 0, '-infinity');
  -- A row a process: its last commit and what became of it, for a process that was not told.
  create table evener.writers (
    process text primary key,
    number bigint not null,
    outcomes jsonb,
    at timestamptz not null default now()
  );
  ${COMMIT_FUNCTION}
  ${WHAT_BECAME_FUNCTION}
  `,
];

/**
 * Brings the database to the newest version, one process at a time. Throws EVENER_STORE_FAILED where it is of
 * a version that is not known here.
 */
export async function migrate(client: Client): Promise<void> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await client.query("create schema if not exists evener");
    await client.query("create table if not exists evener.version (version integer not null)");
    const { rows } = await client.query<{ version: number }>("select version from evener.version");
    const found = rows[0]?.version ?? 0;
    if (found > MIGRATIONS.length) {
      throw new EvenerError(
        "EVENER_STORE_FAILED",
        `its schema is version ${found}, this Evener knows up to ${MIGRATIONS.length}; use a newer one`,
      );
    }
    for (const migration of MIGRATIONS.slice(found)) await client.query(migration);
    if (rows.length === 0) await client.query("insert into evener.version values (0)");
    await client.query("update evener.version set version = $1", [MIGRATIONS.length]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

/** Any number, the same for every Evener. */
const MIGRATION_LOCK = 7_105_117;
