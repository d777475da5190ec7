import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { test } from "node:test";

import type { RouteConfig } from "../../../src/config/config-route.ts";
import type { Config } from "../../../src/config/config.ts";
import type { ParseOptions } from "../../../src/config/load.ts";
import { loadConfig, parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/problem.ts";

const MINIMAL = "listen: 8080\nbackends: [http://10.0.0.1:8000, http://10.0.0.2:8000]\n";

const poolTarget = (name: string): RouteConfig["target"] => ({
  kind: "pools",
  pools: [{ name, weight: 1 }],
});

const ROUTE_FOR_ALL: RouteConfig = {
  match: { host: null, path: { kind: "prefix", text: "/" }, methods: [], models: [], conditions: [] },
  target: poolTarget("default"),
  labels: {},
  replay: "auto",
  class: "normal",
  upgrades: ["websocket"],
  rewrite: { prefix: null, host: null, models: [] },
  requestHeaders: { set: [], add: [], remove: [] },
  responseHeaders: { set: [], add: [], remove: [] },
  timeouts: { firstByteMs: null, idleMs: null },
  retry: {
    kind: "pool",
    attempts: null,
    on: null,
    firstToken: null,
    bodyBytesMax: null,
    backoffMs: null,
    backoffMsMax: null,
  },
  bodyBytesMax: null,
  mirror: null,
};

test("two lines are enough", () => {
  const config = parse(MINIMAL);
  const plain = { socketPath: null, socketMode: 0o660, tls: null, proxyProtocol: false };
  assert.deepEqual(config.listeners, [{ host: "0.0.0.0", port: 8080, ...plain }]);
  assert.deepEqual(config.files, []);
  assert.equal(config.threads, "auto");
  assert.deepEqual(config.accessLog, { kind: "stdout" });
  assert.deepEqual(config.admin, { host: "127.0.0.1", port: 9901, token: null });
  assert.deepEqual(config.routes, [ROUTE_FOR_ALL]);
  assert.equal(config.pools.length, 1);
  const [pool] = config.pools;
  assert.equal(pool?.name, "default");
  assert.deepEqual(pool.policy, { name: "auto", options: {} });
  assert.deepEqual(pool.backends[1], {
    id: "10.0.0.2:8000",
    host: "10.0.0.2",
    port: 8000,
    socketPath: null,
    tls: null,
    url: "http://10.0.0.2:8000",
    weight: 1,
    limit: 0,
    labels: {},
    priority: 0,
    headers: {},
    engine: "auto",
  });
});

test("the defaults of a pool", () => {
  const { name, policy, backends, ...rest } = parse(MINIMAL).pools[0]!;
  assert.equal(`${name} ${policy.name} ${backends.length}`, "default auto 2");
  assert.deepEqual(rest, {
    agentCheck: null,
    health: {
      kind: "http",
      path: "auto",
      intervalMs: 2000,
      timeoutMs: 1000,
      rise: 2,
      fall: 3,
      downIntervalMs: 1000,
      jitterShare: 0.1,
      expect: { statuses: [{ from: 200, to: 399 }], body: null },
      concurrencyMax: 16,
    },
    outlier: {
      consecutive: 5,
      failures: 10,
      of: 20,
      ejectionMs: 10_000,
      ejectionMsMax: 300_000,
      ejectedShareMax: 0.5,
      panicShare: 0.5,
    },
    slowdown: { tolerance: 2, useless: 20 },
    slowStartMs: 30_000,
    session: null,
    queue: { requestsMax: 1000, waitMs: 60_000 },
    retry: {
      attempts: 2,
      budgetShare: 0.2,
      budgetPerSecondMin: 1,
      on: { connectFailure: true, reset: true, firstByteTimeout: false, statuses: [502, 503, 504] },
      bodyBytesMax: 1_048_576,
      backoffMs: 25,
      backoffMsMax: 1000,
      firstToken: "auto",
    },
    timeouts: { connectMs: 1000, firstByteMs: 600_000, idleMs: 60_000, tunnelIdleMs: 3_600_000 },
    failover: "down",
    connections: { idleMax: 256, idleMs: 30_000 },
    proxyProtocol: null,
    promptTenant: null,
    loadReports: null,
  });
});

test("the shorthand and the long form are the same", () => {
  const long = `
listeners: [{ bind: "0.0.0.0:8080" }]
pools: { default: { backends: [{ url: "http://10.0.0.1:8000" }, 10.0.0.2:8000] } }
routes: [{ match: { path: / }, pool: default }]
`;
  assert.deepEqual(parse(long), parse(MINIMAL));
});

test("blocks can be switched off", () => {
  const off = "health: off\n  outlier: off\n  slowdown: off\n  slow_start: off\n  queue: off\n  retry: off";
  const config =
    parse(`listen: 1\nadmin: off\naccess_log: off\npools: { a: {\n  ${off.replaceAll("\n", ",\n")},
    session: off, agent_check: off, backends: [a:1] } }`);
  const pool = config.pools[0]!;
  assert.deepEqual([pool.health, pool.outlier, pool.slowdown, pool.queue, pool.retry], Array(5).fill(null));
  assert.deepEqual([pool.slowStartMs, pool.session, pool.agentCheck, config.admin], [0, null, null, null]);
  assert.deepEqual(config.accessLog, { kind: "off" });
});

test("policies take their options, and their defaults", () => {
  const policy = (text: string): unknown => {
    return parse(`listen: 1\npools: { a: { backends: [a:1], policy: ${text} } }`).pools[0]!.policy;
  };
  assert.deepEqual(policy("round_robin"), { name: "round_robin", options: {} });
  const defaults = { name: "hash", options: { key: "client_ip", balance_factor: 1.25 } };
  assert.deepEqual(policy("hash"), defaults);
  assert.deepEqual(policy("{ name: hash }"), defaults);
  assert.deepEqual(policy('{ name: hash, key: "header:X-User", balance_factor: 2 }'), {
    name: "hash",
    options: { key: "header:X-User", balance_factor: 2 },
  });
});

test("one pool of any name takes everything; of several, `default` does", () => {
  assert.deepEqual(parse("listen: 1\npools: { a: { backends: [a:1] } }").routes[0]?.target, poolTarget("a"));
  const two = "listen: 1\npools: { a: { backends: [a:1] }, default: { backends: [b:1] } }";
  assert.deepEqual(parse(two).routes[0]?.target, poolTarget("default"));
});

test("routes", () => {
  const [route] = parse(`
listen: 1
backends: [a:1]
routes:
  - match: { host: "*.Example.com", path: /v1/, method: POST, header: { X-Tier: gold } }
    pool: default
    labels: { gpu: h100 }
    replay: never
    class: high
`).routes;
  assert.deepEqual(route, {
    ...ROUTE_FOR_ALL,
    match: {
      host: "*.example.com",
      path: { kind: "prefix", text: "/v1/" },
      methods: ["POST"],
      models: [],
      conditions: [{ from: "header", name: "x-tier", value: "gold", isPresent: true }],
    },
    labels: { gpu: "h100" },
    replay: "never",
    class: "high",
    upgrades: ["websocket"],
  });
});

test("upgrades of the file hold for every route that has none of its own", () => {
  const { routes } = parse(`
listen: 1
backends: [a:1]
upgrades: [WebSocket, SPDY/3.1]
routes:
  - { match: { path: /a }, pool: default }
  - { match: { path: /b }, pool: default, upgrades: [] }
  - { match: { path: /c }, pool: default, upgrades: [tcp] }
`);
  assert.deepEqual(
    routes.map(({ upgrades }) => upgrades),
    [["websocket", "SPDY/3.1"], [], ["tcp"]],
  );
});

test("retry conditions become flags and statuses", () => {
  const text =
    "listen: 1\npools: { a: { backends: [a:1], retry: { on: [429, http_5xx, first_byte_timeout] } } }";
  const on = parse(text).pools[0]!.retry!.on;
  assert.deepEqual(
    { ...on, statuses: on.statuses.length },
    {
      connectFailure: false,
      reset: false,
      firstByteTimeout: true,
      statuses: 101,
    },
  );
  assert.deepEqual([on.statuses[0], on.statuses.at(-1)], [429, 599]);
});

test("environment variables stand for any value, whole or in part", () => {
  const text = `
listen: \${PORT}
backends:
  - url: http://\${HOST}:8000
    weight: \${WEIGHT}
    labels: { price: "$\${HOST}" }
    headers: { authorization: "Bearer \${KEY}" }
log: { level: "\${LEVEL}" }
drain:
  timeout: \${DRAIN}
`;
  const env = { PORT: "9000", HOST: "gpu-1", WEIGHT: "2.5", KEY: "s3cret", LEVEL: "debug", DRAIN: "5s" };
  const config = parse(text, { env });
  assert.deepEqual([config.listeners[0]?.host, config.listeners[0]?.port], ["0.0.0.0", 9000]);
  const backend = config.pools[0]!.backends[0]!;
  assert.deepEqual([backend.id, backend.weight], ["gpu-1:8000", 2.5]);
  assert.deepEqual(backend.labels, { price: "${HOST}" });
  assert.deepEqual(backend.headers, { authorization: "Bearer s3cret" });
  assert.equal(config.logLevel, "debug");
  assert.equal(config.drainTimeoutMs, 5000);
});

test("texts can come from files beside the configuration", () => {
  const text = `
listen: 1
backends: [{ url: a:1, headers: { x-api-key: { file: keys/a } } }]
admin: { bind: 9901, token: { file: /run/token } }
session_keys: [{ file: keys/session }]
access_log: { file: access.log }
`;
  const files: Record<string, string> = {
    "/etc/evener/keys/a": "  key-of-a\n",
    "/run/token": "0123456789abcdef\n",
    "/etc/evener/keys/session": "fedcba9876543210",
  };
  const config = parse(text, { path: "/etc/evener/evener.yaml", readFile: (name) => files[name]! });
  assert.deepEqual(config.pools[0]!.backends[0]!.headers, { "x-api-key": "key-of-a" });
  assert.deepEqual(config.admin, { host: "0.0.0.0", port: 9901, token: "0123456789abcdef" });
  assert.deepEqual(config.sessionKeys, ["fedcba9876543210"]);
  // Here `file` is a key of the block, not a reference.
  assert.deepEqual(config.accessLog, { kind: "file", path: "/etc/evener/access.log", hasHashes: false });
});

test("anchors and aliases", () => {
  const config = parse("listen: 1\npools:\n  a: &a { backends: [a:1], queue: off }\n  default: *a\n");
  assert.deepEqual({ ...config.pools[1], name: "a" }, config.pools[0]);
});

test("a byte order mark and Windows line ends do not matter", () => {
  assert.deepEqual(parse(`\uFEFF${MINIMAL.replaceAll("\n", "\r\n")}`), parse(MINIMAL));
});

test("loading: a file that can not be read, is too large or is no text", (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "evener-config-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, "evener.yaml");
  const isUnreadable =
    (why: string, path = file) =>
    (error: unknown): boolean => {
      assert.ok(error instanceof ConfigError);
      // The system's own words would name the path a second time.
      const make = 'name another, or write one with "listen: 8080" and "backends: [http://HOST:PORT]"';
      assert.equal(error.message, `${path}: ${why}; ${make}`);
      return error.code === "EVENER_CONFIG_UNREADABLE" && error.problems.length === 0;
    };
  assert.throws(() => loadConfig(file), isUnreadable("there is no such file"));
  assert.throws(() => loadConfig(directory), isUnreadable("it is a directory", directory));
  fs.writeFileSync(file, MINIMAL);
  assert.equal(loadConfig(file).pools.length, 1);
  fs.writeFileSync(file, `${MINIMAL}#${"x".repeat(1_048_576)}`);
  assert.throws(() => loadConfig(file), isUnreadable("it has more than 1048576 bytes"));
  fs.writeFileSync(file, new Uint8Array([0x61, 0xff, 0xfe]));
  assert.throws(() => loadConfig(file), isUnreadable("it is no UTF-8 text"));
});

test("loading: a value's file is read relative to the configuration", (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "evener-config-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, "evener.yaml");
  fs.writeFileSync(file, `${MINIMAL}session_keys:\n  - { file: key }\n`);
  assert.throws(
    () => loadConfig(file),
    /evener\.yaml:4:5: session_keys\[0\]: the file that it names can not be read: there is no such file/,
  );
  fs.writeFileSync(path.join(directory, "key"), "0123456789abcdef\n");
  assert.deepEqual(loadConfig(file).sessionKeys, ["0123456789abcdef"]);
});

function parse(text: string, options: Partial<ParseOptions> = {}): Config {
  const refuse = (name: string): never => assert.fail(`${name} is read`);
  return parseConfig(text, { path: "evener.yaml", env: {}, readFile: refuse, ...options });
}

test("the access log is no file that a change of is a reload", () => {
  const text = "listen: 9\nbackends: [a:1]\naccess_log: { file: /tmp/access.log }\n";
  const config = parseConfig(text, { path: "evener.yaml", env: {}, readFile: () => "" });
  assert.deepEqual(config.files, []);
});
