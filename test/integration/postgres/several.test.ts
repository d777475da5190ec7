// Several Evener processes on one queue, each with a store of its own.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import type { Write } from "../../../src/core/tasks/write.ts";
import { PostgresStore } from "../../../src/store/postgres.ts";
import { PostgresServer } from "../../fixtures/postgres-server.ts";
import { taskOf } from "../../fixtures/tasks.ts";
import { change, submit } from "../../store/conformance-writes.ts";

let server: PostgresServer;
before(async () => (server = await PostgresServer.start()));
after(() => server.stop());

/** Stores on one new database. */
async function using(
  count: number,
  act: (stores: readonly PostgresStore[], url: string) => Promise<void>,
  leadMs = 10_000,
): Promise<void> {
  const url = await server.database();
  const patience = { awayMsMax: 20_000, leadMs };
  const stores = await Promise.all(Array.from({ length: count }, () => PostgresStore.open(url, patience)));
  try {
    await act(stores, url);
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
}

const idOf = (i: number): string => String(i).padStart(4, "0");
const claim = (id: string, owner: string): Write =>
  change(id, ["queued"], { state: "leased", fence: 1, owner }, 0);

describe("postgres: several processes on one queue", () => {
  it("each task is claimed once, and a reader of events never misses one", () =>
    using(4, async (stores) => {
      const ids = Array.from({ length: 400 }, (_, i) => idOf(i));
      await stores[0]!.commit(ids.map((id) => submit(taskOf(id))));
      let isOver = false;
      const read = (async () => {
        let cursor = 0;
        for (;;) {
          const wasOver = isOver;
          for (const event of await stores[3]!.events(cursor, 50)) {
            assert.equal(event.cursor, cursor + 1);
            cursor = event.cursor;
          }
          if (wasOver && cursor === (await stores[3]!.lastCursor())) return cursor;
        }
      })();
      const taken = await Promise.all(
        stores.map(async (store, n) => {
          const mine: string[] = [];
          const order = ids.map((_, i) => ids[(i * 7 + n * 100) % ids.length]!);
          for (let i = 0; i < order.length; i += 10) {
            const some = order.slice(i, i + 10);
            const outcomes = await store.commit(some.map((id) => claim(id, String(n))));
            mine.push(...some.filter((_, k) => outcomes[k]!.kind === "done"));
          }
          return mine;
        }),
      );
      isOver = true;
      assert.equal(await read, 800);
      assert.equal(new Set(taken.flat()).size, 400);
      assert.equal(taken.flat().length, 400);
      for (const [n, mine] of taken.entries())
        for (const id of mine.slice(0, 5)) assert.equal((await stores[0]!.task(id))!.owner, String(n));
    }));

  it("a claim does not wait for a task that another process is changing; all else does", () =>
    using(1, async ([store], url) => {
      await store!.commit([submit(taskOf("01"))]);
      const other = new Client({ connectionString: url });
      await other.connect();
      await other.query("begin");
      await other.query("select from evener.tasks where id = '01' for update");
      assert.deepEqual(await store!.commit([claim("01", "a")]), [{ kind: "stale", record: taskOf("01") }]);
      const cancelled = store!.commit([change("01", ["queued"], { state: "cancelled", endedAtMs: 1 })]);
      assert.equal(await Promise.race([cancelled.then(() => "done"), sleep(200, "waits")]), "waits");
      await other.query("commit");
      await other.end();
      assert.equal((await cancelled)[0]!.kind, "done");
    }));

  it("commits that cross (tasks, keys) all come about", () =>
    using(4, async (stores) => {
      const ids = Array.from({ length: 20 }, (_, i) => idOf(i));
      await stores[0]!.commit(ids.map((id) => submit(taskOf(id))));
      const writes = stores.flatMap((store, n) =>
        Array.from({ length: 10 }, (_, round) => {
          const order = n % 2 === 0 ? ids : ids.toReversed();
          const changed = order.map((id) => change(id, ["queued"], { attempt: round }));
          const submitted = order.map((key, i) =>
            submit(taskOf(`${n}-${round}-${i}`, { idempotencyKey: key })),
          );
          return store.commit([...changed, ...submitted]);
        }),
      );
      const outcomes = (await Promise.all(writes)).flat();
      assert.equal(outcomes.filter(({ kind }) => kind === "duplicate").length, 39 * 20);
      assert.equal(outcomes.filter(({ kind }) => kind === "done").length, 40 * 20 + 20);
      assert.equal(await stores[0]!.lastCursor(), 20 + 40 * 20 + 20);
    }));

  it("one leads; who was followed can not write as a leader", () =>
    using(
      2,
      async ([first, second]) => {
        await first!.commit([submit(taskOf("01"))]);
        const epoch = (await first!.lead("a"))!;
        assert.equal(await second!.lead("b"), null);
        assert.equal(await first!.lead("a"), epoch);
        const asLeader = (ifEpoch: number): Write =>
          ({ ...change("01", ["queued"], { reason: `epoch ${ifEpoch}` }), ifEpoch }) as Write;
        assert.equal((await first!.commit([asLeader(epoch)]))[0]!.kind, "done");
        await sleep(400);
        assert.equal(await second!.lead("b"), epoch + 1);
        assert.equal(await first!.lead("a"), null);
        const [late] = await first!.commit([asLeader(epoch)]);
        assert.equal(late!.kind, "stale");
        assert.equal((await second!.commit([asLeader(epoch + 1)]))[0]!.kind, "done");
        assert.equal((await second!.task("01"))!.reason, `epoch ${epoch + 1}`);
        await second!.close();
        assert.equal(await first!.lead("a"), epoch + 2);
      },
      300,
    ));

  it("tells its watchers of everybody's commits", () =>
    using(2, async ([first, second]) => {
      const heard = Promise.withResolvers<void>();
      const stop = first!.watch(() => heard.resolve());
      await second!.commit([submit(taskOf("01"))]);
      await heard.promise;
      stop();
      assert.equal((await first!.events(0, 9)).length, 1);
    }));
});
