// One JSON line for every request, however it ended.
import assert from "node:assert/strict";
import { readFileSync, renameSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { rawRequest, request } from "../fixtures/client.ts";
import { configOf, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

describe("the access log", () => {
  it("says of an answered request who, what, where, why, how long and how much", async (t) => {
    const { evener, backend } = await setUp(t, {
      handler: async (asked) => {
        await asked.body();
        asked.respond(201, "created");
      },
    });
    await request(evener.port, "/things?page=2", {
      method: "POST",
      body: "12345",
      headers: {
        "x-request-id": "full",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      },
    });
    const line = await evener.logged(({ id }) => id === "full");
    const { time, queue_ms, connect_ms, first_byte_ms, total_ms, ...rest } = line;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(queue_ms, null);
    for (const ms of [connect_ms, first_byte_ms, total_ms]) assert.ok(typeof ms === "number" && ms >= 0);
    assert.ok((first_byte_ms as number) <= (total_ms as number));
    assert.deepEqual(rest, {
      id: "full",
      trace: "0af7651916cd43dd8448eb211c80319c",
      client: "127.0.0.1",
      method: "POST",
      host: `127.0.0.1:${evener.port}`,
      target: "/things?page=2",
      route: "/",
      pool: "default",
      backend: backend.id,
      why: "policy",
      attempts: 1,
      status: 201,
      reason: "ok",
      bytes_in: 5,
      bytes_out: 7,
    });
  });

  it("names the attempts that failed before", async (t) => {
    const { evener, backends } = await setUp(t, {
      count: 3,
      handler: (asked) => {
        if (asked.backend.name === "a") asked.reset();
        else asked.respond(asked.backend.name === "b" ? 503 : 200, asked.backend.name);
      },
      pool: { retry: { attempts: 3, backoff: "1ms" } },
    });
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        request(evener.port, "/", { headers: { "x-request-id": `r${i}` } }),
      ),
    );
    assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(["c"]));
    for (let i = 0; i < 6; i++) await evener.logged(({ id }) => id === `r${i}`);
    const failures = new Set(evener.log.map(({ failed }) => failed));
    const [a, b] = backends.map(({ id }) => id);
    assert.ok(failures.has(`${a}:backend_reset ${b}:503`) || failures.has(`${b}:503 ${a}:backend_reset`));
    for (const { attempts, failed, backend } of evener.log) {
      assert.equal(attempts, 1 + (failed === undefined ? 0 : failed.split(" ").length));
      assert.equal(backend, backends[2]!.id);
    }
  });

  it("keeps secrets out", async (t) => {
    const { evener, backend } = await setUp(t);
    const secrets =
      "/x?api_key=hidden1&page=2&Access_Token=hidden2&sig=hidden3&q=shown&password=hidden4&key=hidden5&auth=";
    await request(evener.port, secrets, {
      headers: { "x-request-id": "s", authorization: "Bearer hidden6" },
    });
    const line = await evener.logged(({ id }) => id === "s");
    assert.doesNotMatch(JSON.stringify(line), /hidden/);
    assert.match(line.target, /page=2/);
    assert.match(line.target, /q=shown/);
    assert.match(line.target, /api_key=\*\*\*/);
    assert.equal(backend.requests[0]!.target, secrets, "the backend gets all of it");
  });

  it("has a line for what was refused, too", async (t) => {
    const { evener, connect } = await setUp(t, {
      rest: { routes: [{ match: { path: "/v1" }, pool: "default" }] },
    });
    await request(evener.port, "/nowhere", { headers: { "x-request-id": "lost" } });
    const lost = await evener.logged(({ id }) => id === "lost");
    assert.equal(lost.status, 404);
    assert.equal(lost.reason, "no_route");
    assert.equal(lost.backend, "");
    assert.equal(lost.attempts, 0);
    const client = await connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    assert.equal((await client.response()).status, 400);
    const bad = await evener.logged(({ reason }) => reason === "bad_request");
    assert.equal(bad.status, 400);
    assert.equal(bad.bytes_in, 0);
  });

  it("is valid JSON whatever clients send", async (t) => {
    const { evener, connect } = await setUp(t);
    const client = await connect();
    client.send('GET /a"b\\c?d=\x7c HTTP/1.1\r\nhost: test\r\nuser-agent: "\\\r\nx-request-id: j\r\n\r\n');
    const answer = await client.response();
    assert.ok(answer.status === 200 || answer.status === 400);
    const line = await evener.logged(({ status }) => status === answer.status);
    if (answer.status === 200) assert.equal(line.target, '/a"b\\c?d=|');
  });

  it("goes on in a new file after the old one was moved away", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "evener-log-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "access.log");
    const { evener } = await setUp(t, { yaml: (backends) => configOf(backends, {}, { access_log: path }) });
    const lines = (file: string): string[] =>
      readFileSync(join(folder, file), "utf8").split("\n").filter(Boolean);
    await request(evener.port, "/1");
    await until(() => lines("access.log").length === 1, "the first line");
    renameSync(path, join(folder, "access.log.1"));
    evener.server.reopenLogs();
    await request(evener.port, "/2");
    await until(() => lines("access.log").length === 1, "the second line");
    assert.equal(lines("access.log.1").length, 1);
  });

  it("has a line for each of pipelined requests, in order", async (t) => {
    const { evener, connect } = await setUp(t);
    const client = await connect();
    client.send(Array.from({ length: 20 }, (_, i) => rawRequest(`GET /${i}`)).join(""));
    for (let i = 0; i < 20; i++) await client.response();
    await until(() => evener.log.length === 20, "20 lines");
    assert.deepEqual(
      evener.log.map(({ target }) => target),
      Array.from({ length: 20 }, (_, i) => `/${i}`),
    );
  });
});
