// A reload takes a pool away that is at work: what is in flight there ends as it would have, without a trace.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backend } from "../fixtures/backend.ts";
import { rawRequest } from "../fixtures/client.ts";
import { poolOf, setUp, yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const ADMIN = { bind: "127.0.0.1:0" };

const both = (threads: number, stays: Backend, goes: Backend): string =>
  yamlOf({
    threads,
    admin: ADMIN,
    pools: {
      stays: poolOf([stays]),
      goes: poolOf([goes], { backends: [{ url: goes.url, limit: 2 }] }),
    },
    routes: [{ match: { path: "/goes" }, pool: "goes" }, { pool: "stays" }],
  });

for (const threads of [0, 2]) {
  describe(`a pool that a reload removes (threads: ${threads})`, () => {
    it("finishes its streams, answers who waits there, and leaves nothing behind", async (t) => {
      const scene = await setUp(t, {
        count: 2,
        handler: () => {},
        yaml: ([a, b]) => both(threads, a!, b!),
      });
      const [a, b] = scene.backends;
      const without = yamlOf({
        threads,
        admin: ADMIN,
        pools: { stays: poolOf([a!]) },
        routes: [{ pool: "stays" }],
      });
      const { evener } = scene;

      const streams = [await scene.connect(), await scene.connect()];
      for (const [i, client] of streams.entries()) {
        client.send(rawRequest("POST /goes", { "x-request-id": `stream-${i}` }, "{}"));
        const request = await b!.request(i);
        request.sse();
        request.event("before");
        await client.until("before");
      }
      const waiting = await scene.connect();
      waiting.send(rawRequest("POST /goes", {}, "{}"));
      await until(() => evener.queued() === 1, "the third to wait");

      await evener.reload(without);
      assert.equal((await waiting.response()).status, 503);
      assert.equal(evener.inFlight(), 2);
      for (const [i, client] of streams.entries()) {
        b!.requests[i]!.event("after");
        await client.until("after");
      }
      b!.requests[0]!.lastChunk();
      await streams[0]!.response();
      await until(() => evener.inFlight() === 1, "one in flight");
      const left = (): number[] =>
        evener.server.fleet.leaving().flatMap(({ pool }) => pool.members.departed().map(({ slot }) => slot));
      assert.equal(left().length, 1);

      // It comes back, and finds what is in flight there: its limit of two has one place.
      await evener.reload(both(threads, a!, b!));
      assert.deepEqual(left(), []);
      const again = [await scene.connect(), await scene.connect()];
      for (const client of again) client.send(rawRequest("POST /goes", {}, "{}"));
      await b!.request(2);
      await until(
        () => evener.queued() === 1,
        () => `one to wait; ${evener.inFlight()} in flight, ${evener.queued()} wait`,
      );
      assert.equal(evener.inFlight(), 2);
      b!.requests[1]!.lastChunk();
      await streams[1]!.response();
      for (const index of [2, 3]) (await b!.request(index)).respond(200, "again");
      for (const client of again) assert.equal((await client.response()).body, "again");
      await evener.idle();

      await evener.reload(without);
      assert.equal((await fetch(`http://127.0.0.1:${evener.adminPort}/api/v1/pools/goes`)).status, 404);
      assert.equal((await evener.logged(({ id }) => id === "stream-1")).reason, "ok");
    });

    it("is shown while it leaves; a stop waits for its streams, and cuts them at the deadline", async (t) => {
      const scene = await setUp(t, {
        count: 2,
        handler: () => {},
        yaml: ([a, b]) => both(threads, a!, b!),
      });
      const { evener } = scene;
      const client = await scene.connect();
      client.send(rawRequest("POST /goes", { "x-request-id": "cut" }, "{}"));
      const request = await scene.backends[1]!.request(0);
      request.sse();
      request.event("before");
      await client.until("before");
      await evener.reload(
        yamlOf({
          threads,
          admin: ADMIN,
          pools: { stays: poolOf([scene.backends[0]!]) },
          routes: [{ pool: "stays" }],
        }),
      );
      const admin = `http://127.0.0.1:${evener.adminPort}`;
      const shown = (await (await fetch(`${admin}/api/v1/pools/goes`)).json()) as Record<string, unknown>;
      assert.deepEqual(shown.backends, []);
      const { id } = scene.backends[1]!;
      assert.deepEqual(shown.left, [{ id, address: id, state: "left", in_flight: 1 }]);
      const metrics = await (await fetch(`${admin}/metrics`)).text();
      assert.match(metrics, /^evener_left_in_flight\{pool="goes"\} 1$/m);
      assert.match(metrics, /^evener_left_in_flight\{pool="stays"\} 0$/m);
      assert.equal(await evener.stop(300), false, "something was cut");
      await client.closed();
      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/);
      assert.equal((await evener.logged(({ id }) => id === "cut")).reason, "shutdown");
    });
  });
}
