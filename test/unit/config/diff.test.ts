import assert from "node:assert/strict";
import { test } from "node:test";

import type { Config } from "../../../src/config/config.ts";
import { diffBackends, diffConfigs, keepUntilRestart } from "../../../src/config/diff.ts";
import { parseConfig } from "../../../src/config/load.ts";

test("the same file is no change", () => {
  const text = pools("a: { backends: [a:1, b:1] }");
  assert.deepEqual(diffConfigs(config(text), config(text)), {
    isEmpty: true,
    text: "no change",
    needsRestart: [],
  });
});

test("pools that come, go and change", () => {
  const old = pools("a: { backends: [a:1, b:1, c:1] }, b: { backends: [a:1] }, same: { backends: [a:1] }");
  const next = pools(
    "a: { backends: [a:1, { url: b:1, weight: 2 }, d:1], queue: off, slow_start: 5s, " +
      "agent_check: { port: 1 } }, " +
      "c: { backends: [a:1] }, same: { backends: [a:1] }",
  );
  assert.equal(
    change(old, next),
    "pool c added; pool b removed; pool a: backends +d:1 -c:1 ~b:1, agent_check, slow_start, queue",
  );
  assert.deepEqual(diffBackends(config(old).pools[0]!.backends, config(next).pools[0]!.backends), {
    added: ["d:1"],
    removed: ["c:1"],
    changed: ["b:1"],
  });
});

test("everything that a file can change is named, and what needs a restart", () => {
  const pool = "pools: { a: { backends: [a:1] } }\n";
  const old = `listeners: [{ bind: 1 }, { bind: 2 }]\n${pool}`;
  const next =
    `listeners: [{ bind: 2 }, { bind: "127.0.0.1:3" }]\n${pool}` +
    "routes: [{ pool: a }, { match: { path: /v2/ }, pool: a }]\n" +
    "limits: { body_bytes: 5, header_count: 20, keep_alive: 1s }\n" +
    "trusted_proxies: [10.0.0.0/8]\nforwarded_headers: both\n" +
    "drain: { timeout: 1s }\nlog: { level: warn }\nsession_keys: [a-key-of-enough-length]\n" +
    "access_log: off\nadmin: { token: a-token-of-enough-length }\n";
  const diff = diffConfigs(config(old), config(next));
  assert.equal(
    diff.text,
    "listeners +127.0.0.1:3 -0.0.0.0:1; routes +/v2/; limits header_count, body_bytes, keep_alive; " +
      "trusted_proxies; forwarded_headers; drain; " +
      "log; session_keys; access_log (needs a restart); admin (needs a restart)",
  );
  assert.deepEqual(diff.needsRestart, ["access_log", "admin"]);
});

test("what needs a restart is told at each reload until then, unless the file takes it back", () => {
  const text = pools("a: { backends: [a:1] }");
  const started = config(text);
  const next = config(`${text}admin: off\ndrain: { timeout: 1s }\n`);
  const running = keepUntilRestart(started, next);
  assert.deepEqual(running, { ...next, admin: started.admin });
  assert.deepEqual(diffConfigs(running, next).needsRestart, ["admin"]);
  assert.deepEqual(diffConfigs(running, started).needsRestart, []);
});

test("two routes with one name are told apart", () => {
  const text = pools("a: { backends: [a:1] }").replace(/routes.*\n/, "");
  const route = (method: string): string => `{ pool: a, match: { method: ${method} } }`;
  const old = `${text}routes: [${route("GET")}, ${route("PUT")}]\n`;
  assert.equal(change(old, `${text}routes: [${route("GET")}, ${route("POST")}]\n`), "routes ~/");
});

test("the order of backends matters, that of keys does not", () => {
  const old = pools("a: { backends: [a:1, b:1] }");
  assert.equal(change(old, pools("a: { backends: [b:1, a:1] }")), "pool a: order of backends");
  const labels = (written: string): string => pools(`a: { backends: [{ url: a:1, labels: ${written} }] }`);
  assert.equal(change(labels('{ x: "1", y: "2" }'), labels('{ y: "2", x: "1" }')), "no change");
});

test("many backends are counted, not listed", () => {
  const many = Array.from({ length: 50 }, (_, index) => `h${index}:1`).join(", ");
  const text = change(pools("a: { backends: [a:1] }"), pools(`a: { backends: [a:1, ${many}] }`));
  assert.match(text, /^pool a: backends \+h0:1 .* \+h9:1 and 40 more$/);
});

function change(old: string, next: string): string {
  return diffConfigs(config(old), config(next)).text;
}

function pools(text: string): string {
  return `listen: 1\npools: { ${text} }\nroutes: [{ pool: a }]\n`;
}

function config(text: string): Config {
  return parseConfig(text, { path: "evener.yaml", env: {}, readFile: () => "" });
}
