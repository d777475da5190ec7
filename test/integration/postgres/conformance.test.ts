import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { openStore } from "../../../src/store/index.ts";
import { PostgresStore } from "../../../src/store/postgres.ts";
import { PostgresServer } from "../../fixtures/postgres-server.ts";
import { taskOf } from "../../fixtures/tasks.ts";
import { conforms } from "../../store/conformance.ts";
import { submit } from "../../store/conformance-writes.ts";

let server: PostgresServer;
before(async () => (server = await PostgresServer.start()));
after(() => server.stop());

conforms("postgres", async () => PostgresStore.open(await server.database()));

describe("postgres: what can not be opened says why", () => {
  it("no server, no database, a wrong password", async () => {
    const refused = (url: string, pattern: RegExp): Promise<void> =>
      assert.rejects(openStore(url), (error: Error & { code: string }) => {
        assert.equal(error.code, "EVENER_STORE_FAILED");
        assert.match(error.message, pattern);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    await refused("postgres://postgres:secret@127.0.0.1:1/evener", /127\.0\.0\.1:1.*ECONNREFUSED/);
    await refused("postgres://postgres:secret@localhost:1/evener", /localhost:1.*ECONNREFUSED/);
    await refused(server.urlOf("nothing"), /database "nothing" does not exist/);
    await server.ask(server.urlOf("postgres"), "create role strict login password 'right'");
    await server.strict("strict");
    const url = server.urlOf("postgres").replace("postgres@", "strict:secret@");
    await refused(url, /password authentication failed for user "strict"/);
  });

  it("a schema of a newer Evener", async () => {
    const url = await server.database();
    await (await PostgresStore.open(url)).close();
    await server.ask(url, "update evener.version set version = 99");
    await assert.rejects(PostgresStore.open(url), /schema is version 99, this Evener knows up to/);
  });

  it("several that begin at the same time make one schema", async () => {
    const url = await server.database();
    const stores = await Promise.all([1, 2, 3, 4].map(() => PostgresStore.open(url)));
    await Promise.all(stores.map((store, i) => store.commit([submit(taskOf(`0${i}`))])));
    assert.equal(await stores[0]!.lastCursor(), 4);
    await Promise.all(stores.map((store) => store.close()));
  });
});
