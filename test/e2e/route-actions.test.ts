// What routes do to requests and answers, seen from both sides.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { type RawClient, type RawResponse, rawRequest } from "../fixtures/client.ts";
import { poolOf, type Scene, setUp, yamlOf } from "../fixtures/scene.ts";

type Keys = Readonly<Record<string, unknown>>;

/** One backend a pool: "default", then a, b, ... where there are more. */
async function withRoutes(
  t: TestContext,
  routes: readonly Keys[],
  pool: Keys = {},
  rest: Keys = {},
): Promise<Scene> {
  return setUp(t, { pool, rest: { routes, ...rest } });
}

async function ask(client: RawClient, text: string, isHead = false): Promise<RawResponse> {
  client.send(text);
  return client.response({ isHead });
}

/** Names of field lines, as they came. */
function namesOf(rawHead: string): string[] {
  return rawHead
    .split("\r\n")
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(":")));
}

describe("a body that nobody wants", () => {
  const routes: readonly Keys[] = [
    { match: { path: "/answer" }, answer: { body: "fixed" } },
    { match: { path: "/moved" }, redirect: { path: "/new", status: 308 } },
    { match: { path: "/" }, pool: "default" },
  ];
  const post = (path: string, bodyBytes: number, more = ""): string =>
    `POST ${path} HTTP/1.1\r\nhost: test\r\n${more}content-length: ${bodyBytes}\r\n\r\n`;

  for (const [path, status] of [
    ["/answer", 200],
    ["/moved", 308],
  ] as const) {
    for (const bodyBytes of [0, 5, 64 * 1024]) {
      it(`${path} of ${bodyBytes} bytes, at once or later: the connection stays`, async (t) => {
        const { backend, connect, evener } = await withRoutes(t, routes);
        const client = await connect();
        const body = "b".repeat(bodyBytes);
        for (let i = 0; i < 3; i++) {
          const response = await ask(client, post(path, bodyBytes) + body);
          assert.equal(response.status, status);
          assert.equal(response.headers.get("connection"), undefined);
        }
        assert.equal((await ask(client, post(path, bodyBytes))).status, status);
        for (let at = 0; at < bodyBytes; at += 20_000) {
          client.send(body.slice(at, at + 20_000));
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal((await ask(client, rawRequest("GET /next"))).body, "hello from a");
        assert.equal((await ask(client, `${post(path, bodyBytes)}${body}`)).status, status);
        client.send(`${post(path, bodyBytes)}${body}${rawRequest("GET /pipelined")}`);
        assert.equal((await client.response()).status, status);
        assert.equal((await client.response()).body, "hello from a");
        assert.equal(backend.requests.length, 2);
        assert.equal(evener.server.connections, 1);
      });
    }
  }

  for (const [what, head, body] of [
    ["a large one", post("/answer", 64 * 1024 + 1), "b"],
    ["one that waits to be asked for", post("/answer", 5, "expect: 100-continue\r\n"), ""],
    [
      "one of unknown length",
      post("/answer", 5).replace(/content-length.*\r\n\r/, "transfer-encoding: chunked\r\n\r"),
      "",
    ],
    ["one behind an offer", post("/answer", 5, "connection: upgrade\r\nupgrade: websocket\r\n"), "12345"],
  ] as const) {
    it(`${what}: said and closed, and what follows is no request`, async (t) => {
      const { backend, connect } = await withRoutes(t, routes);
      const client = await connect();
      const response = await ask(client, head + body);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("connection"), "close");
      client.send(rawRequest("GET /next"));
      await client.closed();
      assert.equal(client.received, "");
      assert.equal(client.error, null);
      assert.equal(backend.requests.length, 0);
    });
  }

  it("one that does not come: the connection closes after 5 seconds, in peace", async (t) => {
    const { connect } = await withRoutes(t, routes);
    const client = await connect();
    assert.equal((await ask(client, post("/answer", 5))).status, 200);
    const beganMs = performance.now();
    // A byte now and then gives no more time.
    const drip = setInterval(() => client.send("b"), 1_500);
    t.after(() => clearInterval(drip));
    await client.closed();
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs >= 4_900 && tookMs < 8_000, `${tookMs} ms`);
    assert.equal(client.error, null);
  });
});

describe("rewrite", () => {
  const strip = { match: { path: "/api" }, pool: "default", rewrite: { strip_prefix: "/api" } };
  const replace = {
    match: { path: "/old" },
    pool: "default",
    rewrite: { replace_prefix: { from: "/old/v1", to: "/new" } },
  };
  const add = {
    match: { path: "/" },
    pool: "default",
    rewrite: { replace_prefix: { from: "/", to: "/all/" } },
  };
  const cases: readonly [string, string][] = [
    ["/api", "/"],
    ["/api?q=/api", "/?q=/api"],
    ["/api/", "/"],
    ["/api/v1/models", "/v1/models"],
    ["/api/api/x", "/api/x"],
    ["/api/org%2Fname;v=1/a+b?x=%20&y=[1]", "/org%2Fname;v=1/a+b?x=%20&y=[1]"],
    ["/api/a//b/", "/a//b/"],
    ["/apix", "/all/apix"],
    ["/old/v1/x", "/new/x"],
    ["/old/v1", "/new"],
    ["/old/v10", "/old/v10"],
    ["/old/v2/x", "/old/v2/x"],
    ["/", "/all/"],
    ["/?a", "/all/?a"],
    ["http://test/api/x?y", "/x?y"],
  ];

  it("takes whole segments off the path, and leaves the rest byte for byte", async (t) => {
    const { connect, backend } = await withRoutes(t, [strip, replace, add]);
    const client = await connect();
    for (const [asked, expected] of cases) {
      assert.equal((await ask(client, rawRequest(`GET ${asked}`))).status, 200, asked);
      assert.equal(backend.requests.at(-1)!.target, expected, asked);
    }
  });

  it("says what was taken off; a client can not", async (t) => {
    const { connect, backend } = await withRoutes(t, [strip, replace]);
    const client = await connect();
    const lie = { "x-forwarded-prefix": "/lie" };
    await ask(client, rawRequest("GET /api/x", lie));
    assert.equal(backend.requests.at(-1)!.headers.get("x-forwarded-prefix"), "/api");
    await ask(client, rawRequest("GET /old/v1/x", lie));
    assert.equal(backend.requests.at(-1)!.headers.get("x-forwarded-prefix"), undefined);
  });

  it("never makes a path that can be read in two ways", async (t) => {
    const { connect, backend } = await withRoutes(t, [strip]);
    const client = await connect();
    for (const path of [
      "/api//evil.example/x",
      "/api/../x",
      "/api/%2e%2e/x",
      "/api/..;/x",
      "/api/.",
      "/api/%00",
    ]) {
      const answer = await ask(client, rawRequest(`GET ${path}`));
      assert.equal(answer.status, 400, path);
      assert.match(answer.body, /EVENER_AMBIGUOUS_PATH/, path);
    }
    assert.equal(backend.requests.length, 0);
  });

  it("sets the host, and tells the client's", async (t) => {
    const { connect, backend } = await withRoutes(t, [
      { pool: "default", rewrite: { host: "Inner.test:81" } },
    ]);
    const client = await connect();
    await ask(client, rawRequest("GET /", { host: "outer.test" }));
    const { headers } = backend.requests.at(-1)!;
    assert.equal(headers.get("host"), "inner.test:81");
    assert.equal(headers.get("x-forwarded-host"), "outer.test");
  });

  it("lets a generation be sent again by the path that backends see", async (t) => {
    let count = 0;
    const handler = (request: BackendRequest): void => {
      if (count++ === 0) request.reset();
      else request.respond(200, "second");
    };
    const { connect } = await setUp(t, { count: 2, handler, rest: { routes: [strip] } });
    const client = await connect();
    const answer = await ask(client, rawRequest("POST /api/v1/chat/completions", {}, "{}"));
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("x-evener-attempts"), "2");
  });
});

describe("request_headers", () => {
  const route = {
    pool: "default",
    request_headers: {
      set: { "X-Tenant": "gold", authorization: "Bearer ours", "x-odd_name": "1" },
      add: { accept: "text/plain" },
      remove: ["X-Debug", "cookie", "user-agent"],
    },
  };

  it("sets, adds and removes, in any case and in the disguise of underscores", async (t) => {
    const { connect, backend } = await withRoutes(t, [route]);
    const client = await connect();
    await ask(
      client,
      "GET / HTTP/1.1\r\nHost: test\r\nx-tenant: iron\r\nX_TENANT: iron\r\nx-tenant: lead\r\nX-Odd-Name: 2\r\n" +
        "Authorization: Bearer theirs\r\nAccept: text/html\r\nx-debug: 1\r\nX_Debug: 1\r\nCookie: a=1\r\n" +
        "User-Agent: me\r\nX-Kept: yes\r\n\r\n",
    );
    const { headers, rawHead } = backend.requests[0]!;
    assert.equal(headers.get("x-tenant"), "gold");
    assert.equal(headers.get("authorization"), "Bearer ours");
    assert.equal(headers.get("x-odd_name"), "1");
    assert.equal(headers.get("accept"), "text/html, text/plain");
    assert.equal(headers.get("x-kept"), "yes");
    const names = namesOf(rawHead).map((name) => name.toLowerCase());
    for (const gone of ["x_tenant", "x-debug", "x_debug", "cookie", "user-agent", "x-odd-name"]) {
      assert.ok(!names.includes(gone), `${gone} in ${names.join(" ")}`);
    }
  });

  it("can not be taken away by a Connection option (P3)", async (t) => {
    const { connect, backend } = await withRoutes(t, [route]);
    const client = await connect();
    await ask(
      client,
      rawRequest("GET /", { connection: "x-tenant, x-odd_name, authorization, x-hop", "x-hop": "1" }),
    );
    const { headers } = backend.requests[0]!;
    assert.equal(headers.get("x-tenant"), "gold");
    assert.equal(headers.get("authorization"), "Bearer ours");
    assert.equal(headers.get("x-hop"), undefined);
  });

  it("leave framing alone: a chunked body arrives whole", async (t) => {
    const { connect, backend } = await withRoutes(t, [route]);
    const client = await connect();
    const chunks = "5\r\nhello\r\n0\r\n\r\n";
    await ask(client, `POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n${chunks}`);
    assert.equal((await backend.requests[0]!.body()).toString(), "hello");
  });
});

describe("response_headers", () => {
  const route = {
    pool: "default",
    response_headers: {
      set: { "Cache-Control": "no-store", "content-type": "text/plain", "x-frame-options": "DENY" },
      add: { "set-cookie": "b=2" },
      remove: ["server", "X-Powered-By"],
    },
  };

  it("hold for answers of backends", async (t) => {
    const { connect, backend } = await withRoutes(t, [route]);
    backend.handler = (request): void =>
      request.respond(200, "hi", {
        Server: "x",
        "x-powered-by": "y",
        "cache-control": "public",
        "Content-Type": "text/html",
        "Set-Cookie": "a=1",
      });
    const client = await connect();
    const { headers, rawHead, body } = await ask(client, rawRequest("GET /"));
    assert.equal(body, "hi");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("content-type"), "text/plain");
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.match(rawHead, /\r\nSet-Cookie: a=1\r\n[^]*\r\nset-cookie: b=2\r\n/);
    assert.equal(headers.get("server"), undefined);
    assert.equal(headers.get("x-powered-by"), undefined);
  });

  it("hold for own errors, without two of one kind", async (t) => {
    const { connect, backend } = await withRoutes(t, [route]);
    await backend.stop();
    const client = await connect();
    const { status, headers } = await ask(client, rawRequest("GET /"));
    assert.equal(status, 502);
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.equal(headers.get("content-type"), "application/problem+json");
  });
});

describe("redirect", () => {
  const to = (path: string, redirect: Keys): Keys => ({ match: { path }, redirect });
  const routes = [
    to("/scheme", { scheme: "https" }),
    to("/host", { host: "other.test:8443", status: 301 }),
    to("/both", { scheme: "https", host: "other.test", status: 303 }),
    to("/path", { path: "/there", status: 307 }),
    to("/strip", { strip_prefix: "/strip", status: 308 }),
    to("/replace", { replace_prefix: { from: "/replace/a", to: "/b/" }, host: "other.test" }),
    {
      match: { path: "/headers" },
      redirect: { path: "/x" },
      response_headers: { set: { "x-a": "1", location: "/y" } },
    },
  ];
  const cases: readonly [string, number, string][] = [
    ["/scheme/a?b=c", 302, "https://test/scheme/a?b=c"],
    ["/host/a%2Fb?", 301, "//other.test:8443/host/a%2Fb?"],
    ["/both", 303, "https://other.test/both"],
    ["/path/a?b", 307, "/there?b"],
    ["/strip", 308, "/"],
    ["/strip/a/b?c", 308, "/a/b?c"],
    ["/replace/a/c", 302, "//other.test/b/c"],
    ["/replace/b", 302, "//other.test/replace/b"],
    ["/headers", 302, "/x"],
  ];

  it("keeps what is not replaced, and asks no backend", async (t) => {
    const { connect, backend, evener } = await withRoutes(t, routes);
    const client = await connect();
    for (const [asked, status, location] of cases) {
      const answer = await ask(client, rawRequest(`GET ${asked}`, { host: "test:8080" }));
      assert.equal(answer.status, status, asked);
      assert.equal(answer.headers.get("location"), location, asked);
      assert.equal(answer.headers.get("content-length"), "0", asked);
    }
    assert.equal(backend.requests.length, 0);
    const line = await evener.logged(({ target }) => target === "/both");
    assert.deepEqual([line.route, line.reason, line.pool, line.backend], ["/both", "local", "", ""]);
  });

  it("does not lead to another host than it says (open redirect)", async (t) => {
    const { connect } = await withRoutes(t, [
      to("/strip", { strip_prefix: "/strip" }),
      { redirect: { replace_prefix: { from: "/a", to: "/b" } } },
    ]);
    const client = await connect();
    const refused = await ask(client, rawRequest("GET /strip//evil.test/"));
    assert.equal(refused.status, 400);
    const kept = await ask(client, rawRequest("GET //evil.test/", { host: "good.test" }));
    assert.equal(kept.headers.get("location"), "//good.test//evil.test/");
  });

  it("without a Host where one is needed is refused", async (t) => {
    const { connect } = await withRoutes(t, routes);
    const client = await connect();
    const answer = await ask(client, "GET /scheme HTTP/1.0\r\n\r\n");
    assert.equal(answer.status, 400);
    assert.match(answer.body, /EVENER_BAD_REQUEST.*Host/);
  });

  it("adds headers, and no second Location", async (t) => {
    const { connect } = await withRoutes(t, routes);
    const client = await connect();
    const { headers, rawHead } = await ask(client, rawRequest("GET /headers"));
    assert.equal(headers.get("x-a"), "1");
    assert.equal(rawHead.match(/location/gi)!.length, 1);
  });
});

describe("answer", () => {
  const routes = [
    { match: { path: { exact: "/ping" } }, answer: { body: "pöng" } },
    {
      match: { path: "/gone" },
      answer: { status: 410, headers: { "Content-Type": "application/json", "X-A": "1" }, body: "{}" },
    },
    { match: { path: "/empty" }, answer: { status: 204 } },
    { pool: "default" },
  ];

  it("is given without a backend, pipelined and in order", async (t) => {
    const { connect, backend, evener } = await withRoutes(t, routes);
    const client = await connect();
    client.send(["/ping", "/", "/gone", "/empty", "/ping"].map((path) => rawRequest(`GET ${path}`)).join(""));
    const ping = await client.response();
    assert.deepEqual([ping.status, Buffer.from(ping.body, "latin1").toString()], [200, "pöng"]);
    assert.equal(ping.headers.get("content-length"), "5");
    assert.equal(ping.headers.get("content-type"), "text/plain; charset=utf-8");
    assert.match(String(ping.headers.get("x-request-id")), /./);
    assert.equal((await client.response()).body, "hello from a");
    const gone = await client.response();
    assert.deepEqual([gone.status, gone.body, gone.headers.get("x-a")], [410, "{}", "1"]);
    assert.equal(gone.headers.get("content-type"), "application/json");
    const empty = await client.response();
    assert.deepEqual([empty.status, empty.headers.get("content-length")], [204, undefined]);
    assert.equal((await client.response()).status, 200);
    assert.equal(backend.requests.length, 1);
    const line = await evener.logged(({ target }) => target === "/gone");
    assert.deepEqual([line.route, line.reason, line.status], ["/gone", "local", 410]);
    assert.equal(evener.server.counts().answeredLocally, 4);
  });

  it("to HEAD has a length and no body; to a request with a body it comes at once", async (t) => {
    const { connect } = await withRoutes(t, routes);
    const client = await connect();
    const head = await ask(client, rawRequest("HEAD /ping"), true);
    assert.equal(head.headers.get("content-length"), "5");
    const early = await ask(client, "POST /ping HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\n12345");
    assert.equal(early.status, 200);
    assert.equal(early.headers.get("connection"), undefined);
    assert.equal((await ask(client, `67890${rawRequest("GET /ping")}`)).status, 200);
  });
});

describe("a route's own limits", () => {
  it("body_max holds before the body comes, and in the middle of one without a length", async (t) => {
    const { connect, backend } = await withRoutes(
      t,
      [
        { match: { path: "/small" }, pool: "default", body_max: 10 },
        { match: { path: "/any" }, pool: "default", body_max: 0 },
        { pool: "default" },
      ],
      {},
      { limits: { body_bytes: 20 } },
    );
    const body = "x".repeat(15);
    const chunked = (path: string): string => {
      return `POST ${path} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nf\r\n${body}\r\n0\r\n\r\n`;
    };
    const statuses: number[] = [];
    for (const text of [
      rawRequest("POST /small", {}, body),
      chunked("/small"),
      rawRequest("POST /other", {}, body),
      rawRequest("POST /other", {}, `${body}${body}`),
      rawRequest("POST /any", {}, `${body}${body}`),
    ]) {
      const client = await connect();
      statuses.push((await ask(client, text)).status);
    }
    assert.deepEqual(statuses, [413, 413, 200, 413, 200]);
    assert.deepEqual(
      backend.requests.filter(({ isBodyDone }) => isBodyDone).map(({ target }) => target),
      ["/other", "/any"],
    );
  });

  it("timeouts are the route's where it has some", async (t) => {
    const { connect, backend } = await withRoutes(
      t,
      [
        { match: { path: "/quick" }, pool: "default", timeouts: { first_byte: "50ms" } },
        { match: { path: "/still" }, pool: "default", timeouts: { idle: "50ms" } },
        { pool: "default" },
      ],
      { retry: "off" },
    );
    backend.handler = (request): void => {
      if (request.target === "/still") request.head(200, { "content-length": "5" });
      else if (request.target === "/") setTimeout(() => request.respond(200, "late"), 600);
    };
    const [quick, still, patient] = await Promise.all([connect(), connect(), connect()]);
    patient.send(rawRequest("GET /"));
    assert.equal((await ask(quick, rawRequest("GET /quick"))).status, 504);
    still.send(rawRequest("GET /still"));
    await still.closed();
    assert.equal((await patient.response()).body, "late");
  });

  it("retries are the route's where it says so", async (t) => {
    const { connect, backends } = await setUp(t, {
      count: 3,
      handler: (request) => request.respond(request.target === "/odd" ? 500 : 503),
      pool: { retry: { attempts: 2, budget: "100%", budget_min_per_second: 100 } },
      rest: {
        routes: [
          { match: { path: "/off" }, pool: "default", retry: "off" },
          { match: { path: "/three" }, pool: "default", retry: { attempts: 3 } },
          { match: { path: "/odd" }, pool: "default", retry: { on: [500] } },
          { pool: "default" },
        ],
      },
    });
    const client = await connect();
    const attempts: (string | undefined)[] = [];
    for (const path of ["/off", "/three", "/odd", "/"]) {
      attempts.push((await ask(client, rawRequest(`GET ${path}`))).headers.get("x-evener-attempts"));
    }
    assert.deepEqual(attempts, ["1", "3", "2", "2"]);
    assert.equal(
      backends.reduce((sum, { requests }) => sum + requests.length, 0),
      8,
    );
  });
});

describe("split", () => {
  it("spreads requests over pools, and keeps a session in its own", async (t) => {
    const scene = await setUp(t, {
      count: 2,
      handler: (request) => request.respond(200, request.backend.name),
      yaml: ([a, b]) =>
        yamlOf({
          pools: { a: poolOf([a!], { session: "cookie" }), b: poolOf([b!], { session: "cookie" }) },
          routes: [{ split: { a: 1, b: 1 } }],
        }),
    });
    const client = await scene.connect();
    const seen = new Map<string, string>();
    for (let i = 0; i < 200 && seen.size < 2; i++) {
      const answer = await ask(client, rawRequest("GET /"));
      seen.set(answer.body, /^[^;]+/.exec(answer.headers.get("set-cookie")!)![0]);
    }
    assert.deepEqual([...seen.keys()].toSorted(), ["a", "b"]);
    for (let i = 0; i < 20; i++) {
      for (const [pool, cookie] of seen) {
        const answer = await ask(client, rawRequest("GET /", { cookie }));
        assert.equal(answer.body, pool);
        assert.equal(answer.headers.get("set-cookie"), undefined);
      }
    }
    assert.ok(
      scene.backends.every(({ requests }) => requests.every(({ headers }) => !headers.has("cookie"))),
    );
    const line = await scene.evener.logged(({ pool }) => pool === "b");
    assert.equal(line.route, "/");
  });
});
