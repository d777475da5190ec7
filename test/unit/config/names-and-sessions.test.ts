import assert from "node:assert/strict";
import { test } from "node:test";

import { byAddress, namesOf } from "../../../src/config/by-address.ts";
import type { Config, SessionConfig } from "../../../src/config/config.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/problem.ts";

function load(text: string): Config {
  return parseConfig(text, { path: "evener.yaml", env: {}, readFile: () => "" });
}

function problemsOf(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, column, path, message, hint }) => {
      return `${line}:${column} ${path}: ${message}${hint === undefined ? "" : ` (${hint})`}`;
    });
  }
  return [];
}

function sessionOf(written: string): SessionConfig | null {
  return load(`listen: 1\npools: { a: { backends: [a:1], session: ${written} } }`).pools[0]!.session;
}

test("the addresses of DNS servers, with and without port", () => {
  const read = (list: string): readonly string[] =>
    load(`listen: 1\nbackends: [a:1]\nresolvers: ${list}`).resolvers;
  assert.deepEqual(read(`["10.0.0.2", "10.0.0.2:5353", "::1", "[fd00::2]", "[fd00::2]:5353"]`), [
    "10.0.0.2:53",
    "10.0.0.2:5353",
    "[::1]:53",
    "[fd00::2]:53",
    "[fd00::2]:5353",
  ]);
  for (const wrong of ["dns.test", "10.0.0.2:0", "10.0.0.2:65536", "[10.0.0.2]:53", "10.0.0", "::1:", ""]) {
    const [problem] = problemsOf(`listen: 1\nbackends: [a:1]\nresolvers: ["${wrong}"]`);
    assert.equal(
      problem,
      `3:13 resolvers[0]: expected the address of a DNS server, found "${wrong}"; ` +
        "write 10.0.0.2, 10.0.0.2:5353 or [fd00::2]:53",
    );
  }
});

test("a session is by key or learned, with defaults", () => {
  const cookie = { from: "session_cookie" };
  const rest = { ttlMs: 3_600_000, cookieName: "evener_session", whenFull: "spill" };
  assert.deepEqual(sessionOf("cookie"), { key: cookie, ...rest, learnedMax: 0 });
  assert.deepEqual(sessionOf("{ key: cookie, ttl: 2h }"), {
    key: cookie,
    ...rest,
    ttlMs: 7_200_000,
    learnedMax: 0,
  });
  const learned = { key: { from: "cookie", name: "JSESSIONID" }, ...rest, learnedMax: 100_000 };
  assert.deepEqual(sessionOf("{ learn: 'cookie:JSESSIONID' }"), learned);
  assert.deepEqual(sessionOf("{ learn: 'header:X-Session', ttl: 5m, max: 7, when_full: wait }"), {
    key: { from: "header", name: "x-session" },
    ttlMs: 300_000,
    cookieName: "evener_session",
    whenFull: "wait",
    learnedMax: 7,
  });
});

test("a session that makes no sense is refused, with what to write", () => {
  const text = (session: string): string =>
    `listen: 1\npools:\n  a:\n    backends: [a:1]\n    session: ${session}\n`;
  const at = "pools.a.session";
  const cases: readonly [string, string][] = [
    ["{}", `5:14 ${at}.key: is missing; write "key: cookie" or "learn: cookie:NAME"`],
    [`{ key: cookie, learn: "cookie:A" }`, `5:29 ${at}.learn: stands in place of "key"; remove one of them`],
    [
      `{ key: cookie, max: 5 }`,
      `5:29 ${at}.max: has no meaning for this key; remove it or write "learn: cookie:NAME"`,
    ],
    [
      `{ learn: "cookie:A", cookie_name: b }`,
      `5:35 ${at}.cookie_name: has no meaning for this key; remove it or write "key: cookie"`,
    ],
    [`{ learn: cookie }`, `5:23 ${at}.learn: expected the name of a cookie; write cookie:NAME`],
    [
      `{ learn: "query:a" }`,
      `5:23 ${at}.learn: expected what backends set, found "query:a"; write cookie:NAME or header:NAME`,
    ],
    [
      `{ learn: "coockie:a" }`,
      `5:23 ${at}.learn: expected what backends set, found "coockie:a"; write cookie:NAME or header:NAME ` +
        `(did you mean "cookie:a"?)`,
    ],
    [`{ learn: "cookie:A", max: 0 }`, `5:40 ${at}.max: 0 is too little; write 1 to 1000000`],
  ];
  for (const [session, problem] of cases) assert.deepEqual(problemsOf(text(session)), [problem], session);
});

test("a backend by name is one for each address, and keeps all else that is written", () => {
  const config = load(`
listen: 1
pools:
  a:
    backends:
      - { url: "http://llm.test:8000", weight: 3, headers: { x-key: k } }
      - { url: "http://other.test:80", id: spare }
      - http://10.0.0.9:8000
      - http://[fd00::9]:8000
      - http://localhost:8000
      - http://x.localhost:8000
  b: { backends: [ "http://llm.test:9000" ] }
routes: [{ pool: a }]
`);
  assert.deepEqual(namesOf(config), ["llm.test", "other.test"]);
  const known = new Map([
    ["llm.test", ["10.0.0.1", "fd00::1"]],
    ["other.test", []],
  ]);
  const resolved = byAddress(config, (name) => known.get(name)!);
  assert.deepEqual(
    resolved.pools.map(({ backends }) => backends.map(({ id }) => id)),
    [
      [
        "llm.test:8000/10.0.0.1",
        "llm.test:8000/fd00::1",
        "10.0.0.9:8000",
        "[fd00::9]:8000",
        "localhost:8000",
        "x.localhost:8000",
      ],
      ["llm.test:9000/10.0.0.1", "llm.test:9000/fd00::1"],
    ],
  );
  const [written] = config.pools[0]!.backends;
  assert.deepEqual(resolved.pools[0]!.backends[0], {
    ...written,
    id: "llm.test:8000/10.0.0.1",
    host: "10.0.0.1",
    name: "llm.test",
  });
  assert.deepEqual({ ...resolved, pools: [] }, { ...config, pools: [] });
});

test("all names together have a bound, which each keeps to its part of", () => {
  const list = Array.from({ length: 100 }, (_, i) => `http://n${i}.test:1`);
  const config = load(`listen: 1\nbackends: ${JSON.stringify(list)}`);
  const many = Array.from({ length: 256 }, (_, i) => `10.0.0.${i}`);
  assert.equal(byAddress(config, () => many).pools[0]!.backends.length, 100 * 20);
  assert.equal(byAddress(config, () => ["10.0.0.1"]).pools[0]!.backends.length, 100);
});

test("a configuration without names stays the object that it is", () => {
  const config = load("listen: 1\nbackends: [10.0.0.1:1, localhost:2]");
  assert.equal(
    byAddress(config, () => assert.fail("nobody is asked for")),
    config,
  );
});
