// Where requests go, what goes along, and what Evener answers itself.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendHandler } from "../fixtures/backend.ts";
import { rawRequest, request } from "../fixtures/client.ts";
import { poolOf, setUp, yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const byName: BackendHandler = (request) => request.respond(200, request.backend.name);

describe("routes", () => {
  const routes = [
    { match: { path: "/" }, pool: "a" },
    { match: { path: "/v1" }, pool: "b" },
    { match: { path: "/v1", header: { "x-tier": "gold" } }, pool: "c" },
    { match: { path: "/v1/upload", method: ["PUT", "POST"] }, pool: "d" },
    { match: { host: "api.example.com" }, pool: "e" },
    { match: { host: "*.example.com", path: "/deep" }, pool: "f" },
  ];
  const cases: readonly [string, Readonly<Record<string, string>>, string][] = [
    ["GET /", {}, "a"],
    ["GET /v1", {}, "b"],
    ["GET /v1/models", {}, "b"],
    ["GET /v1?x=1", {}, "b"],
    ["GET /v10", {}, "a"],
    ["GET /v1/models", { "x-tier": "gold" }, "c"],
    ["GET /v1/models", { "X-TIER": "gold" }, "c"],
    ["GET /v1/models", { "x-tier": "golden" }, "b"],
    ["PUT /v1/upload", {}, "d"],
    ["GET /v1/upload", {}, "b"],
    ["GET /v1/upload", { "x-tier": "gold" }, "c"],
    ["GET /v1/models", { host: "api.example.com" }, "e"],
    ["GET /v1/models", { host: "API.example.com:8080" }, "e"],
    ["GET /deep/down", { host: "www.example.com" }, "f"],
    ["GET /other", { host: "www.example.com" }, "a"],
    ["GET /deep", { host: "example.com" }, "a"],
    ["GET http://api.example.com/v1", { host: "elsewhere" }, "e"],
  ];

  it("go by host, path, method and header, the most specific first", async (t) => {
    const { connect } = await setUp(t, {
      count: 6,
      handler: byName,
      yaml: (backends) =>
        yamlOf({
          pools: Object.fromEntries(backends.map((backend) => [backend.name, poolOf([backend])])),
          routes,
        }),
    });
    const client = await connect();
    for (const [line, fields, pool] of cases) {
      client.send(rawRequest(line, fields));
      const { body } = await client.response();
      assert.equal(body, pool, `${line} ${JSON.stringify(fields)}`);
    }
  });

  it("ask for labels", async (t) => {
    const { connect } = await setUp(t, {
      count: 3,
      handler: byName,
      yaml: (backends) =>
        yamlOf({
          pools: {
            default: poolOf(backends, {
              backends: backends.map(({ url, name }) => ({
                url,
                labels: { gpu: name === "b" ? "h100" : "l4" },
              })),
            }),
          },
          routes: [
            { match: { path: "/big" }, pool: "default", labels: { gpu: "h100" } },
            { match: { path: "/none" }, pool: "default", labels: { gpu: "tpu" } },
            { match: {}, pool: "default" },
          ],
        }),
    });
    const client = await connect();
    for (let i = 0; i < 4; i++) {
      client.send(rawRequest("GET /big"));
      assert.equal((await client.response()).body, "b");
    }
    client.send(rawRequest("GET /none"));
    const refused = await client.response();
    assert.equal(refused.status, 503);
    assert.match(refused.body, /EVENER_NO_ENDPOINT/);
  });

  it("that take nothing give 404, and the connection goes on", async (t) => {
    const { connect } = await setUp(t, {
      rest: { routes: [{ match: { path: "/v1" }, pool: "default" }] },
    });
    const client = await connect();
    for (let i = 0; i < 2; i++) {
      client.send(rawRequest("GET /nowhere"));
      const answer = await client.response();
      assert.equal(answer.status, 404);
      assert.equal((JSON.parse(answer.body) as { title: string }).title, "EVENER_NO_ROUTE");
    }
    client.send(rawRequest("GET /v1"));
    assert.equal((await client.response()).status, 200);
  });
});

describe("own answers", () => {
  it("have the shape of OpenAI's errors on LLM paths, else problem details", async (t) => {
    const { backend, request } = await setUp(t);
    await backend.stop();
    const llm = await request("/v1/chat/completions", { method: "POST", body: "{}" });
    assert.equal(llm.status, 502);
    assert.equal(llm.headers["content-type"], "application/json");
    const { error } = JSON.parse(llm.body) as { error: Record<string, unknown> };
    assert.deepEqual(Object.keys(error).toSorted(), ["code", "message", "param", "type"]);
    assert.equal(error.code, "EVENER_CONNECT_FAILED");
    assert.equal(error.type, "server_error");
    assert.equal(error.param, null);
    const plain = await request("/index.html");
    assert.equal(plain.status, 502);
    assert.equal(plain.headers["content-type"], "application/problem+json");
    const problem = JSON.parse(plain.body) as Record<string, unknown>;
    assert.equal(problem.title, "EVENER_CONNECT_FAILED");
    assert.equal(problem.status, 502);
    for (const answer of [llm, plain]) {
      assert.match(
        String(answer.headers["proxy-status"]),
        /^evener; error=connection_refused; details="EVENER_CONNECT_FAILED"$/,
      );
      assert.equal(answer.headers["x-evener-backend"], backend.id);
      assert.match(String(answer.headers["x-request-id"]), /./);
    }
  });

  it("to HEAD have a length and no body", async (t) => {
    const { backend, connect } = await setUp(t);
    await backend.stop();
    const client = await connect();
    client.send(rawRequest("HEAD /") + rawRequest("GET /"));
    const head = await client.response({ isHead: true });
    assert.equal(head.status, 502);
    assert.ok(Number(head.headers.get("content-length")) > 0);
    assert.equal((await client.response()).status, 502);
  });

  for (const [line, status, code] of [
    ["TRACE /", 405, "EVENER_METHOD_REFUSED"],
    ["GET /a/../b", 400, "EVENER_AMBIGUOUS_PATH"],
    ["GET /a/%2e%2E/b", 400, "EVENER_AMBIGUOUS_PATH"],
    ["GET /%00", 400, "EVENER_AMBIGUOUS_PATH"],
  ] as const) {
    it(`refuse ${line}`, async (t) => {
      const { backend, connect } = await setUp(t);
      const client = await connect();
      client.send(rawRequest(line));
      const answer = await client.response();
      assert.equal(answer.status, status);
      assert.match(answer.body, new RegExp(code));
      assert.equal(backend.requests.length, 0);
    });
  }

  it("refuse what came through Evener before", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(rawRequest("GET /"));
    await client.response();
    client.send(rawRequest("GET /", { via: `1.1 other, ${backend.requests[0]!.headers.get("via")!}` }));
    const answer = await client.response();
    assert.equal(answer.status, 508);
    assert.match(answer.headers.get("proxy-status")!, /proxy_loop_detected/);
    assert.equal(backend.requests.length, 1);
  });
});

describe("ids", () => {
  it("x-request-id is passed on and told; made where there is none or a dangerous one", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    client.send(rawRequest("GET /", { "x-request-id": "mine-1.2:3" }));
    assert.equal((await client.response()).headers.get("x-request-id"), "mine-1.2:3");
    assert.equal(backend.requests[0]!.headers.get("x-request-id"), "mine-1.2:3");
    const made = new Set<string>();
    for (const given of [undefined, 'bad"quote', "x".repeat(200), "semi;colon"]) {
      client.send(rawRequest("GET /", given === undefined ? {} : { "x-request-id": given }));
      const id = (await client.response()).headers.get("x-request-id")!;
      assert.match(id, /^[\w-]{8,64}$/);
      assert.equal(backend.requests.at(-1)!.headers.get("x-request-id"), id);
      made.add(id);
    }
    assert.equal(made.size, 4);
  });

  it("traceparent is passed on; made where there is none or a wrong one", async (t) => {
    const { backend, connect } = await setUp(t);
    const client = await connect();
    const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    client.send(rawRequest("GET /", { traceparent: good, tracestate: "a=b" }));
    await client.response();
    assert.equal(backend.requests[0]!.headers.get("traceparent"), good);
    assert.equal(backend.requests[0]!.headers.get("tracestate"), "a=b");
    for (const given of [undefined, `00-${"0".repeat(32)}-b7ad6b7169203331-01`, "nonsense"]) {
      client.send(rawRequest("GET /", given === undefined ? {} : { traceparent: given }));
      await client.response();
      const made = backend.requests.at(-1)!.headers.get("traceparent")!;
      assert.match(made, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
      assert.notEqual(made, given);
    }
  });

  it("answers say which backend, why, at which attempt", async (t) => {
    const { backend, request } = await setUp(t, {
      handler: (asked) => asked.respond(200, "", { "x-evener-backend": "a lie", "x-request-id": "a lie" }),
    });
    const { headers } = await request("/");
    assert.equal(headers["x-evener-backend"], backend.id);
    assert.equal(headers["x-evener-attempts"], "1");
    assert.equal(headers["x-evener-queue-ms"], "0");
    assert.equal(headers["x-evener-reason"], "policy");
    assert.notEqual(headers["x-request-id"], "a lie");
  });
});

describe("limits on clients", () => {
  it("a body that says it is too large is refused at once: 413", async (t) => {
    const { backend, connect } = await setUp(t, { rest: { limits: { body_bytes: "1KiB" } } });
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1025\r\n\r\n");
    const answer = await client.response();
    assert.equal(answer.status, 413);
    assert.match(answer.body, /EVENER_BODY_TOO_LARGE/);
    assert.equal(answer.headers.get("connection"), "close");
    assert.equal(backend.requests.length, 0);
  });

  it("a chunked body that becomes too large: 413, and the backend sees no complete request", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: () => {},
      rest: { limits: { body_bytes: "1KiB" } },
    });
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    const request = await backend.request(0);
    for (let i = 0; i < 5; i++) client.send(`100\r\n${"x".repeat(256)}\r\n`);
    assert.equal((await client.response()).status, 413);
    await request.closed;
    assert.equal(request.isBodyDone, false);
    await evener.idle();
  });

  it("a body of just that size is passed on", async (t) => {
    const { backend, request } = await setUp(t, {
      handler: async (asked) => asked.respond(200, String((await asked.body()).length)),
      rest: { limits: { body_bytes: "1KiB" } },
    });
    assert.equal((await request("/", { method: "POST", body: "x".repeat(1024) })).body, "1024");
    assert.equal(backend.requests.length, 1);
  });

  it("the refusal of a large upload reaches a client that is still sending", async (t) => {
    const { evener } = await setUp(t, { rest: { limits: { body_bytes: "64KiB" } } });
    const body = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < 5; i++) {
      const answer = await request(evener.port, "/", { method: "POST", body });
      assert.equal(answer.status, 413);
      assert.match(answer.body, /EVENER_BODY_TOO_LARGE/);
    }
    await until(() => evener.server.connections === 0, "no connection");
  });

  it("more connections than allowed are told 503; there is room again when one closes", async (t) => {
    const { evener, connect } = await setUp(t, { rest: { limits: { connections: 2 } } });
    const first = await connect();
    const second = await connect();
    await until(() => evener.server.connections === 2, "two connections");
    const third = await connect();
    third.send(rawRequest("GET /"));
    const refused = await third.response();
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.match(refused.headers.get("proxy-status")!, /connection_limit_reached/);
    await third.closed();
    first.destroy();
    await until(() => evener.server.connections === 1, "room");
    const fourth = await connect();
    fourth.send(rawRequest("GET /"));
    assert.equal((await fourth.response()).status, 200);
    second.send(rawRequest("GET /"));
    assert.equal((await second.response()).status, 200);
  });

  it("a head that drips in too slowly is answered 408", async (t) => {
    const { connect } = await setUp(t, { rest: { limits: { header_timeout: "100ms" } } });
    const client = await connect();
    client.send("GET / HTTP/1.1\r\nho");
    const answer = await client.response();
    assert.equal(answer.status, 408);
    assert.match(answer.body, /EVENER_HEADER_TIMEOUT/);
    await client.closed();
  });

  it("a body that stops is not waited for", async (t) => {
    const { evener, backend, connect } = await setUp(t, {
      handler: () => {},
      rest: { limits: { body_progress: "100ms" } },
    });
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf");
    const request = await backend.request(0);
    await client.closed();
    await request.closed;
    await evener.idle();
  });

  it("an unused connection is closed, one that waits for its answer is not", async (t) => {
    const { backend, connect } = await setUp(t, {
      handler: () => {},
      rest: { limits: { keep_alive: "100ms" } },
    });
    const waiting = await connect();
    waiting.send(rawRequest("GET /"));
    const request = await backend.request(0);
    const unused = await connect();
    unused.send(rawRequest("GET /"));
    (await backend.request(1)).respond(200);
    await unused.response();
    await unused.closed();
    request.respond(200, "late");
    assert.equal((await waiting.response()).body, "late");
  });

  it("an unused connection is closed also after an answer that its client took its time to read", async (t) => {
    const size = 16 * 1024 * 1024;
    const { connect } = await setUp(t, {
      handler: (request) => request.respond(200, "x".repeat(size)),
      rest: { limits: { keep_alive: "100ms" } },
    });
    const client = await connect();
    client.socket.pause();
    client.send(rawRequest("GET /"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.socket.resume();
    assert.equal((await client.response()).body.length, size);
    await client.closed();
  });
});
