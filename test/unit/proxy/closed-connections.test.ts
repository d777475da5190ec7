import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseConfig } from "../../../src/config/load.ts";
import { endpointSpec } from "../../../src/core/endpoint.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Ledger } from "../../../src/core/ledger.ts";
import { createPolicy } from "../../../src/core/policies/create.ts";
import { DEFAULT_POOL_OPTIONS } from "../../../src/core/pool-options.ts";
import { Pool } from "../../../src/core/pool.ts";
import { Deadlines } from "../../../src/http1/deadlines.ts";
import { DataPlane } from "../../../src/planes/data-plane.ts";
import { TicketKeys } from "../../../src/proxy/ticket-keys.ts";
import { startBackend } from "../../fixtures/backend.ts";
import { RawClient } from "../../fixtures/client.ts";
import { until } from "../../fixtures/until.ts";

const CONNECTIONS = 40;
const ANY_PORT = { host: "127.0.0.1", port: 0, proxyProtocol: false, tls: null, socketMode: 0o660 };

/** A plane of its own, so that its deadlines can be counted. */
function planeTo(port: number): { plane: DataPlane; deadlines: Deadlines } {
  const text = `listen: 127.0.0.1:0\naccess_log: off\nadmin: off\nbackends: [http://127.0.0.1:${port}]\n`;
  const config = parseConfig(text, { path: "test", env: {}, readFile: () => "" });
  const clock = { nowMs: (): number => performance.now() };
  const random = new Random(1);
  const ledger = new Ledger();
  const deadlines = new Deadlines();
  const policy = createPolicy("auto", { random, slotsMax: ledger.slotsMax });
  const pool = new Pool({ name: "default", ledger, clock, random, policy, options: DEFAULT_POOL_OPTIONS });
  const kit = {
    clock,
    random,
    deadlines,
    pseudonym: "evener-0",
    threads: 1,
    onPrefaceRefused: (): void => {},
  };
  const plane = new DataPlane(config, { ...kit, tickets: new TicketKeys() });
  plane.apply(
    config,
    [],
    () => pool,
    () => pool.update(config.pools[0]!.backends.map(({ id }) => endpointSpec(id))),
  );
  return { plane, deadlines };
}

test("a connection that is closed leaves nothing behind, whatever time its request would have had", async (t) => {
  const backend = await startBackend();
  const { plane, deadlines } = planeTo(backend.port);
  t.after(async () => {
    await plane.proxy.drain(100);
    await plane.close();
    deadlines.close();
    await backend.stop();
  });
  await plane.proxy.listen([ANY_PORT]);
  const { port } = plane.proxy.addresses()[0]!;
  const before = deadlines.count;
  for (let i = 0; i < CONNECTIONS; i++) {
    const client = await RawClient.connect(port);
    client.socket.write("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    await client.response();
    client.socket.destroy();
  }
  await until(() => plane.proxy.connections === 0, "all connections to be closed");
  // Those that are left belong to kept-alive connections to the backend.
  assert.ok(deadlines.count - before <= 2, `${deadlines.count - before} deadlines stand in the wheel`);
});

test("after a handover, who has his answer and may send one request more is not cut at the end", async (t) => {
  const backend = await startBackend(() => {});
  const { plane, deadlines } = planeTo(backend.port);
  t.after(async () => {
    await plane.close();
    deadlines.close();
    await backend.stop();
  });
  await plane.proxy.listen([ANY_PORT]);
  const client = await RawClient.connect(plane.proxy.addresses()[0]!.port);
  client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
  const asked = await backend.request(0);
  asked.sse();
  asked.event("one");
  await client.until("one");
  // What the answer has promised holds for half of the drain time: its end comes late, so it goes beyond.
  const drained = plane.proxy.drain(600, true);
  await sleep(400);
  asked.lastChunk();
  await client.response();
  assert.equal(await drained, true);
  await client.closed();
});
