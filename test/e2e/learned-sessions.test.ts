// Sessions that the backends begin: learned from their answers, known to all threads, kept by reloads.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Backend, BackendRequest } from "../fixtures/backend.ts";
import { type Answer, request } from "../fixtures/client.ts";
import { configOf, type Scene, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const BY_COOKIE = { session: { learn: "cookie:JSESSIONID" } };
const BY_HEADER = { session: { learn: "header:mcp-session-id" } };
let numbers = 0;

/** An application that begins a session for whoever has none that it knows. */
function application(request: BackendRequest): void {
  const known = /JSESSIONID=(\S+?)(?:;|$)/.exec(request.headers.get("cookie") ?? "")?.[1];
  if (known?.startsWith(request.backend.id) === true) return request.respond(200, "known");
  const id = `${request.backend.id}.${++numbers}`;
  request.respond(200, "begun", { "set-cookie": `JSESSIONID=${id}; Path=/; HttpOnly` });
}

function backendOf(answer: Answer): string {
  return String(answer.headers["x-evener-backend"]);
}

function cookieOf(answer: Answer): string {
  return answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? assert.fail("no set-cookie");
}

function named(backends: readonly Backend[], id: string): Backend {
  return backends.find((backend) => backend.id === id) ?? assert.fail(`no backend ${id}`);
}

async function begin(scene: Scene): Promise<{ home: string; headers: { cookie: string } }> {
  const answer = await scene.request("/");
  assert.equal(answer.body, "begun");
  return { home: backendOf(answer), headers: { cookie: cookieOf(answer) } };
}

function figures(scene: Scene): unknown {
  return scene.evener.server.exportSessions().map(({ sessions }) => sessions.hashes.length);
}

function scene(t: TestContext, pool: Readonly<Record<string, unknown>> = {}, rest = {}): Promise<Scene> {
  return setUp(t, { count: 3, handler: application, pool: { ...BY_COOKIE, ...pool }, rest });
}

describe("a session of the application", () => {
  it("stays at the backend that began it, by cookie, whose line goes to the client untouched", async (t) => {
    const it = await scene(t);
    const sessions = [await begin(it), await begin(it), await begin(it)];
    assert.equal(new Set(sessions.map(({ home }) => home)).size, 3);
    for (let i = 0; i < 3; i++) {
      for (const { home, headers } of sessions) {
        const answer = await it.request("/", { headers: { cookie: `a=b; ${headers.cookie}; c=d` } });
        assert.equal(answer.body, "known");
        assert.equal(backendOf(answer), home);
        assert.equal(answer.headers["x-evener-reason"], "session");
      }
    }
  });

  it("stays by a header, too", async (t) => {
    const it = await setUp(t, {
      count: 3,
      pool: BY_HEADER,
      handler: (request) =>
        request.respond(200, "", request.method === "POST" ? { "Mcp-Session-Id": request.backend.id } : {}),
    });
    const homes = [];
    for (let i = 0; i < 3; i++) homes.push(backendOf(await it.request("/", { method: "POST" })));
    for (const home of homes) {
      const answer = await it.request("/", { headers: { "MCP-Session-ID": home } });
      assert.equal(backendOf(answer), home);
    }
  });

  it("is not made by what a client sends", async (t) => {
    const it = await scene(t);
    for (let i = 0; i < 20; i++) await it.request("/", { headers: { cookie: `JSESSIONID=made-up-${i}` } });
    assert.equal(it.evener.server.exportSessions()[0]!.sessions.hashes.length, 20);
    const answers = new Set<string>();
    for (let i = 0; i < 3; i++) {
      answers.add(backendOf(await it.request("/", { headers: { cookie: "JSESSIONID=made-up-1" } })));
    }
    assert.equal(answers.size, 3);
  });

  it("moves when its home is taken out, and stays where it went", async (t) => {
    // These backends share their sessions: nobody sets the cookie again.
    const it = await scene(t);
    const { home, headers } = await begin(it);
    for (const backend of it.backends) backend.handler = (request) => request.respond(200, "shared");
    const { pool } = it.evener.server.fleet.list()[0]!;
    pool.wish(home, "drain");
    const moved = backendOf(await it.request("/", { headers }));
    assert.notEqual(moved, home);
    pool.wish(home, "ready");
    for (let i = 0; i < 4; i++) assert.equal(backendOf(await it.request("/", { headers })), moved);
  });

  it("moves when its home dies, and a request that can be saved does not see it", async (t) => {
    const it = await scene(t);
    const { home, headers } = await begin(it);
    for (const backend of it.backends) backend.handler = (request) => request.respond(200, "shared");
    await named(it.backends, home).kill();
    const answer = await it.request("/", { headers });
    assert.equal(answer.status, 200);
    assert.notEqual(backendOf(answer), home);
    await named(it.backends, home).revive();
    for (let i = 0; i < 4; i++) {
      assert.equal(backendOf(await it.request("/", { headers })), backendOf(answer));
    }
  });

  it("goes elsewhere for once when its home is full, and stays at home", async (t) => {
    const it = await scene(t);
    const { home, headers } = await begin(it);
    const { pool } = it.evener.server.fleet.list()[0]!;
    for (const endpoint of pool.members.list) endpoint.limitOverride = 1;
    pool.changed();
    const busy = named(it.backends, home);
    busy.handler = () => {};
    const before = busy.requests.length;
    const first = it.request("/", { headers });
    await busy.request(before);
    for (const backend of it.backends) {
      if (backend !== busy) backend.handler = (request) => request.respond(200, "spilled");
    }
    assert.equal((await it.request("/", { headers })).body, "spilled");
    busy.handler = (request) => request.respond(200, "home");
    busy.requests[before]!.respond(200, "home");
    assert.equal((await first).body, "home");
    assert.equal((await it.request("/", { headers })).body, "home");
  });

  it("is learned from the 101 of an upgrade", async (t) => {
    const it = await scene(t);
    for (const backend of it.backends) {
      backend.handler = (request) => {
        if (!request.headers.has("upgrade")) return request.respond(200, "");
        request.write(
          `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
            `set-cookie: JSESSIONID=tunnel\r\n\r\n`,
        );
      };
    }
    const client = await it.connect();
    client.send(
      "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
    );
    const { headers } = await client.response();
    for (let i = 0; i < 3; i++) {
      const answer = await it.request("/", { headers: { cookie: "JSESSIONID=tunnel" } });
      assert.equal(backendOf(answer), headers.get("x-evener-backend"));
    }
  });
});

describe("the table", () => {
  it("is bounded, and says so in the metrics", async (t) => {
    const it = await scene(
      t,
      { session: { learn: "cookie:JSESSIONID", max: 2 } },
      { admin: { bind: "127.0.0.1:0" } },
    );
    const sessions = [await begin(it), await begin(it), await begin(it)];
    assert.deepEqual(figures(it), [2]);
    const metrics = await (await fetch(`http://127.0.0.1:${it.evener.adminPort}/metrics`)).text();
    assert.match(metrics, /evener_learned_sessions\{pool="default"\} 2\n/);
    assert.match(metrics, /evener_learned_sessions_total\{pool="default"\} 3\n/);
    assert.match(metrics, /evener_learned_sessions_evicted_total\{pool="default"\} 1\n/);
    for (const { home, headers } of sessions.slice(1)) {
      assert.equal(backendOf(await it.request("/", { headers })), home);
    }
  });

  it("survives reloads, but not the leaving of its backends, nor another cookie", async (t) => {
    const it = await scene(t);
    const sessions = [await begin(it), await begin(it), await begin(it)];
    const all = { ...BY_COOKIE, session: { learn: "cookie:JSESSIONID", ttl: "2h", max: 50 } };
    await it.evener.reload(configOf(it.backends, all));
    for (const { home, headers } of sessions) {
      assert.equal(backendOf(await it.request("/", { headers })), home);
    }
    await it.evener.reload(configOf(it.backends.slice(1), all));
    assert.deepEqual(figures(it), [2]);
    await it.evener.reload(configOf(it.backends, { session: { learn: "cookie:OTHER" } }));
    assert.deepEqual(figures(it), [0]);
    await it.evener.reload(configOf(it.backends));
    assert.deepEqual(figures(it), []);
  });

  it("is taken over by another process", async (t) => {
    const it = await scene(t);
    const sessions = [await begin(it), await begin(it), await begin(it)];
    const dump = JSON.parse(JSON.stringify(it.evener.server.exportSessions()));
    assert.doesNotMatch(JSON.stringify(dump), /JSESSIONID=|\.\d+\.\d+\.\d+:\d+\.\d/);
    const heir = await setUp(t, { yaml: () => configOf(it.backends, BY_COOKIE, { threads: 2 }) });
    await heir.evener.server.importSessions(dump);
    const { sessions: known } = heir.evener.server.exportSessions()[0]!;
    assert.equal(known.hashes.length, 3);
    for (const { home, headers } of sessions) {
      for (let i = 0; i < 4; i++) {
        assert.equal(backendOf(await request(heir.evener.port, "/", { headers })), home);
      }
    }
  });

  it("is the same in all data threads", async (t) => {
    const it = await scene(t, {}, { threads: 3 });
    const sessions = [await begin(it), await begin(it), await begin(it)];
    for (const { home, headers } of sessions) {
      // The news is on its way for some milliseconds; from then on no thread errs.
      let inRow = 0;
      for (let i = 0; inRow < 30 && i < 3_000; i++) {
        inRow = backendOf(await it.request("/", { headers })) === home ? inRow + 1 : 0;
      }
      assert.equal(inRow, 30);
    }
    await until(() => figures(it)?.toString() === "3", "the main thread to know all");
  });

  it("is all there in a thread that takes the place of a dead one", async (t) => {
    const { mock } = t.mock.method(Worker.prototype, "postMessage");
    const workers = (): Worker[] => [...new Set(mock.calls.map((call) => call.this as Worker))];
    const it = await scene(t, {}, { threads: 1 });
    const { home, headers } = await begin(it);
    await until(() => figures(it)?.toString() === "1", "the main thread to know it");
    await workers()[0]!.terminate();
    await until(() => workers().length === 2, "another thread");
    let answer: Answer | null = null;
    for (let i = 0; answer === null && i < 1_000; i++) {
      // Nobody listens for a while.
      answer = await it.request("/", { headers }).catch(() => sleep(5).then(() => null));
    }
    assert.equal(answer?.body, "known");
    assert.equal(backendOf(answer), home);
  });
});
