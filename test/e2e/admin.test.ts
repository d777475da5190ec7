import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, describe, test, type TestContext } from "node:test";
import { type Admin, type AdminSetup, startAdmin } from "../../src/admin/admin.ts";
import { FOLLOWERS_MAX } from "../../src/admin/event-log.ts";
import { EvenerError } from "../../src/errors.ts";
import { Deadlines } from "../../src/http1/deadlines.ts";
import { FakeSource } from "../unit/admin/fake-source.ts";
import { until } from "../fixtures/until.ts";

const deadlines = new Deadlines();
after(() => deadlines.close());

const JSON_LINE = { "content-type": "application/json" };
const TOKEN = "0123456789abcdef";
const LIMIT_BYTES = 1024 * 1024;

interface Scene {
  readonly source: FakeSource;
  readonly admin: Admin;
  readonly url: string;
  readonly changes: [who: string, what: string][];
  readonly mistakes: unknown[];
}

async function setUp(t: TestContext, given: Partial<AdminSetup> = {}): Promise<Scene> {
  const source = new FakeSource();
  source.add("chat", ["127.0.0.1:8000", "b<i>"]);
  const changes: [string, string][] = [];
  const mistakes: unknown[] = [];
  const admin = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    token: null,
    source,
    deadlines,
    onChange: (who, what) => changes.push([who, what]),
    onMistake: (error) => mistakes.push(error),
    ...given,
  });
  t.after(() => admin.close());
  return { source, admin, url: `http://127.0.0.1:${admin.port}`, changes, mistakes };
}

/** Sends bytes, ends nothing, and returns all that comes until the peer closes. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = net.connect(port, "127.0.0.1");
  socket.write(bytes, "latin1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => {});
  await once(socket, "close");
  return text;
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

describe("what can be read", () => {
  test("every endpoint answers with its type, not to be cached", async (t) => {
    const { url } = await setUp(t);
    const cases = [
      ["/", "text/html; charset=utf-8"],
      ["/healthz", "text/plain; charset=utf-8"],
      ["/readyz", "text/plain; charset=utf-8"],
      ["/metrics", "text/plain; version=0.0.4; charset=utf-8"],
      ["/api/v1/pools", "application/json"],
      ["/api/v1/pools/chat", "application/json"],
      ["/api/v1/pools/chat/backends/127.0.0.1:8000", "application/json"],
      ["/api/v1/events", "application/json"],
    ] as const;
    for (const [path, type] of cases) {
      const response = await fetch(url + path);
      const body = await response.text();
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("x-content-type-options"), "nosniff");
      const head = await fetch(url + path, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal(await head.text(), "");
      // The page shows the time and its own uptime: its length may differ from one second to the next.
      if (path !== "/") assert.equal(Number(head.headers.get("content-length")), Buffer.byteLength(body));
    }
  });

  test("the page escapes ids and forbids what is not its own", async (t) => {
    const { url } = await setUp(t);
    const response = await fetch(url);
    const page = await response.text();
    assert.match(page, /b&lt;i&gt;/);
    assert.doesNotMatch(page, /b<i>/);
    assert.match(response.headers.get("content-security-policy")!, /default-src 'none'.*script-src 'sha256-/);
  });

  test("not ready is 503 and says why; health does not care", async (t) => {
    const { url, source } = await setUp(t);
    source.ready = false;
    const ready = await fetch(`${url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /not ready: /);
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
  });

  test("events come in pages", async (t) => {
    const { url, source } = await setUp(t);
    for (let i = 0; i < 5; i++) source.list[0]!.pool.wish("b<i>", i % 2 === 0 ? "drain" : "ready");
    const read = async (query: string): Promise<unknown> => {
      const response = await fetch(`${url}/api/v1/events${query}`);
      const { first, last, events } = (await response.json()) as {
        first: number;
        last: number;
        events: { sequence: number; kind: string }[];
      };
      return [first, last, events.map(({ sequence, kind }) => `${sequence} ${kind}`)];
    };
    assert.deepEqual(await read("?since=2&max=2"), [1, 7, ["3 drained", "4 undrained"]]);
    assert.deepEqual(await read("?max=1"), [1, 7, ["7 drained"]]);
    for (const query of ["?since=-1", "?since=x", "?max=0", "?max=1001", "?since=1e3"]) {
      assert.equal(await codeOf(await fetch(`${url}/api/v1/events${query}`)), "EVENER_BAD_VALUE", query);
    }
  });

  test("what is not there is 404 and says what is", async (t) => {
    const { url } = await setUp(t);
    const unknown = await fetch(`${url}/metric`);
    assert.equal(unknown.status, 404);
    assert.match(await unknown.text(), /EVENER_NOT_FOUND.*GET \/metrics/);
    const pool = await fetch(`${url}/api/v1/pools/chut`);
    assert.equal(pool.status, 404);
    assert.match(await pool.text(), /there is no pool .*chut.*there are: chat/);
    const backend = await fetch(`${url}/api/v1/pools/chat/backends/c`, {
      method: "PUT",
      headers: JSON_LINE,
      body: "{}",
    });
    assert.equal(backend.status, 404);
    assert.match(await backend.text(), /it has: 127.0.0.1:8000/);
  });

  test("a mistake of ours is a 500 and is told, and the next request works", async (t) => {
    const { url, source, mistakes } = await setUp(t);
    const pools = source.pools.bind(source);
    source.pools = () => {
      throw new Error("broken");
    };
    assert.equal((await fetch(`${url}/api/v1/pools`)).status, 500);
    assert.equal(mistakes.length, 1);
    source.pools = pools;
    assert.equal((await fetch(`${url}/api/v1/pools`)).status, 200);
  });
});

describe("what can be changed", () => {
  test("state, weight and limit of a backend, at once and noted", async (t) => {
    const { url, source, changes } = await setUp(t);
    const path = `${url}/api/v1/pools/chat/backends/127.0.0.1%3A8000`;
    const body = JSON.stringify({ state: "drain", weight: 2, limit: 4 });
    const response = await fetch(path, { method: "PUT", headers: JSON_LINE, body });
    const status = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, 200);
    assert.deepEqual(
      [status["state"], status["weight"], status["limit"]],
      [
        "draining",
        { configured: 1, override: 2, effective: 2 },
        { configured: 0, override: 4, effective: 4 },
      ],
    );
    assert.equal(source.list[0]!.pool.members.get("127.0.0.1:8000")!.health.operator, "drain");
    assert.deepEqual(changes, [
      [
        "127.0.0.1 without a token",
        "pool chat, backend 127.0.0.1:8000: weight as configured -> 2, limit as configured -> 4," +
          " state ready -> drain",
      ],
    ]);
  });

  test("vitals", async (t) => {
    const { url, source, changes } = await setUp(t);
    const path = `${url}/api/v1/pools/chat/backends/${encodeURIComponent("b<i>")}/vitals`;
    const body = '{"cpu": 0.5, "gpu": 1}';
    assert.equal((await fetch(path, { method: "PUT", headers: JSON_LINE, body })).status, 200);
    const { pool } = source.list[0]!;
    const { slot } = pool.members.get("b<i>")!;
    assert.deepEqual(
      [pool.ledger.cpu[slot], pool.ledger.memory[slot], pool.ledger.gpu[slot]],
      [0.5, Number.NaN, 1],
    );
    assert.deepEqual(changes, []);
  });

  const refused: [string, RequestInit, number, string][] = [
    ["no content type", { body: "{}", headers: { "content-type": "" } }, 415, "EVENER_NOT_JSON"],
    ["a form", { body: "a=b", headers: { "content-type": "text/plain" } }, 415, "EVENER_NOT_JSON"],
    ["no JSON", { body: "{state", headers: JSON_LINE }, 400, "EVENER_BAD_VALUE"],
    ["no UTF-8", { body: new Uint8Array([0x22, 0xff, 0x22]), headers: JSON_LINE }, 400, "EVENER_BAD_VALUE"],
    ["nothing", { body: "", headers: JSON_LINE }, 400, "EVENER_BAD_VALUE"],
    ["an unknown key", { body: '{"wieght": 1}', headers: JSON_LINE }, 400, "EVENER_BAD_VALUE"],
    [
      "another site's page",
      { body: '{"state":"down"}', headers: { ...JSON_LINE, origin: "http://evil.example" } },
      403,
      "EVENER_FORBIDDEN",
    ],
    [
      "the wrong method",
      { method: "POST", body: "{}", headers: JSON_LINE },
      405,
      "EVENER_METHOD_NOT_ALLOWED",
    ],
    ["deletion", { method: "DELETE" }, 405, "EVENER_METHOD_NOT_ALLOWED"],
  ];
  for (const [what, init, status, code] of refused) {
    test(`${what} is refused with ${status}`, async (t) => {
      const { url, source, changes } = await setUp(t);
      const response = await fetch(`${url}/api/v1/pools/chat/backends/b%3Ci%3E`, { method: "PUT", ...init });
      assert.equal(response.status, status);
      assert.equal(response.headers.get("allow"), status === 405 ? "GET, HEAD, PUT" : null);
      assert.equal(await codeOf(response), code);
      assert.deepEqual(changes, []);
      assert.equal(source.list[0]!.pool.members.get("b<i>")!.health.operator, "ready");
    });
  }

  test("a body beyond 1 MiB is refused, announced or not, before it is kept", async (t) => {
    const { admin } = await setUp(t);
    const head =
      `PUT /api/v1/pools/chat/backends/b HTTP/1.1\r\nhost: 127.0.0.1:${admin.port}\r\n` +
      "content-type: application/json\r\n";
    assert.match(
      await raw(admin.port, `${head}content-length: ${LIMIT_BYTES + 1}\r\n\r\n`),
      /^HTTP\/1.1 413 [^]*EVENER_PAYLOAD_TOO_LARGE/,
    );
    const size = (LIMIT_BYTES + 1).toString(16);
    const chunked = `${head}transfer-encoding: chunked\r\n\r\n${size}\r\n${"x".repeat(LIMIT_BYTES + 1)}`;
    assert.match(await raw(admin.port, chunked), /^HTTP\/1.1 413 /);
  });

  test("100-continue is given to those who may, and not to others", async (t) => {
    const { admin } = await setUp(t);
    const ask = (host: string): string =>
      `PUT /api/v1/pools/chat/backends/b%3Ci%3E HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n` +
      "expect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n";
    const good = await raw(admin.port, `${ask(`127.0.0.1:${admin.port}`)}{"weight":2}`);
    assert.match(good, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
    assert.match(await raw(admin.port, ask("evil.example")), /^HTTP\/1.1 403 /);
  });
});

describe("who may ask", () => {
  test("with a token: whoever shows it, and health checks", async (t) => {
    const { url, changes } = await setUp(t, { host: "0.0.0.0", token: TOKEN });
    for (const path of ["/healthz", "/readyz"]) assert.equal((await fetch(url + path)).status, 200);
    for (const path of ["/", "/metrics", "/api/v1/pools", "/api/v1/events", "/nowhere"]) {
      const response = await fetch(url + path);
      assert.equal(response.status, 401, path);
      assert.match(response.headers.get("www-authenticate")!, /Basic .*Bearer /);
      await response.text();
      const authorization = `Bearer ${TOKEN}`;
      const status = path === "/nowhere" ? 404 : 200;
      assert.equal((await fetch(url + path, { headers: { authorization } })).status, status);
    }
    const basic = `Basic ${Buffer.from(`me:${TOKEN}`).toString("base64")}`;
    assert.equal((await fetch(url, { headers: { authorization: basic } })).status, 200);
    const put = { method: "PUT", headers: JSON_LINE, body: '{"weight": 2}' };
    const path = `${url}/api/v1/pools/chat/backends/127.0.0.1:8000`;
    assert.equal((await fetch(path, put)).status, 401);
    assert.deepEqual(changes, []);
    const headers = { ...JSON_LINE, authorization: `Bearer ${TOKEN}` };
    assert.equal((await fetch(path, { ...put, headers })).status, 200);
    assert.equal(changes[0]![0], "127.0.0.1 with the token");
  });

  test("without: a name that was rebound to this machine gets nothing", async (t) => {
    const { admin } = await setUp(t);
    const head = (host: string): string =>
      `GET /api/v1/pools HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
    const rebound = await raw(admin.port, head(`evil.example:${admin.port}`));
    assert.match(rebound, /^HTTP\/1.1 403 [^]*EVENER_FORBIDDEN/);
    assert.doesNotMatch(rebound, /8000/);
    assert.match(await raw(admin.port, head(`localhost:${admin.port}`)), /^HTTP\/1.1 200 /);
    assert.match(await raw(admin.port, "GET /metrics HTTP/1.0\r\n\r\n"), /^HTTP\/1.1 403 /);
  });
});

describe("the protocol", () => {
  test("requests are answered in order on one connection; what is no request is refused", async (t) => {
    const { admin } = await setUp(t);
    const host = `host: 127.0.0.1:${admin.port}`;
    const text = await raw(
      admin.port,
      `GET /healthz HTTP/1.1\r\n${host}\r\n\r\nGET /nowhere HTTP/1.1\r\n${host}\r\n\r\n` +
        "GET / HTTP/1.1\r\n\r\n",
    );
    assert.deepEqual(text.match(/HTTP\/1.1 \d{3}/g), ["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 400"]);
    assert.match(text, /HTTP_NO_HOST/);
  });

  test("a client that does not read stops being read, instead of filling memory", async (t) => {
    const { admin, source } = await setUp(t);
    let asked = 0;
    const pools = source.pools.bind(source);
    const list = pools();
    source.pools = () => {
      asked++;
      return Array.from({ length: 200 }, () => list[0]!);
    };
    const socket = net.connect(admin.port, "127.0.0.1");
    socket.pause();
    socket.on("error", () => {});
    const one = `GET /api/v1/pools HTTP/1.1\r\nhost: 127.0.0.1:${admin.port}\r\n\r\n`;
    // 2,000 answers of about 200 kB each: without a brake all of them would be made and kept.
    socket.write(one.repeat(2_000));
    const settled = async (before: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (asked === 0 || asked !== before) await settled(asked);
    };
    await settled(0);
    assert.ok(asked < 500, `${asked} answers were made`);
    socket.destroy();
  });

  test("an answer that all threads are asked for keeps its place, and is for nobody when the client left", async (t) => {
    const { admin, source, mistakes } = await setUp(t);
    const asked: PromiseWithResolvers<[]>[] = [];
    source.placementsOf = () => {
      asked.push(Promise.withResolvers<[]>());
      return asked.at(-1)!.promise;
    };
    const host = `host: 127.0.0.1:${admin.port}`;
    const one = `GET /api/v1/requests/any:1/why HTTP/1.1\r\n${host}\r\n\r\n`;
    const left = net.connect(admin.port, "127.0.0.1");
    left.on("error", () => {});
    left.write(one);
    await until(() => asked.length === 1, "the first question");
    left.resetAndDestroy();
    const bytes = raw(admin.port, `${one}GET /healthz HTTP/1.1\r\n${host}\r\nconnection: close\r\n\r\n`);
    await until(() => asked.length === 2, "the second question");
    for (const { resolve } of asked) resolve([]);
    const text = await bytes;
    assert.deepEqual(text.match(/HTTP\/1.1 \d{3}/g), ["HTTP/1.1 404", "HTTP/1.1 200"]);
    assert.match(text, /nothing is known of request \\"any:1\\"/);
    source.placementsOf = () => Promise.reject(new Error("a bug"));
    assert.deepEqual(
      await codeOf(await fetch(`http://127.0.0.1:${admin.port}/api/v1/requests/1/why`)),
      "EVENER_INTERNAL",
    );
    assert.match(String(mistakes), /a bug/);
  });

  test("closing ends connections and frees the port", async (t) => {
    const { admin, source } = await setUp(t);
    const socket = net.connect(admin.port, "127.0.0.1");
    await once(socket, "connect");
    socket.resume();
    const ended = once(socket, "close");
    await admin.close();
    await ended;
    const again = await startAdmin({ host: "127.0.0.1", port: admin.port, token: null, source, deadlines });
    await again.close();
  });
});

describe("the event stream", () => {
  test("sends what was missed and what comes, until the client leaves", async (t) => {
    const { url, source } = await setUp(t);
    const { pool } = source.list[0]!;
    const leave = new AbortController();
    const headers = { accept: "text/event-stream", "last-event-id": "1" };
    const response = await fetch(`${url}/api/v1/events`, { headers, signal: leave.signal });
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const readUntil = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(text)) text += (await reader.read()).value ?? assert.fail("the stream has ended");
    };
    await readUntil(/id: 2\ndata: \{"sequence":2,.*"kind":"joined".*\}\n\n/);
    assert.doesNotMatch(text, /id: 1\n/);
    pool.wish("b<i>", "drain");
    await readUntil(/id: 3\ndata: .*"backend":"b<i>","kind":"drained".*\n\n/);
    leave.abort();
  });

  test("has a bounded number of places, which those who leave give back", async (t) => {
    const { url, source } = await setUp(t);
    const headers = { accept: "text/event-stream" };
    const leaves: AbortController[] = [];
    for (let i = 0; i < FOLLOWERS_MAX; i++) {
      const leave = new AbortController();
      leaves.push(leave);
      assert.equal((await fetch(`${url}/api/v1/events`, { headers, signal: leave.signal })).status, 200);
    }
    const full = await fetch(`${url}/api/v1/events`, { headers });
    assert.equal(full.status, 503);
    assert.equal(await codeOf(full), "EVENER_STREAMS_FULL");
    leaves[0]!.abort();
    let place: (() => void) | null = null;
    while (place === null) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      place = source.events.subscribe(() => {});
    }
    place();
    for (const leave of leaves) leave.abort();
  });

  test("a slow reader is told how many events it has missed, and nothing is kept for it", async (t) => {
    const { admin, source } = await setUp(t);
    const socket = net.connect(admin.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(
      `GET /api/v1/events?since=0 HTTP/1.1\r\nhost: 127.0.0.1:${admin.port}\r\n` +
        "accept: text/event-stream\r\n\r\n",
    );
    let text = "";
    socket.once("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      socket.pause();
    });
    await once(socket, "data");
    const evidence = "x".repeat(10_000);
    for (let i = 0; i < 3_000; i++) {
      source.events.append({
        atMs: 0,
        pool: "chat",
        endpoint: null,
        kind: "agent",
        reason: String(i),
        evidence,
      });
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const last = `"reason":"2999"`;
    const seen = new Promise<void>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        const more = chunk.toString("utf8");
        const isEnd = (text.slice(-last.length) + more).includes(last);
        text += more;
        if (isEnd) resolve();
      });
    });
    socket.resume();
    await seen;
    socket.destroy();
    const missed = [...text.matchAll(/event: missed\ndata: \{"count":(\d+)\}/g)];
    const missedCount = missed.reduce((sum, match) => sum + Number(match[1]), 0);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
    assert.ok(missed.length > 0);
    assert.equal(ids.length + missedCount, source.events.last);
    assert.ok(ids.every((id, i) => i === 0 || id > ids[i - 1]!));
  });
});

describe("opening", () => {
  const isCode = (code: string, message: RegExp) => (error: unknown) =>
    error instanceof EvenerError && error.code === code && message.test(error.message);

  test("beyond loopback only with a token", async () => {
    for (const host of ["0.0.0.0", "::"]) {
      const setup = { host, port: 0, token: null, source: new FakeSource(), deadlines };
      await assert.rejects(startAdmin(setup), isCode("EVENER_ADMIN_TOKEN_REQUIRED", /set admin.token/));
    }
  });

  test("a port in use says so, and what to do", async (t) => {
    const { admin } = await setUp(t);
    const setup = { host: "127.0.0.1", port: admin.port, token: null, source: new FakeSource(), deadlines };
    const message = new RegExp(`127.0.0.1:${admin.port}: the port is in use; stop what listens there`);
    await assert.rejects(startAdmin(setup), isCode("EVENER_LISTEN_FAILED", message));
  });

  test("an address that this machine does not have says so", async () => {
    const setup = { host: "192.0.2.1", port: 0, token: TOKEN, source: new FakeSource(), deadlines };
    await assert.rejects(startAdmin(setup), isCode("EVENER_LISTEN_FAILED", /does not have that address/));
  });
});
