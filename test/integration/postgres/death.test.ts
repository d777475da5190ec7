// The server dies, or the way to it, in the middle of commits.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { Random } from "../../../src/core/kit/random.ts";
import type { WriteOutcome } from "../../../src/core/tasks/write.ts";
import { PostgresStore } from "../../../src/store/postgres.ts";
import { PostgresServer } from "../../fixtures/postgres-server.ts";
import { taskOf } from "../../fixtures/tasks.ts";
import { change, submit } from "../../store/conformance-writes.ts";

let server: PostgresServer;
before(async () => (server = await PostgresServer.start()));
after(() => server.stop());

const PATIENCE = { awayMsMax: 60_000, leadMs: 10_000 };

/** Commits one after the other in some lanes until `isOver`; what each was told, by its task. */
async function commitUntil(
  store: PostgresStore,
  isOver: () => boolean,
): Promise<Map<string, WriteOutcome[]>> {
  const told = new Map<string, WriteOutcome[]>();
  const lane = async (n: number): Promise<void> => {
    for (let i = 0; !isOver(); i++) {
      const id = `${n}-${String(i).padStart(5, "0")}`;
      const leased = change(id, ["queued"], { state: "leased", fence: 1 }, 0);
      told.set(id, [...(await store.commit([submit(taskOf(id), Buffer.alloc(200)), leased]))]);
    }
  };
  await Promise.all([0, 1, 2, 3].map(lane));
  return told;
}

/** All that was told is there, once, at the cursors that were told; and nothing else. */
async function checkAll(store: PostgresStore, told: ReadonlyMap<string, WriteOutcome[]>): Promise<void> {
  const last = await store.lastCursor();
  assert.equal(last, told.size * 2);
  const events = await store.events(0, last + 9);
  assert.deepEqual(
    events.map(({ cursor }) => cursor),
    events.map((_, i) => i + 1),
  );
  for (const [id, outcomes] of told) {
    for (const outcome of outcomes) {
      assert.equal(outcome.kind, "done", id);
      if (outcome.kind === "done") assert.equal(events[outcome.cursor - 1]!.taskId, id);
    }
  }
  assert.equal((await store.unfinished(null, told.size + 9)).length, told.size);
}

describe("postgres: death in mid-commit", () => {
  it("SIGKILL of the server, again and again: what was told is true, and every commit comes about once", async () => {
    const random = new Random(7);
    const store = await PostgresStore.open(await server.database(), PATIENCE);
    let isOver = false;
    const working = commitUntil(store, () => isOver);
    for (let round = 0; round < 5; round++) {
      await sleep(100 + random.float() * 300);
      await server.kill();
      await server.begin();
    }
    await sleep(100);
    isOver = true;
    const told = await working;
    assert.ok(told.size > 20, `${told.size} commits`);
    await checkAll(store, told);
    await store.close();
  });

  it("connections that are ended by the server: the same", async () => {
    const url = await server.database();
    const store = await PostgresStore.open(url, PATIENCE);
    let isOver = false;
    const working = commitUntil(store, () => isOver);
    for (let round = 0; round < 20; round++) {
      await sleep(20);
      await server.ask(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'evener'",
      );
    }
    isOver = true;
    await checkAll(store, await working);
    await store.close();
  });

  it("a commit that came about while the way to the server was cut is told as it was", async () => {
    const url = await server.database();
    const way = await Way.to(server.port);
    const store = await PostgresStore.open(url.replace(String(server.port), String(way.port)), PATIENCE);
    await store.commit([submit(taskOf("01"))]);
    const held = await holdClock(url);
    const committed = store.commit([submit(taskOf("02"))]);
    await held.hasWaiter();
    way.cut();
    // The server knows nothing of it yet; the store has asked already.
    await sleep(400);
    await held.release();
    assert.deepEqual(await committed, [{ kind: "done", cursor: 2 }]);
    assert.equal((await store.find({ recordsMax: 9 })).length, 2);
    assert.deepEqual(await store.commit([submit(taskOf("03"))]), [{ kind: "done", cursor: 3 }]);
    await store.close();
    way.close();
  });

  it("with nobody to ask it is said to be unknown, and reading again tells", async () => {
    const url = await server.database();
    const store = await PostgresStore.open(url, { ...PATIENCE, awayMsMax: 400 });
    await store.commit([submit(taskOf("01"))]);
    const held = await holdClock(url);
    const committed = store.commit([submit(taskOf("02"))]);
    const refused = assert.rejects(committed, { code: "EVENER_STORE_UNKNOWN" });
    await held.hasWaiter();
    await server.kill();
    await refused;
    await assert.rejects(store.commit([submit(taskOf("03"))]), { code: "EVENER_STORE_FAILED" });
    await held.release().catch(() => {});
    await server.begin();
    assert.equal(await store.task("02"), null);
    assert.deepEqual(await store.commit([submit(taskOf("02"))]), [{ kind: "done", cursor: 2 }]);
    await store.close();
  });

  it("watchers are told to look again when the server is back", async () => {
    const store = await PostgresStore.open(await server.database(), PATIENCE);
    await server.kill();
    const heard = Promise.withResolvers<void>();
    store.watch(() => heard.resolve());
    await server.begin();
    await heard.promise;
    await store.close();
  });
});

/** Commits stop before their end while this holds the clock. */
async function holdClock(url: string): Promise<{ hasWaiter(): Promise<void>; release(): Promise<void> }> {
  const client = new Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  await client.query("begin");
  await client.query("select from evener.clock for update");
  return {
    async hasWaiter() {
      const waiting =
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      while ((await server.ask(url, waiting)).length === 0) await sleep(10);
    },
    async release() {
      await client.query("commit");
      await client.end();
    },
  };
}

/** A way to the server that can be cut on our side only: the server goes on with what it was asked. */
class Way {
  readonly port: number;
  readonly #ours: Set<Socket> = new Set();
  readonly #theirs: Set<Socket> = new Set();
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.port = port;
    this.#close = close;
  }

  static async to(port: number): Promise<Way> {
    let way: Way | null = null;
    const listener = createServer((socket) => way!.#join(socket, port));
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    way = new Way((listener.address() as { port: number }).port, () => listener.close());
    return way;
  }

  cut(): void {
    for (const socket of this.#ours) socket.destroy();
    this.#ours.clear();
  }

  close(): void {
    this.cut();
    for (const socket of this.#theirs) socket.destroy();
    this.#close();
  }

  #join(ours: Socket, port: number): void {
    const theirs = createConnection({ host: "127.0.0.1", port });
    this.#ours.add(ours);
    this.#theirs.add(theirs);
    ours.on("data", (bytes) => theirs.write(bytes));
    theirs.on("data", (bytes) => void (ours.destroyed || ours.write(bytes)));
    // Its end is not passed on: that is the cut.
    ours.on("error", () => {});
    theirs.on("error", () => {});
    theirs.on("close", () => ours.destroy());
  }
}
