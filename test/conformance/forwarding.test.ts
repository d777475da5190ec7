// What Evener does to messages on their way: rules P1 to P15 of docs/internals/http-rules.md, CVE classes 6
// to 9 and 17, raw sockets on both sides.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import type { RawResponse } from "../fixtures/client.ts";
import { poolOf, type Scene, type SceneOptions, setUp, yamlOf } from "../fixtures/scene.ts";
import { acceptRequests, type AcceptedRequest, type RefusedRequest, refuseRequests } from "./tables.ts";

const H = "Host: a\r\n";
const GET = `GET / HTTP/1.1\r\n${H}`;
const POST = `POST / HTTP/1.1\r\n${H}`;

/** Rule, head, status. */
const REFUSED_REQUESTS: readonly RefusedRequest[] = [
  ["P2 Connection that is no list", `${GET}Connection: a b\r\n\r\n`, 400],
  ["P2 Connection with a parameter", `${GET}Connection: close;q=1\r\n\r\n`, 400],
  ["P2 Connection with 40 options", `${GET}Connection: ${"a,".repeat(40)}\r\n\r\n`, 400],
  ["P11 unknown expectation", `${POST}Content-Length: 5\r\nExpect: 200-ok\r\n\r\n`, 417],
];

/** Rule, head, what it must give. */
const ACCEPTED_REQUESTS: readonly AcceptedRequest[] = [
  [
    "P2 options",
    `${GET}Connection: ,Foo ,\tbar,\r\nConnection: te\r\n\r\n`,
    { connectionOptions: ["foo", "bar", "te"] },
  ],
  ["P11 expectation", `${POST}Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n`, { expectsContinue: true }],
  ["P11 expectation without a body", `${POST}Expect: 100-continue\r\n\r\n`, { expectsContinue: false }],
  [
    "P11 ignored in 1.0",
    `POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: x\r\n\r\n`,
    { expectsContinue: false },
  ],
  ["P12 upgrade", `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, { upgrade: "h2c" }],
  ["P12 upgrade that Connection does not name", `${GET}Upgrade: h2c\r\n\r\n`, { upgrade: null }],
  ["P12 upgrade in 1.0", `GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n`, { upgrade: null }],
];

refuseRequests(REFUSED_REQUESTS);
acceptRequests(ACCEPTED_REQUESTS);

const HEAD = "GET / HTTP/1.1\r\nhost: test\r\n";
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n";

/** One request through Evener: what the backend got and what the client got. */
async function forward(
  t: TestContext,
  raw: string,
  options: SceneOptions = {},
): Promise<{ request: BackendRequest; response: RawResponse; scene: Scene }> {
  const scene = await setUp(t, options);
  const client = await scene.connect();
  client.send(raw);
  const response = await client.response();
  assert.equal(scene.backend.requests.length, 1, `the backend got nothing: ${response.rawHead}`);
  return { request: scene.backend.requests[0]!, response, scene };
}

/** An answer of the backend, byte for byte, as the client gets it. */
async function answer(t: TestContext, raw: string, line = "GET / HTTP/1.1"): Promise<RawResponse> {
  const scene = await setUp(t, { handler: (request) => request.write(raw) });
  const client = await scene.connect();
  client.send(`${line}\r\nhost: test\r\n\r\n`);
  return client.response({ isHead: line.startsWith("HEAD") });
}

/** Lines of a head with that name, any case. */
function linesNamed(rawHead: string, name: string): string[] {
  return rawHead.split("\r\n").filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`));
}

/** Answers a request of which the backend must see nothing. */
async function refused(t: TestContext, raw: string, options: SceneOptions = {}): Promise<RawResponse> {
  const scene = await setUp(t, options);
  const client = await scene.connect();
  client.send(raw);
  const response = await client.response();
  assert.equal(scene.backend.requests.length, 0);
  return response;
}

describe("requests on their way to a backend", () => {
  it("P1 carry our version: HTTP/1.0 in, HTTP/1.1 out", async (t) => {
    const { request, response } = await forward(t, "GET /old HTTP/1.0\r\nhost: test\r\n\r\n");
    assert.match(request.rawHead, /^GET \/old HTTP\/1\.1\r\n/);
    assert.equal(response.version, "HTTP/1.1");
    assert.match(request.headers.get("via")!, /^1\.0 evener-/);
  });

  it("P1 S7 name a host, even when a client of HTTP/1.0 did not", async (t) => {
    const { request, scene } = await forward(t, "GET / HTTP/1.0\r\n\r\n");
    assert.deepEqual(linesNamed(request.rawHead, "host"), [`host: 127.0.0.1:${scene.backend.port}`]);
  });

  it("P2 lose the fields of the client's connection and those that Connection lists", async (t) => {
    const fields =
      "connection: x-secret , X-Other,keep-alive\r\nx-secret: 1\r\nX-OTHER: 2\r\nkeep-alive: timeout=5\r\n" +
      "proxy-connection: keep-alive\r\nte: trailers\r\nupgrade: h2c\r\nx-kept: 3\r\n";
    const { request } = await forward(t, `${HEAD}${fields}connection: x-third\r\nx-third: 4\r\n\r\n`);
    const gone = ["connection", "x-secret", "x-other", "x-third", "keep-alive", "proxy-connection", "te"];
    for (const name of [...gone, "upgrade"]) assert.equal(request.headers.get(name), undefined, name);
    assert.equal(request.headers.get("x-kept"), "3");
  });

  it("P3 can not lose by Connection what matters end to end", async (t) => {
    const listed =
      "connection: x-forwarded-for, authorization, cookie, host, content-length, x-request-id, via, traceparent," +
      " x-forwarded-proto, x-forwarded-host, cache-control, content-type, x-api-key\r\n";
    const fields =
      "authorization: Bearer a\r\ncookie: a=1\r\ncontent-length: 5\r\nx-request-id: mine\r\n" +
      "cache-control: no-store\r\ncontent-type: text/plain\r\nx-api-key: k\r\n\r\nhello";
    const raw = "POST / HTTP/1.1\r\nhost: test\r\n";
    const { request: plain } = await forward(t, raw + fields);
    const { request: attacked } = await forward(t, raw + listed + fields);
    const names = (request: BackendRequest): string[] => [...request.headers.keys()].sort();
    assert.deepEqual(names(attacked), names(plain));
    for (const name of [
      "authorization",
      "cookie",
      "content-length",
      "x-request-id",
      "x-forwarded-for",
      "host",
    ]) {
      assert.equal(attacked.headers.get(name), plain.headers.get(name), name);
    }
    assert.equal((await attacked.body()).toString(), "hello");
  });

  it("P4 get our Via behind those that are there", async (t) => {
    const { request } = await forward(t, `${HEAD}via: 1.0 fred, 1.1 proxy\r\n\r\n`);
    const lines = linesNamed(request.rawHead, "via");
    assert.equal(lines[0], "via: 1.0 fred, 1.1 proxy");
    assert.match(lines.at(-1)!, /^via: 1\.1 evener-[0-9a-f]+$/);
  });

  for (const before of ["", "via: 1.1 other\r\n", "via: 1.1 a, 1.1 b\r\nvia: 1.0 c\r\n"]) {
    it(`P4 that have been here before are a loop: 508 (${before.trim() || "no other Via"})`, async (t) => {
      const { scene, request } = await forward(t, `${HEAD}${before}\r\n`);
      const vias = linesNamed(request.rawHead, "via").join("\r\n");
      const client = await scene.connect();
      client.send(`${HEAD}${vias}\r\n\r\n`);
      const response = await client.response();
      assert.equal(response.status, 508);
      assert.match(response.headers.get("proxy-status")!, /error=proxy_loop_detected/);
      assert.equal(scene.backend.requests.length, 1);
    });
  }

  it("P5 OPTIONS with Max-Forwards: 0 ends here, larger ones count down", async (t) => {
    const scene = await setUp(t);
    const client = await scene.connect();
    client.send("OPTIONS * HTTP/1.1\r\nhost: test\r\nmax-forwards: 0\r\n\r\n");
    const local = await client.response();
    assert.equal(local.status, 204);
    assert.match(local.headers.get("allow")!, /GET/);
    assert.equal(scene.backend.requests.length, 0);
    client.send("OPTIONS /a HTTP/1.1\r\nhost: test\r\nmax-forwards: 7\r\n\r\n");
    await client.response();
    assert.equal(scene.backend.requests[0]!.headers.get("max-forwards"), "6");
    client.send(`${HEAD}\r\n`);
    await client.response();
    assert.equal(scene.backend.requests[1]!.headers.get("max-forwards"), undefined);
  });

  const targets = [
    "/v1/models/org%2Fname",
    "/a%5Cb?x=%2e%2e/..&y=a+b%20c&&=&z",
    "/A/b//c///?",
    "/%7Euser/~user/%e4%f6?q=%00",
    "/a;b=c/d,e/(f)/[g]/{h}|^`?i=[]{}\\|^`",
    "/...//.hidden/a..b/..c",
    "/?",
  ];
  for (const target of targets) {
    it(`P6 keep path and query byte for byte: ${target}`, async (t) => {
      const { request } = await forward(t, `GET ${target} HTTP/1.1\r\nhost: test\r\n\r\n`);
      assert.equal(request.target, target);
    });
  }

  it("P6 in absolute form keep all behind the authority, which becomes Host", async (t) => {
    const raw = "GET http://Real.example:81/a%2Fb?c HTTP/1.1\r\nhost: other.example\r\n\r\n";
    const { request } = await forward(t, raw);
    assert.equal(request.target, "/a%2Fb?c");
    assert.deepEqual(linesNamed(request.rawHead, "host"), ["host: real.example:81"]);
    assert.equal(request.headers.get("x-forwarded-host"), "real.example:81");
  });

  it("S9 OPTIONS in absolute form without a path becomes *", async (t) => {
    const { request } = await forward(t, "OPTIONS http://a.example HTTP/1.1\r\nhost: b\r\n\r\n");
    assert.equal(request.target, "*");
  });

  it("S16 S17 keep the order of fields, equal names and unknown fields, byte for byte", async (t) => {
    const lines = [
      "X-One:  a ",
      "x-two:b",
      "X-ONE: c",
      "x-empty:",
      "X-Latin: \xe4\xff",
      "accept: a",
      "Accept: b",
    ];
    const { request } = await forward(t, `${HEAD}${lines.join("\r\n")}\r\n\r\n`);
    const received = request.rawHead.split("\r\n");
    const from = received.indexOf(lines[0]!);
    assert.deepEqual(received.slice(from, from + lines.length), lines);
  });

  it("S8 get exactly one Host, whatever is dropped", async (t) => {
    const { request } = await forward(t, "GET / HTTP/1.1\r\nHOST: Test:80\r\nconnection: host\r\n\r\n");
    assert.deepEqual(linesNamed(request.rawHead, "host"), ["host: test:80"]);
  });

  it("P10 P12 with Upgrade to what is not allowed are served without it, body included", async (t) => {
    for (const upgrade of ["h2c", "websocket2", "TLS/1.0", "h2c, web socket", "websocket/13"]) {
      const fields = `connection: upgrade, http2-settings\r\nupgrade: ${upgrade}\r\nhttp2-settings: AA\r\n`;
      const raw = `POST / HTTP/1.1\r\nhost: test\r\n${fields}content-length: 5\r\n\r\nhello`;
      const { request, response } = await forward(t, raw);
      assert.equal(response.status, 200);
      for (const name of ["upgrade", "http2-settings", "connection"]) {
        assert.equal(request.headers.get(name), undefined, name);
      }
      assert.equal((await request.body()).toString(), "hello");
    }
  });

  it("P12 with Upgrade leave the connection usable: the next request is served", async (t) => {
    const scene = await setUp(t);
    const client = await scene.connect();
    client.send(`${HEAD}connection: upgrade\r\nupgrade: h2c\r\n\r\n`);
    assert.equal((await client.response()).status, 200);
    client.send(`${HEAD}\r\n`);
    assert.equal((await client.response()).status, 200);
    assert.equal(scene.backend.requests.length, 2);
  });

  it("F14 keep their trailers, but those that frame, route, authenticate or speak in our name", async (t) => {
    const raw =
      "POST / HTTP/1.1\r\nhost: test\r\ntrailer: x-a\r\ntransfer-encoding: chunked\r\n\r\n" +
      "5;ext=1\r\nhello\r\n0\r\nx-a: 1\r\nauthorization: evil\r\nhost: evil\r\ncontent-length: 6\r\n" +
      "x-forwarded-user: evil\r\nX_Forwarded_For: evil\r\nx-evener-backend: evil\r\n\r\n";
    const { request } = await forward(t, raw);
    assert.equal((await request.body()).toString(), "hello");
    assert.equal(request.trailers, "x-a: 1\r\n");
    assert.equal(request.headers.get("authorization"), undefined);
  });

  it("F14 keep their trailers when they are sent once more", async (t) => {
    const scene = await setUp(t, {
      count: 2,
      handler: async (request) => {
        await request.body();
        if (request.backend.name === "a") request.reset();
        else request.respond(200, "ok");
      },
    });
    for (let i = 0; i < 2; i++) {
      const client = await scene.connect();
      client.send("PUT / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
      client.send("5\r\nhello\r\n0\r\nx-a: 1\r\n\r\n");
      assert.equal((await client.response()).status, 200);
    }
    for (const backend of scene.backends) {
      assert.ok(backend.requests.length > 0);
      for (const { trailers } of backend.requests) assert.equal(trailers, "x-a: 1\r\n");
    }
  });

  it("class 17: a backend's own fields replace those of the client", async (t) => {
    const scene = await setUp(t, {
      yaml: ([backend]) => {
        const backends = [{ url: backend!.url, headers: { authorization: "Bearer ours", "x-tenant": "t1" } }];
        return yamlOf({ pools: { default: { ...poolOf([backend!]), backends } } });
      },
    });
    const client = await scene.connect();
    client.send(`${HEAD}Authorization: Bearer theirs\r\nX-Tenant: t2\r\nx-tenant: t3\r\nx-other: 1\r\n\r\n`);
    await client.response();
    const { rawHead } = scene.backend.requests[0]!;
    assert.deepEqual(linesNamed(rawHead, "authorization"), ["authorization: Bearer ours"]);
    assert.deepEqual(linesNamed(rawHead, "x-tenant"), ["x-tenant: t1"]);
    assert.deepEqual(linesNamed(rawHead, "x-other"), ["x-other: 1"]);
  });
});

describe("whom a backend may believe", () => {
  const untrusted: Readonly<Record<string, string>> = {
    "x-forwarded-for": "6.6.6.6",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil",
    "x-forwarded-port": "evil",
    "x-forwarded-prefix": "/evil",
    "x-forwarded-server": "evil",
    "x-forwarded-user": "root",
    "x-forwarded-ssl": "on",
    "x-forwarded-client-cert": "evil",
    forwarded: "for=6.6.6.6",
    "x-real-ip": "6.6.6.6",
    "x-evener-backend": "evil",
    "x-evener-anything": "evil",
  };

  it("class 8: forwarding fields of the client are dropped and ours are set", async (t) => {
    const lines = Object.entries(untrusted).map(([name, value]) => `${name}: ${value}\r\n`);
    const { request } = await forward(t, `${HEAD}${lines.join("")}${lines.join("").toUpperCase()}\r\n`);
    assert.deepEqual(linesNamed(request.rawHead, "x-forwarded-for"), ["x-forwarded-for: 127.0.0.1"]);
    assert.deepEqual(linesNamed(request.rawHead, "x-forwarded-proto"), ["x-forwarded-proto: http"]);
    assert.deepEqual(linesNamed(request.rawHead, "x-forwarded-host"), ["x-forwarded-host: test"]);
    assert.doesNotMatch(request.rawHead, /6\.6\.6\.6|evil|root/i);
    assert.equal(request.headers.get("x-forwarded-ssl"), undefined);
  });

  it("class 7: names with _ for them are dropped, in every case", async (t) => {
    const lines = Object.entries(untrusted).flatMap(([name, value]) => {
      const alias = name.replaceAll("-", "_");
      const half = name.replace("-", "_");
      return [alias, half, alias.toUpperCase()].map((each) => `${each}: ${value}\r\n`);
    });
    const aliases = lines.filter((line) => line.includes("_", 0) && line.indexOf("_") < line.indexOf(":"));
    const fields = `${aliases.join("")}x_request_id: evil\r\nX_Real-IP: evil\r\nx_harmless: 1\r\n`;
    const { request } = await forward(t, `${HEAD}${fields}\r\n`);
    assert.doesNotMatch(request.rawHead, /6\.6\.6\.6|evil|root/i);
    assert.equal(request.headers.get("x_harmless"), "1");
  });

  it("x-request-id: a harmless one is kept, any other is made anew; the client is told", async (t) => {
    const { request, response } = await forward(t, `${HEAD}x-request-id: a-b.c_1:2\r\n\r\n`);
    assert.equal(request.headers.get("x-request-id"), "a-b.c_1:2");
    assert.equal(response.headers.get("x-request-id"), "a-b.c_1:2");
    for (const bad of ["a b", 'a"b', "x".repeat(129), "\xe4", "a;b"]) {
      const it = await forward(t, `${HEAD}x-request-id: ${bad}\r\n\r\n`);
      assert.match(it.request.headers.get("x-request-id")!, /^[0-9a-f]{12}-[0-9a-z]+$/);
      assert.equal(it.response.headers.get("x-request-id"), it.request.headers.get("x-request-id"));
    }
  });

  it("traceparent: a valid one goes on, else one is made", async (t) => {
    const valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const { request } = await forward(t, `${HEAD}traceparent: ${valid}\r\ntracestate: a=b\r\n\r\n`);
    assert.deepEqual(linesNamed(request.rawHead, "traceparent"), [`traceparent: ${valid}`]);
    assert.equal(request.headers.get("tracestate"), "a=b");
    for (const bad of ["", "traceparent: nonsense\r\n", `traceparent: ${valid.replace("00-", "ff-")}\r\n`]) {
      const it = await forward(t, `${HEAD}${bad}\r\n`);
      assert.match(it.request.headers.get("traceparent")!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    }
  });
});

describe("requests that go nowhere", () => {
  it("P13 CONNECT: 405, and what follows it is not read: it may be meant for the tunnel", async (t) => {
    const scene = await setUp(t);
    const client = await scene.connect();
    client.send(`CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\n\r\n${HEAD}\r\n`);
    const response = await client.response();
    assert.equal(response.status, 405);
    assert.match(response.headers.get("allow")!, /GET/);
    assert.equal(response.headers.get("connection"), "close");
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(scene.backend.requests.length, 0);
  });

  it("P14 TRACE: 405", async (t) => {
    const response = await refused(t, "TRACE / HTTP/1.1\r\nhost: test\r\nauthorization: secret\r\n\r\n");
    assert.equal(response.status, 405);
    assert.doesNotMatch(response.body, /secret/);
  });

  const ambiguous = [
    "/a/../b",
    "/..",
    "/a/.",
    "/./a",
    "/%2e%2e/a",
    "/a/%2E./b",
    "/.%2e/b",
    "/a%00",
    "/a/%2e",
    "/a%2f..%2fb",
    "/a%5c%2e%2e%5Cb",
    "/a/..;/b",
    "/a/..;x=1/b",
    "/a/%2e%2e%3bx/b",
  ];
  for (const target of ambiguous) {
    it(`class 9: ${target} could be read in two ways: 400`, async (t) => {
      const response = await refused(t, `GET ${target} HTTP/1.1\r\nhost: test\r\n\r\n`);
      assert.equal(response.status, 400);
      assert.match(response.body, /EVENER_AMBIGUOUS_PATH/);
    });
  }

  it("class 9: the path by which a route is found is the path that is forwarded", async (t) => {
    const scene = await setUp(t, {
      count: 2,
      yaml: ([open, secret]) =>
        yamlOf({
          pools: { open: poolOf([open!]), secret: poolOf([secret!]) },
          routes: [
            { match: { path: "/open" }, pool: "open" },
            { match: { path: "/", host: "secret.example" }, pool: "secret" },
          ],
        }),
    });
    const client = await scene.connect();
    const cases: [string, string, number][] = [
      ["/open/x%2Fy", "test", 200],
      ["/open", "test", 200],
      ["/openly", "test", 404],
      ["/OPEN", "test", 404],
      ["/%6fpen", "test", 404],
      ["/open%2F", "test", 404],
      ["/", "SECRET.example:80", 200],
      ["/", "xsecret.example", 404],
      ["/", "secret.example.evil", 404],
      ["http://test/open/a", "secret.example", 200],
    ];
    for (const [target, host, status] of cases) {
      client.send(`GET ${target} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
      assert.equal((await client.response()).status, status, `${target} ${host}`);
    }
    assert.deepEqual(
      scene.backends.map(({ requests }) => requests.map(({ target }) => target)),
      [["/open/x%2Fy", "/open", "/open/a"], ["/"]],
    );
  });
});

describe("responses on their way to the client", () => {
  it("P2 lose the fields of the backend's connection and those that Connection lists", async (t) => {
    const fields =
      "connection: x-secret, keep-alive\r\nx-secret: 1\r\nkeep-alive: timeout=60\r\nproxy-connection: a\r\n" +
      "upgrade: h2\r\nx-kept: 1\r\n";
    const { headers } = await answer(t, `${OK}${fields}\r\nok`);
    for (const name of ["connection", "x-secret", "keep-alive", "proxy-connection", "upgrade"]) {
      assert.equal(headers.get(name), undefined, name);
    }
    assert.equal(headers.get("x-kept"), "1");
  });

  it("P3 can not lose by Connection what matters end to end", async (t) => {
    const fields =
      "connection: set-cookie, content-length, date, content-type, cache-control, x-request-id\r\n" +
      "set-cookie: a=1\r\ncontent-type: text/plain\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\ncache-control: no-store\r\n";
    const { headers, body } = await answer(t, `${OK}${fields}\r\nok`);
    assert.equal(headers.get("set-cookie"), "a=1");
    assert.equal(headers.get("content-type"), "text/plain");
    assert.equal(headers.get("date"), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.notEqual(headers.get("x-request-id"), undefined);
    assert.equal(body, "ok");
  });

  it("P7 are not transformed, whatever their coding", async (t) => {
    const body = "\x1f\x8b\x08\x00\xff\xfe";
    const fields = "content-encoding: gzip\r\ncache-control: no-transform\r\n";
    const response = await answer(t, `HTTP/1.1 200 OK\r\ncontent-length: 6\r\n${fields}\r\n${body}`);
    assert.equal(response.body, body);
    assert.equal(response.headers.get("content-encoding"), "gzip");
  });

  it("P8 get a Date when they have none", async (t) => {
    const { headers } = await answer(t, `${OK}\r\nok`);
    assert.ok(Math.abs(Date.parse(headers.get("date")!) - Date.now()) < 60_000);
  });

  it("S16 keep their order; Set-Cookie lines are never joined", async (t) => {
    const lines = [
      "Set-Cookie: a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
      "X-B: 2",
      "set-cookie: b=2",
      "X-b: 3",
    ];
    const { rawHead } = await answer(t, `${OK}${lines.join("\r\n")}\r\n\r\nok`);
    const received = rawHead.split("\r\n");
    const from = received.indexOf(lines[0]!);
    assert.deepEqual(received.slice(from, from + lines.length), lines);
  });

  it("S12 lose the space before a colon", async (t) => {
    const { rawHead } = await answer(t, `${OK}x-a \t: 1\r\n\r\nok`);
    assert.match(rawHead, /\r\nx-a:\s+1\r\n/);
  });

  it("class 8: what a backend says in our name is dropped", async (t) => {
    const fields =
      "x-evener-backend: evil\r\nX-Evener-Attempts: evil\r\nx-evener-other: evil\r\nx-request-id: evil\r\n";
    const { rawHead, headers } = await answer(t, `${OK}${fields}\r\nok`);
    assert.doesNotMatch(rawHead, /evil/);
    assert.match(headers.get("x-evener-backend")!, /^127\.0\.0\.1:\d+$/);
    assert.equal(headers.get("x-evener-attempts"), "1");
  });

  it("P9 are never a 421 of our own; one of the backend passes", async (t) => {
    const { status } = await answer(t, "HTTP/1.1 421 Misdirected\r\ncontent-length: 0\r\n\r\n");
    assert.equal(status, 421);
  });

  it("P10 interim responses pass, cleaned of what belongs to the connection", async (t) => {
    const early =
      "HTTP/1.1 103 Early\r\nlink: </a>\r\nconnection: x-hop\r\nx-hop: 1\r\ncontent-length: 3\r\n" +
      "x-evener-backend: evil\r\n\r\n";
    const scene = await setUp(t, { handler: (request) => request.write(`${early}${early}${OK}\r\nok`) });
    const client = await scene.connect();
    client.send(`${HEAD}\r\n`);
    for (let i = 0; i < 2; i++) {
      const interim = await client.response();
      assert.equal(interim.status, 103);
      assert.equal(interim.headers.get("link"), "</a>");
      for (const name of ["connection", "x-hop", "content-length", "x-evener-backend"]) {
        assert.equal(interim.headers.get(name), undefined, name);
      }
    }
    assert.equal((await client.response()).body, "ok");
  });

  it("P10 interim responses do not go to a client of HTTP/1.0", async (t) => {
    const early = "HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n";
    const response = await answer(t, `${early}${OK}\r\nok`, "GET / HTTP/1.0");
    assert.equal(response.status, 200);
  });

  it("P10 a 100 that nobody asked for ends here", async (t) => {
    const response = await answer(t, `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\nok`);
    assert.equal(response.status, 200);
  });

  it("P15 to HEAD have no body, and a backend that sends one is not heard again", async (t) => {
    const evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    const scene = await setUp(t, {
      handler: (request) => {
        if (request.method === "HEAD")
          request.write(`HTTP/1.1 200 OK\r\ncontent-length: ${evil.length}\r\n\r\n${evil}`);
        else request.respond(200, "good");
      },
    });
    const client = await scene.connect();
    client.send(`HEAD / HTTP/1.1\r\nhost: test\r\n\r\n${HEAD}\r\n`);
    const head = await client.response({ isHead: true });
    assert.equal(head.headers.get("content-length"), String(evil.length));
    assert.equal((await client.response()).body, "good");
    await scene.backend.requests[0]!.closed;
    assert.equal(scene.backend.used, 2);
  });

  it("P12 a 101 that nobody asked for is a 502", async (t) => {
    const response = await answer(
      t,
      "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nraw",
    );
    assert.equal(response.status, 502);
  });
});

describe("P11 Expect: 100-continue", () => {
  const expecting = "POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";

  it("goes to the backend with the head, at once; its 100 comes back, once", async (t) => {
    const scene = await setUp(t, { handler: () => {} });
    const client = await scene.connect();
    client.send(expecting);
    const request = await scene.backend.request(0);
    assert.equal(request.headers.get("expect"), "100-continue");
    assert.equal(client.receivedLength, 0);
    request.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
    assert.equal((await client.response()).status, 100);
    client.send("hello");
    assert.equal((await request.body()).toString(), "hello");
    request.respond(200, "ok");
    assert.equal((await client.response()).status, 200);
  });

  it("a final answer before the body is read closes the connection", async (t) => {
    const scene = await setUp(t, { handler: (request) => request.respond(413, "no") });
    const client = await scene.connect();
    client.send(expecting);
    const response = await client.response();
    assert.equal(response.status, 413);
    assert.equal(response.headers.get("connection"), "close");
    client.send(`hello${HEAD}\r\n`);
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(scene.backend.requests.length, 1);
  });

  it("any other expectation: 417", async (t) => {
    const raw = "POST / HTTP/1.1\r\nhost: test\r\nexpect: 200-maybe\r\ncontent-length: 5\r\n\r\nhello";
    assert.equal((await refused(t, raw)).status, 417);
  });

  it("in HTTP/1.0 it means nothing", async (t) => {
    const raw = "POST / HTTP/1.0\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\nhello";
    const { request, response } = await forward(t, raw);
    assert.equal(response.status, 200);
    assert.equal(request.headers.get("expect"), undefined);
  });
});
