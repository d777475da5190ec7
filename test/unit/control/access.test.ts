import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { AccessRule } from "../../../src/control/access.ts";
import { isLoopback } from "../../../src/core/kit/ip-address.ts";
import { EvenerError } from "../../../src/errors.ts";
import { headOf } from "../admin/fake-source.ts";

const PORT = 9901;
const TOKEN = "8f3b2c-correct-horse";
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString("base64")}`;

function statusOf(rule: AccessRule, lines: string[], isPublic = false): number {
  return rule.check(headOf(...lines), PORT, isPublic)?.status ?? 200;
}

describe("with a token", () => {
  const rule = new AccessRule("admin", "0.0.0.0", TOKEN);
  const cases: [string, string | null, number][] = [
    ["the token", `Bearer ${TOKEN}`, 200],
    ["the scheme in any case", `bearer ${TOKEN}`, 200],
    ["the token as password", basic(`anybody:${TOKEN}`), 200],
    ["the token as password without a user", basic(`:${TOKEN}`), 200],
    ["nothing", null, 401],
    ["an empty token", "Bearer ", 401],
    ["another token", "Bearer 8f3b2c-correct-horsf", 401],
    ["the beginning of the token", `Bearer ${TOKEN.slice(0, -1)}`, 401],
    ["more than the token", `Bearer ${TOKEN}x`, 401],
    ["the token in upper case", `Bearer ${TOKEN.toUpperCase()}`, 401],
    ["the token without a scheme", TOKEN, 401],
    ["another scheme", `Digest ${TOKEN}`, 401],
    ["the token as user", basic(`${TOKEN}:`), 401],
    ["a basic pair without a colon", basic(TOKEN), 401],
    ["a basic pair with what is no base64 in it", basic(`a:${TOKEN}`).replace(/.$/, '"$&'), 401],
    ["two tokens", `Bearer ${TOKEN} ${TOKEN}`, 401],
  ];
  for (const [what, authorization, status] of cases) {
    test(`${what}: ${status}`, () => {
      const lines = ["GET /metrics HTTP/1.1", "host: lb.example"];
      if (authorization !== null) lines.push(`authorization: ${authorization}`);
      assert.equal(statusOf(rule, lines), status);
    });
  }

  test("a public endpoint needs none", () => {
    assert.equal(statusOf(rule, ["GET /healthz HTTP/1.1", "host: lb.example"], true), 200);
  });

  test("the refusal says how, and asks a browser for it", () => {
    const refusal = rule.check(headOf("GET / HTTP/1.1", "host: a"), PORT, false)!;
    assert.match(String(refusal.body), /Bearer TOKEN/);
    assert.match(String(refusal.body), /EVENER_UNAUTHORIZED/);
    assert.match(refusal.lines, /www-authenticate: Basic realm=/);
    assert.doesNotMatch(String(refusal.body) + refusal.lines, new RegExp(TOKEN));
  });

  test("a token in the query is none", () => {
    assert.equal(statusOf(rule, [`GET /metrics?token=${TOKEN} HTTP/1.1`, "host: a"]), 401);
  });

  test("any other text is refused", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!-~]{1,80}$/), (text) => {
        fc.pre(text !== TOKEN);
        assert.equal(statusOf(rule, ["GET / HTTP/1.1", "host: a", `authorization: Bearer ${text}`]), 401);
      }),
      { numRuns: 300 },
    );
  });
});

describe("without a token", () => {
  const rule = new AccessRule("admin", "127.0.0.1", null);
  for (const host of ["127.0.0.1:9901", "localhost:9901", "LOCALHOST:9901", "[::1]:9901", "127.8.9.1:9901"]) {
    test(`host ${host} is this machine`, () => {
      assert.equal(statusOf(rule, ["GET / HTTP/1.1", `host: ${host}`]), 200);
    });
  }
  const foreign = [
    "evil.example:9901",
    "evil.example",
    "localhost.evil.example:9901",
    "127.0.0.1.evil.example:9901",
    "127.0.0.1:80",
    "localhost",
    "10.0.0.1:9901",
    "0.0.0.0:9901",
    "[::]:9901",
  ];
  for (const host of foreign) {
    test(`host ${host} may be a rebound name: 403, on public endpoints too`, () => {
      for (const isPublic of [false, true]) {
        const refusal = rule.check(headOf("GET / HTTP/1.1", `host: ${host}`), PORT, isPublic);
        assert.equal(refusal?.status, 403);
        assert.match(String(refusal.body), /EVENER_FORBIDDEN/);
      }
    });
  }

  test("an absolute target counts as the host", () => {
    assert.equal(statusOf(rule, ["GET http://evil.example/ HTTP/1.1", "host: 127.0.0.1:9901"]), 403);
  });
});

describe("changes asked for by a web page", () => {
  const put = ["PUT /api/v1/pools/a/backends/b HTTP/1.1", "host: 127.0.0.1:9901", "content-length: 2"];
  const cases: [string | null, number][] = [
    [null, 200],
    ["http://127.0.0.1:9901", 200],
    ["http://evil.example", 403],
    ["http://localhost:3000", 403],
    ["http://127.0.0.1", 403],
    ["null", 403],
    ["file://", 403],
    ["", 403],
  ];
  for (const [origin, status] of cases) {
    test(`origin ${origin ?? "absent"}: ${status}, with and without a token`, () => {
      const lines = origin === null ? put : [...put, `origin: ${origin}`];
      assert.equal(statusOf(new AccessRule("admin", "127.0.0.1", null), lines), status);
      const withToken = new AccessRule("admin", "0.0.0.0", TOKEN);
      assert.equal(statusOf(withToken, [...lines, `authorization: Bearer ${TOKEN}`]), status);
    });
  }

  test("a WebSocket is shown to the page: it needs its own origin, or none", () => {
    const upgrade = [
      "GET /v1/agent HTTP/1.1",
      "host: 127.0.0.1:9901",
      "connection: upgrade",
      "upgrade: websocket",
    ];
    const rule = new AccessRule("tasks", "127.0.0.1", null);
    assert.equal(statusOf(rule, [...upgrade, "origin: http://evil.example"]), 403);
    assert.equal(statusOf(rule, [...upgrade, "origin: http://127.0.0.1:9901"]), 200);
    assert.equal(statusOf(rule, upgrade), 200);
  });

  test("reading is left to the browser, which does not show it to the page", () => {
    const lines = ["GET / HTTP/1.1", "host: 127.0.0.1:9901", "origin: http://evil.example"];
    assert.equal(statusOf(new AccessRule("admin", "127.0.0.1", null), lines), 200);
  });
});

describe("where a token is needed", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) {
    test(`${host} is loopback`, () => assert.equal(isLoopback(host), true));
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "example.org",
    "127.0.0.1.example.org",
    "1270.0.0.1",
    "",
  ]) {
    test(`${host === "" ? "nothing" : host} is not`, () => {
      assert.throws(() => new AccessRule("admin", host, null), isCode("EVENER_ADMIN_TOKEN_REQUIRED"));
    });
  }

  test("an empty token is a mistake, on loopback too", () => {
    assert.throws(() => new AccessRule("admin", "127.0.0.1", ""), isCode("EVENER_ADMIN_TOKEN_REQUIRED"));
  });
});

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof EvenerError && error.code === code;
}
