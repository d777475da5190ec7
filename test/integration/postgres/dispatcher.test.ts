// The dispatcher on a real PostgreSQL: tasks run and survive its restart, and one process works at a time.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PostgresServer } from "../../fixtures/postgres-server.ts";
import { taskScene } from "../../fixtures/task-scene.ts";
import { until } from "../../fixtures/until.ts";

describe("tasks in PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.stop());

  it("run, and go on where they were after a restart", async (t) => {
    const scene = await taskScene(t, { store: await server.database() });
    scene.agent({ slots: 8 });
    const { json } = await scene.ask(
      "POST",
      "/v1/tasks",
      Array.from({ length: 200 }, () => ({ noop: true })),
    );
    assert.equal((json.tasks as unknown[]).length, 200);
    const slow = await scene.submit({ command: ["sh", "-c", "sleep 1; echo done"] });
    await until(() => scene.tasks.dispatcher.engine.book.size <= 1, "the quick ones");
    await scene.restart();
    assert.equal((await scene.ended(slow)).state, "succeeded");
    assert.equal((await scene.ask("GET", `/v1/tasks/${slow}/result`)).text, "done\n");
    const events = await scene.tasks.dispatcher.store.events(0, 10_000);
    assert.equal(events.filter(({ kind }) => kind === "succeeded").length, 201);
  });

  it("are worked on by one process: a second one is refused", { timeout: 60_000 }, async (t) => {
    const store = await server.database();
    await taskScene(t, { store });
    await assert.rejects(taskScene(t, { store }), /another Evener works on this queue/);
  });
});
