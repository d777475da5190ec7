// Backends by name: one for each address, asked for again, never lost to a DNS that fails (faults, row 9).
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { type DnsReply, DnsServer } from "../fixtures/dns-server.ts";
import { request } from "../fixtures/client.ts";
import { type Evener, startEvener } from "../fixtures/evener.ts";
import { yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

interface Stage {
  readonly dns: DnsServer;
  readonly port: number;
  readonly hosts: string[];
  readonly start: (config: (port: number) => Record<string, unknown>) => Promise<Evener>;
}

/** Servers on 127.0.0.1 to 127.0.0.`count`, all on one port, and a DNS. */
async function setUp(t: TestContext, count: number): Promise<Stage> {
  const dns = await DnsServer.start();
  const hosts: string[] = [];
  const servers: http.Server[] = [];
  let evener: Evener | null = null;
  t.after(async () => {
    await evener?.stop();
    for (const server of servers) server.close();
    await dns.stop();
  });
  let port = 0;
  for (let i = 1; i <= count; i++) {
    const server = http.createServer((incoming, response) => {
      hosts.push(String(incoming.headers.host));
      response.end(incoming.socket.localAddress);
    });
    servers.push(server);
    server.listen({ host: `127.0.0.${i}`, port });
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  }
  const start: Stage["start"] = async (config) => {
    evener = await startEvener(yamlOf({ resolvers: [dns.address], ...config(port) }));
    return evener;
  };
  return { dns, port, hosts, start };
}

const CALM = { policy: "round_robin", health: "off", slow_start: "off", slowdown: "off", outlier: "off" };

function at(...ends: number[]): DnsReply {
  return { addresses: ends.map((end) => `127.0.0.${end}`), ttl: 0 };
}

function idsOf(evener: Evener, index = 0): string[] {
  return evener.server.fleet.list()[index]!.pool.members.list.map(({ id }) => id);
}

/** Sends requests to these paths, one after the other, until it is told to stop. */
class Asker {
  /** Answers that are no 200. */
  readonly failures: string[] = [];
  lastBody = "";
  readonly #done: Promise<void>;
  #isOver = false;

  constructor(port: number, paths: readonly string[]) {
    this.#done = this.#ask(port, paths);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #ask(port: number, paths: readonly string[]): Promise<void> {
    while (!this.#isOver) {
      for (const path of paths) {
        const { status, body } = await request(port, path);
        if (status !== 200) this.failures.push(`${path}: ${status} ${body}`);
        this.lastBody = body;
      }
    }
  }
}

test("a name is one backend for each of its addresses, and probes carry the name", async (t) => {
  const { dns, port, hosts, start } = await setUp(t, 3);
  dns.replies.set("llm.test", at(3, 1));
  const backend = { url: `http://llm.test:${port}`, weight: 2, limit: 7, labels: { gpu: "h100" } };
  const health = { path: "/health", interval: "100ms" };
  const evener = await start(() => ({ pools: { default: { ...CALM, health, backends: [backend] } } }));
  assert.deepEqual(idsOf(evener), [`llm.test:${port}/127.0.0.1`, `llm.test:${port}/127.0.0.3`]);
  for (const { spec } of evener.server.fleet.list()[0]!.pool.members.list) {
    assert.deepEqual([spec.weight, spec.limit, spec.labels], [2, 7, { gpu: "h100" }]);
  }
  await until(() => hosts.length > 1, "probes");
  assert.deepEqual(new Set(hosts), new Set([`llm.test:${port}`]));
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) seen.add((await request(evener.port, "/")).body);
  assert.deepEqual(seen, new Set(["127.0.0.1", "127.0.0.3"]));
});

test("1 to 100 to 1 addresses: nothing fails, and who stays keeps its counts", async (t) => {
  const { dns, port, start } = await setUp(t, 100);
  dns.replies.set("llm.test", at(1));
  const evener = await start(() => ({
    pools: { default: { ...CALM, backends: [`http://llm.test:${port}`] } },
  }));
  const stays = evener.server.fleet.list()[0]!.pool.members.list[0]!;
  const asker = new Asker(evener.port, ["/"]);
  dns.replies.set("llm.test", at(...Array.from({ length: 100 }, (_, i) => i + 1)));
  await until(() => idsOf(evener).length === 100, "a hundred backends");
  dns.replies.set("llm.test", at(1));
  await until(() => idsOf(evener).length === 1, "one backend");
  await asker.stop();
  assert.deepEqual(asker.failures, []);
  const [now] = evener.server.fleet.list()[0]!.pool.members.list;
  assert.equal(now, stays);
  await evener.idle();
});

test("NXDOMAIN, SERVFAIL, an empty answer and silence take nobody away; recovery brings news", async (t) => {
  const { dns, port, start } = await setUp(t, 2);
  const faults = ["nxdomain", "servfail", "empty", "silence"] as const;
  const names = faults.map((fault) => `${fault}.test`);
  for (const name of names) dns.replies.set(name, at(1));
  const evener = await start(() => ({
    pools: Object.fromEntries(
      faults.map((fault) => [fault, { ...CALM, backends: [`http://${fault}.test:${port}`] }]),
    ),
    routes: faults.map((fault) => ({ match: { path: `/${fault}` }, pool: fault })),
    admin: { bind: "127.0.0.1:0" },
  }));
  const paths = faults.map((fault) => `/${fault}`);
  const asker = new Asker(evener.port, paths);
  for (const fault of faults) dns.replies.set(`${fault}.test`, fault);
  const { events } = evener.server;
  await until(() => events.counts.unresolved === 4, "an event for each name");
  for (const i of faults.keys()) assert.deepEqual(idsOf(evener, i), [`${names[i]}:${port}/127.0.0.1`]);
  const metrics = await (await fetch(`http://127.0.0.1:${evener.adminPort}/metrics`)).text();
  assert.match(metrics, /evener_dns_failures_total\{name="servfail\.test"\} [1-9]/);
  assert.match(metrics, /evener_dns_addresses\{name="empty\.test"\} 1\n/);
  assert.match(metrics, /evener_dns_answer_age_seconds\{name="silence\.test"\} [1-9]/);
  for (const name of names) dns.replies.set(name, at(2));
  await until(
    () => faults.every((_fault, i) => idsOf(evener, i)[0] === `${names[i]}:${port}/127.0.0.2`),
    "the new address everywhere",
  );
  await asker.stop();
  assert.deepEqual(asker.failures, []);
});

test("a name that is not known at the start is waited for, and a reload brings names and takes them away", async (t) => {
  const { dns, port, start } = await setUp(t, 2);
  const withNames = (...names: string[]): Record<string, unknown> => ({
    resolvers: [dns.address],
    pools: { default: { ...CALM, backends: names.map((name) => `http://${name}:${port}`) } },
  });
  const evener = await start(() => withNames("late.test"));
  const refused = await request(evener.port, "/");
  assert.equal(refused.status, 503);
  assert.match(refused.body, /EVENER_NO_ENDPOINT/);
  dns.replies.set("late.test", at(1));
  await until(() => idsOf(evener).length === 1, "the address");
  assert.equal((await request(evener.port, "/")).body, "127.0.0.1");
  dns.replies.set("other.test", at(2));
  await evener.reload(yamlOf(withNames("late.test", "other.test")));
  assert.deepEqual(idsOf(evener), [`late.test:${port}/127.0.0.1`, `other.test:${port}/127.0.0.2`]);
  await evener.reload(yamlOf(withNames("other.test", "127.0.0.1", "localhost")));
  assert.deepEqual(idsOf(evener), [`other.test:${port}/127.0.0.2`, `127.0.0.1:${port}`, `localhost:${port}`]);
  assert.equal(dns.askedFor("localhost"), 0);
});

test("data threads get the new addresses, too", async (t) => {
  const { dns, port, start } = await setUp(t, 2);
  dns.replies.set("llm.test", at(1));
  const evener = await start(() => ({
    threads: 2,
    pools: { default: { ...CALM, backends: [`http://llm.test:${port}`] } },
  }));
  assert.equal((await request(evener.port, "/")).body, "127.0.0.1");
  const asker = new Asker(evener.port, ["/"]);
  dns.replies.set("llm.test", at(2));
  await until(() => asker.lastBody === "127.0.0.2", "an answer of the new address");
  await asker.stop();
  assert.deepEqual(asker.failures, []);
  assert.deepEqual(idsOf(evener), [`llm.test:${port}/127.0.0.2`]);
});
