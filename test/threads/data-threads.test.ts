// Evener with several data threads: one balancer to its clients, its backends and its operators.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { type Answer, type RawClient, rawRequest, request } from "../fixtures/client.ts";
import { configOf, type Scene, type SceneOptions, settled, setUp } from "../fixtures/scene.ts";
import { until, within } from "../fixtures/until.ts";

function threaded(t: TestContext, threads: number, options: SceneOptions = {}): Promise<Scene> {
  return setUp(t, { ...options, rest: { threads, ...options.rest } });
}

async function connectAll(scene: Scene, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => scene.connect()));
}

/** Client connections by thread, as told last. */
function connections({ evener }: Scene): number[] {
  return evener.server.dataThreads!.living.map(({ figures }) => figures.counts.clientConnections);
}

for (const threads of [2, 4]) {
  describe(`${threads} data threads`, () => {
    it("share the connections of a port, and answer requests of each one after the other", async (t) => {
      const scene = await threaded(t, threads, { count: 3, pool: { policy: "least_request" } });
      const clients = await connectAll(scene, CONNECTIONS);
      for (let round = 0; round < 5; round++) {
        for (const client of clients) client.send(rawRequest(`GET /${round}`));
        for (const client of clients) assert.equal((await client.response()).status, 200);
      }
      await until(
        () => connections(scene).reduce((sum, count) => sum + count, 0) === CONNECTIONS,
        () => `${CONNECTIONS} connections; told: ${connections(scene).join(", ")}`,
      );
      assert.equal(connections(scene).length, threads);
      const shares = connections(scene).join(", ");
      assert.ok(
        connections(scene).every((count) => count > 0),
        `one took none: ${shares}`,
      );
      assert.equal(scene.evener.server.connections, CONNECTIONS);
      const { requests } = scene.backends[0]!;
      const taken = scene.backends.map((backend) => backend.requests.length);
      assert.equal(
        taken.reduce((sum, count) => sum + count, 0),
        CONNECTIONS * 5,
      );
      assert.ok(requests.length > CONNECTIONS, `uneven: ${taken.join(", ")}`);
      await scene.evener.idle();
    });

    it("hold a limit together, and serve those who wait in their order", async (t) => {
      const begun: BackendRequest[] = [];
      const scene = await threaded(t, threads, {
        count: 1,
        handler: (it) => void begun.push(it),
        yaml: (backends) =>
          configOf(
            backends,
            { backends: [{ url: backends[0]!.url, limit: 1 }], queue: { max: 100, wait: "60s" } },
            { threads },
          ),
      });
      const clients = await connectAll(scene, CONNECTIONS);
      for (const [i, client] of clients.entries()) {
        client.send(rawRequest(`GET /${i}`));
        // Each is known to wait before the next one comes.
        await until(
          () => begun.length + scene.evener.queued() === i + 1,
          () => `${i + 1} requests; ${begun.length} begun, ${scene.evener.queued()} wait`,
        );
      }
      for (let i = 0; i < CONNECTIONS; i++) {
        await until(
          () => begun.length === i + 1,
          () => `request ${i}; ${begun.length} have begun`,
        );
        assert.equal(scene.evener.inFlight(), 1);
        assert.equal(begun[i]!.target, `/${i}`);
        begun[i]!.respond(200);
      }
      await scene.evener.idle();
    });

    it("sum their figures in metrics and status", async (t) => {
      const scene = await threaded(t, threads, {
        count: 2,
        rest: { admin: { bind: "127.0.0.1:0" } },
      });
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) => scene.request(i % 4 === 0 ? "/stuff" : "/", { body: "" })),
      );
      assert.ok(answers.every(({ status }) => status === 200));
      const metric = async (name: RegExp): Promise<number> => {
        const { body } = await request(scene.evener.adminPort!, "/metrics");
        const found = [...body.matchAll(name)];
        return found.reduce((sum, match) => sum + Number(match[1]), 0);
      };
      const requests = /^evener_requests_total\{.*reason="ok".*\} (\d+)$/gm;
      let sum = 0;
      for (let i = 0; i < 200 && sum < 40; i++) {
        sum = await metric(requests);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal(sum, 40);
      assert.equal(await metric(/^evener_requests_in_flight\{.*\} (\d+)$/gm), 0);
    });
  });
}

describe("data threads", () => {
  it("keep a session at its backend, whichever thread takes its request", async (t) => {
    const scene = await threaded(t, 4, { count: 4, pool: { session: { key: "header:x-user" } } });
    const homes = new Map<string, Set<string>>();
    const ask = async (user: string): Promise<void> => {
      const { body } = await scene.request("/", { headers: { "x-user": user } });
      homes.set(user, (homes.get(user) ?? new Set()).add(body));
    };
    const users = Array.from({ length: 12 }, (_, i) => `user-${i}`);
    for (let round = 0; round < 6; round++) await Promise.all(users.map(ask));
    for (const [user, where] of homes) assert.equal(where.size, 1, `${user} was at ${[...where].join(", ")}`);
    assert.ok(new Set([...homes.values()].flatMap((where) => [...where])).size > 1);
  });

  it("repeat elsewhere what a dead backend had, and all leave it out at once", async (t) => {
    const scene = await threaded(t, 4, {
      count: 2,
      pool: { policy: "round_robin", outlier: { ejection: "60s" } },
    });
    const [dead, alive] = scene.backends;
    await dead!.kill();
    const answers: Answer[] = [];
    for (let i = 0; i < 8; i++) answers.push(await scene.request("/"));
    assert.deepEqual(
      answers.map(({ status, body }) => `${status} ${body}`),
      answers.map(() => `200 hello from ${alive!.name}`),
    );
    await until(
      () => scene.evener.server.events.counts.ejected === 1,
      () => `one ejection; there were ${scene.evener.server.events.counts.ejected}`,
    );
    // Known to the main thread is known to all: they read the same column.
    const later = await Promise.all(Array.from({ length: CONNECTIONS }, () => scene.request("/")));
    assert.ok(later.every(({ status, headers }) => status === 200 && headers["x-evener-attempts"] === "1"));
  });

  it("cut no open stream in reloads that add, remove and bring back pools and backends", async (t) => {
    const scene = await threaded(t, 2, { count: 3, handler: (it) => it.sse() });
    const { evener, backends } = scene;
    const clients = await connectAll(scene, CONNECTIONS);
    for (const [i, client] of clients.entries()) client.send(rawRequest(`GET /stream/${i}`));
    const streams = (): BackendRequest[] => backends.flatMap(({ requests }) => requests);
    await until(() => streams().length === CONNECTIONS, "the streams");
    for (let round = 0; round < 12; round++) {
      const policy = round % 2 === 0 ? "least_request" : { name: "hash", key: "path" };
      const members = round % 3 === 0 ? backends.slice(0, 2) : backends;
      await evener.reload(configOf(members, { policy, queue: { max: 10 + round } }, { threads: 2 }));
      for (const stream of streams()) stream.chunk(`data: ${round}\n\n`);
      await until(
        () => clients.every(({ received }) => received.includes(`data: ${round}\n`)),
        () => `event ${round} on every stream`,
      );
    }
    await evener.reload(configOf(backends, {}, { threads: 2 }));
    assert.equal(evener.inFlight(), CONNECTIONS);
    for (const stream of streams()) stream.lastChunk();
    await until(() => clients.every(({ received }) => received.endsWith("0\r\n\r\n")), "clean ends");
    await evener.idle();
  });

  it("open and close listeners with a reload; one that can not be opened changes nothing", async (t) => {
    const scene = await threaded(t, 2, { count: 1 });
    const { evener, backends } = scene;
    const other = net.createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    t.after(() => other.close());
    const taken = (other.address() as net.AddressInfo).port;
    const bad = configOf(
      backends,
      {},
      { threads: 2, listeners: listeners("127.0.0.1:0", "127.0.0.3:0", `127.0.0.1:${taken}`) },
    );
    const servers = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === "TCPServerWrap").length;
    const before = await settled(servers);
    await assert.rejects(evener.reload(bad), /EVENER_LISTEN_FAILED|another program listens there/);
    assert.deepEqual(
      evener.server.addresses().map(({ port }) => port),
      [evener.port],
    );
    // Nor is a port held on that was found before the one that is taken.
    assert.equal(await settled(servers), before);
    assert.equal((await scene.request("/")).status, 200);
    await evener.reload(
      configOf(backends, {}, { threads: 2, listeners: listeners("127.0.0.1:0", "127.0.0.2:0") }),
    );
    const second = evener.server.addresses()[1]!;
    assert.equal(second.host, "127.0.0.2");
    await evener.reload(configOf(backends, {}, { threads: 2, listeners: listeners("127.0.0.1:0") }));
    assert.equal(evener.server.addresses().length, 1);
    assert.equal((await scene.request("/")).status, 200);
  });

  it("drain: the open stream finishes, idle connections close, nothing is cut", async (t) => {
    const scene = await threaded(t, 2, { count: 1, handler: (it) => it.sse() });
    const idle = await connectAll(scene, 8);
    const streaming = await scene.connect();
    streaming.send(rawRequest("GET /stream"));
    const stream = await scene.backend.request(0);
    stream.event("one");
    await streaming.until("one");
    const stopped = scene.evener.stop(20_000);
    for (const client of idle) await client.closed();
    stream.event("two");
    stream.lastChunk();
    await streaming.closed();
    assert.match(streaming.received, /data: two[^]*0\r\n\r\n$/);
    assert.equal(await stopped, true);
  });

  it("write whole lines of the access log to a pipe that is read slowly, and lose none", async (t) => {
    const scene = await setUp(t, { count: 1 });
    const folder = mkdtempSync(join(tmpdir(), "evener-test-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "evener.yaml");
    const rest = { listen: "127.0.0.1:0", threads: 3, access_log: "stdout", admin: "off" };
    writeFileSync(file, configOf(scene.backends, {}, rest));
    const child = spawn(process.execPath, ["bin/evener.js", file], { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const port = (): number =>
      Number(/"port":(\d+),"address":"[^"]*","msg":"listening"/.exec(said)?.[1] ?? 0);
    await until(
      () => port() > 0,
      () => `a listener; it said: ${said}`,
    );
    const path = `/${"p".repeat(2_000)}`;
    // Far more than a pipe holds, and nobody reads until all have been answered.
    for (let round = 0; round < 10; round++) {
      const asked = Array.from({ length: 20 }, () => request(port(), path));
      for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
    }
    let lines = "";
    child.stdout.on("data", (bytes: Buffer) => (lines += bytes.toString()));
    const ended = once(child, "close");
    child.kill("SIGTERM");
    await within(ended, "its end");
    const targets = lines
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { target: string }).target);
    assert.equal(targets.length, 200);
    assert.ok(targets.every((target) => target === path));
  });

  it("do not start where the access log can not be opened, and say why", async (t) => {
    const access_log = "/nowhere/at/all/access.log";
    await assert.rejects(threaded(t, 2, { count: 1, rest: { access_log } }), /ENOENT.*nowhere/);
  });
});

function listeners(...binds: string[]): { bind: string }[] {
  return binds.map((bind) => ({ bind }));
}

/** So many that no thread of four is left without one, but once in 10^7. */
const CONNECTIONS = 64;
