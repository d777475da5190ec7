// One process takes over from another: no connection is lost, no limit broken, nothing forgotten.
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RawClient, rawRequest, request } from "../fixtures/client.ts";
import { isAlive, Processes } from "../fixtures/processes.ts";
import { backendsOf, configOf } from "../fixtures/process-scene.ts";
import { SteadyTraffic } from "../fixtures/steady-traffic.ts";
import { until } from "../fixtures/until.ts";

async function connect(t: TestContext, port: number): Promise<RawClient> {
  const client = await RawClient.connect(port);
  t.after(() => client.destroy());
  return client;
}

for (const threads of [0, 1]) {
  describe(`while the process before drains, with ${threads} data threads`, () => {
    it("its streams go on, count in the next one, and end whole", async (t) => {
      const backends = await backendsOf(t, 2, (it) => {
        if (it.target !== "/stream") return it.respond(200, it.backend.name);
        it.sse();
        it.event("one");
      });
      const limited = backends.map(({ url }) => ({ url, limit: 1 }));
      const config = configOf(backends, { backends: limited }, { threads });
      const evener = await Processes.start(t, config);
      const client = await connect(t, evener.port);
      client.send(rawRequest("GET /stream"));
      await client.until("one");
      const busy = backends.find(({ requests }) => requests.length > 0)!;
      const old = evener.pid;
      await evener.handOver();
      assert.ok(isAlive(old));
      for (let i = 0; i < 4; i++) {
        assert.notEqual((await request(evener.port, "/")).body, busy.name);
      }
      const claimed = (await evener.backends()).find(({ id }) => id === busy.id);
      assert.equal(claimed?.in_flight, 1);
      busy.requests[0]!.event("two");
      await client.until("two");
      busy.requests[0]!.lastChunk();
      assert.match((await client.response()).body, /one.*two/s);
      // The head of the stream had promised the connection: one more request is answered on it.
      client.send(rawRequest("GET /"));
      const more = await client.response();
      assert.deepEqual([more.status, more.headers.get("connection")], [200, "close"]);
      client.destroy();
      await evener.ended(old);
      await evener.atRest();
      assert.equal(evener.count("nothing was cut"), 1);
    });

    it("killed, it leaves nothing booked in the next one", async (t) => {
      const backends = await backendsOf(t, 1, (it) => it.sse());
      const config = configOf(backends, { backends: [{ url: backends[0]!.url, limit: 1 }] }, { threads });
      const evener = await Processes.start(t, config);
      const client = await connect(t, evener.port);
      client.send(rawRequest("GET /stream"));
      await backends[0]!.request(0);
      const old = evener.pid;
      await evener.handOver();
      assert.equal((await evener.backends())[0]!.in_flight, 1);
      evener.signal("SIGKILL", old);
      await evener.atRest();
      const next = await connect(t, evener.port);
      next.send(rawRequest("GET /stream"));
      await backends[0]!.request(1);
      assert.ok((await evener.eventKinds()).filter((kind) => kind === "handover").length === 2);
    });

    it("who waited there is served first, and by whom he can when the next one is killed", async (t) => {
      const backends = await backendsOf(t, 1, (it) => {
        if (it.target === "/") it.respond(200);
      });
      const backend = backends[0]!;
      const limited = [{ url: backend.url, limit: 1 }];
      const pool = { backends: limited, queue: { max: 10, wait: "60s" } };
      const evener = await Processes.start(t, configOf(backends, pool, { threads }));
      const clients: RawClient[] = [];
      const ask = async (path: string): Promise<void> => {
        const client = await connect(t, evener.port);
        clients.push(client);
        client.send(rawRequest(`GET ${path}`));
      };
      await ask("/first");
      const first = await backend.request(0);
      await ask("/waits-1");
      await waiting(evener, 1);
      await ask("/waits-2");
      await waiting(evener, 2);
      const old = evener.pid;
      const next = await evener.handOver();
      await waiting(evener, 2);
      await ask("/newcomer");
      await waiting(evener, 3);
      first.respond(200);
      assert.equal((await backend.request(1)).target, "/waits-1");
      await sleep(20);
      assert.equal(backend.requests.length, 2);
      evener.signal("SIGKILL", next);
      await evener.ended(next);
      (await backend.request(1)).respond(200);
      const second = await backend.request(2);
      assert.equal(second.target, "/waits-2");
      second.respond(200);
      for (const client of clients.slice(0, 3)) {
        assert.equal((await client.response()).status, 200);
        client.destroy();
      }
      await evener.ended(old);
      assert.ok(evener.count("the successor is gone") > 0, evener.lines.join("\n"));
    });
  });
}

describe("what the next process knows", () => {
  for (const threads of [0, 2]) {
    it(`learned sessions, also those learned meanwhile; what an operator has set (${threads} threads)`, async (t) => {
      const backends = await backendsOf(t, 3, (it) => {
        if (it.target === "/stream") return it.sse();
        const cookie = it.headers.get("cookie") ?? `sid=${it.backend.name}`;
        it.respond(200, it.backend.name, { "set-cookie": cookie });
      });
      const pool = { session: { learn: "cookie:sid" } };
      const evener = await Processes.start(t, configOf(backends, pool, { threads }));
      const path = `/api/v1/pools/default/backends/${backends[2]!.id}`;
      const put = {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: '{"state":"drain"}',
      };
      assert.equal((await request(evener.adminPort, path, put)).status, 200);
      const learned = (await request(evener.port, "/")).body;
      // A client that has sent nothing yet may send one request to the old one.
      const late = await connect(t, evener.port);
      await sleep(20);
      const old = evener.pid;
      await evener.handOver();
      assert.equal((await evener.backends())[2]!.state, "draining");
      for (let i = 0; i < 4; i++) {
        const headers = { cookie: `sid=${learned}` };
        assert.equal((await request(evener.port, "/", { headers })).body, learned);
      }
      late.send(rawRequest("GET /", { cookie: "sid=late" }));
      const { body: home, headers } = await late.response();
      assert.equal(headers.get("connection"), "close");
      late.destroy();
      await evener.ended(old);
      for (let i = 0; i < 4; i++) {
        assert.equal((await request(evener.port, "/", { headers: { cookie: "sid=late" } })).body, home);
      }
    });
  }
});

describe("a handover that does not come about", () => {
  it("changes nothing, and says why", async (t) => {
    const backends = await backendsOf(t, 1);
    const evener = await Processes.start(t, configOf(backends));
    const traffic = new SteadyTraffic(t, evener.port);
    evener.write({ pools: { default: { bakends: [] } } });
    await evener.said("configuration not reloaded");
    evener.signal("SIGUSR2");
    await evener.said("no handover; this process goes on");
    assert.match(String(evener.find("no handover")!.problem), /bakends/);
    assert.ok((await evener.eventKinds()).includes("handover_failed"));
    // A listener that can not be opened is found only when all else is ready.
    const taken = net.createServer().listen({ host: "127.0.0.1", port: 0 });
    t.after(() => taken.close());
    await until(() => taken.listening, "a listener");
    const { port } = taken.address() as net.AddressInfo;
    const from = evener.lines.length;
    evener.write(configOf(backends, {}, { admin: { bind: `127.0.0.1:${port}` } }));
    evener.signal("SIGUSR2");
    await evener.said("no handover; this process goes on", from);
    assert.match(String(evener.find("no handover", from)!.problem), /port is in use/);
    evener.write(configOf(backends));
    const old = evener.pid;
    await evener.handOver();
    await evener.ended(old);
    assert.deepEqual(await traffic.end(backends), []);
    await evener.atRest();
  });

  it("one at a time", async (t) => {
    const backends = await backendsOf(t, 1, (it) => it.sse());
    const evener = await Processes.start(t, configOf(backends));
    const client = await connect(t, evener.port);
    client.send(rawRequest("GET /"));
    await backends[0]!.request(0);
    evener.signal("SIGUSR2");
    await evener.said("handover: the next process is started");
    evener.signal("SIGUSR2");
    await evener.said("no handover; this process goes on");
    await evener.said("taken over from the process before");
    const next = evener.find("taken over from the process before")!.pid as number;
    const from = evener.lines.length;
    evener.signal("SIGUSR2", next);
    await evener.said("no handover; this process goes on", from);
    assert.match(String(evener.find("no handover", from)!.problem), /still drains/);
    backends[0]!.requests[0]!.lastChunk();
    await client.response();
    client.destroy();
    await evener.ended(evener.pid);
  });

  it("a stop in the middle of it stops both", async (t) => {
    const backends = await backendsOf(t, 1);
    const evener = await Processes.start(t, configOf(backends));
    evener.signal("SIGUSR2");
    await evener.said("handover: the next process is started");
    evener.signal("SIGTERM");
    await evener.ended(evener.pid);
    assert.equal(evener.count("taken over"), 0);
    await assert.rejects(RawClient.connect(evener.port));
  });
});

for (const threads of [0, 1]) {
  it(`unix sockets, IPv6 and the access log go along (${threads} threads)`, async (t) => {
    const backends = await backendsOf(t, 1, (it) => {
      if (it.target === "/stream") it.sse();
      else it.respond(200);
    });
    const evener = await Processes.start(t, configOf(backends, {}, { threads }));
    const path = join(evener.folder, "evener.sock");
    const listeners = [{ bind: `unix:${path}` }, { bind: "[::1]:0" }, { bind: "127.0.0.1:0" }];
    evener.write(configOf(backends, {}, { listeners, threads }));
    await evener.said("configuration reloaded");
    const unix = async (target: string): Promise<RawClient> => {
      const client = new RawClient(net.connect({ path }));
      t.after(() => client.destroy());
      client.send(rawRequest(`GET ${target}`));
      return client;
    };
    const stream = await unix("/stream");
    await backends[0]!.request(0);
    const old = evener.pid;
    await evener.handOver();
    assert.equal((await (await unix("/")).response()).status, 200);
    const log = join(evener.folder, "access.log");
    renameSync(log, `${log}.1`);
    // To the next one alone: it tells the one before.
    evener.signal("SIGUSR1");
    await until(() => existsSync(log), "a new log");
    await sleep(50);
    backends[0]!.requests[0]!.lastChunk();
    assert.equal((await stream.response()).status, 200);
    stream.destroy();
    await evener.ended(old);
    assert.equal((await (await unix("/after")).response()).status, 200);
    await until(
      () => /"target":"\/stream"/.test(readFileSync(log, "utf8")),
      () => readFileSync(log, "utf8"),
    );
    evener.signal("SIGTERM");
    await evener.ended(evener.pid);
    assert.equal(existsSync(path), false);
  });
}

/** So many wait for a backend, as the admin listener tells it. */
async function waiting(evener: Processes, count: number): Promise<void> {
  let length = -1;
  for (let i = 0; i < 300 && length !== count; i++) {
    const { body } = await request(evener.adminPort, "/api/v1/pools/default");
    length = (JSON.parse(body) as { queue: { length: number } }).queue.length;
    if (length !== count) await sleep(10);
  }
  assert.equal(length, count);
}
