import type { DatabaseSync } from "node:sqlite";

/** What each version adds to the one before; applied in order, never changed once published. */
const MIGRATIONS: readonly string[] = [
  `
  create table tasks (
    id text primary key,
    state integer not null,
    attempt integer not null,
    fence integer not null,
    crashes integer not null,
    worker text,
    boot text,
    owner text,
    submitted_ms integer not null,
    ready_ms integer not null,
    started_ms integer,
    ended_ms integer,
    cancel_asked integer not null,
    exit_code integer,
    reason text,
    tenant text not null,
    external_id text
  ) without rowid;
  -- What never changes, apart: a change writes its row anew, and all pages that it stands on.
  create table asked (id text primary key, spec text not null, payload blob) without rowid;
  create index tasks_unfinished on tasks (id) where ended_ms is null;
  create index tasks_ended on tasks (ended_ms) where ended_ms is not null;
  create index tasks_external on tasks (external_id) where external_id is not null;
  create table results (id text primary key, bytes blob not null) without rowid;
  create table events (
    cursor integer primary key,
    task_id text not null,
    kind integer not null,
    at_ms integer not null,
    attempt integer not null,
    fence integer not null,
    worker text,
    detail text,
    evidence blob
  );
  create index events_of_task on events (task_id);
  create table idempotency_keys (
    key text primary key,
    id text not null,
    until_ms integer not null
  ) without rowid;
  create index idempotency_until on idempotency_keys (until_ms);
  create table memories (name text primary key, bytes blob not null) without rowid;
  `,
];

/** Brings the file to the newest version. Throws where it is of a version that is not known here. */
export function migrate(database: DatabaseSync): void {
  const { user_version: found } = database.prepare("pragma user_version").get() as { user_version: number };
  if (found > MIGRATIONS.length) {
    throw new Error(
      `its schema is version ${found}, this Evener knows up to ${MIGRATIONS.length}; use a newer one`,
    );
  }
  for (let version = found; version < MIGRATIONS.length; version++) {
    database.exec("begin immediate");
    database.exec(MIGRATIONS[version]!);
    database.exec(`pragma user_version = ${version + 1}`);
    database.exec("commit");
  }
}
