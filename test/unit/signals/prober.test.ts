import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Random } from "../../../src/core/kit/random.ts";
import { STATE } from "../../../src/core/ledger.ts";
import { Lease } from "../../../src/core/lease.ts";
import { Work } from "../../../src/core/work.ts";
import { type ProbeOptions, Prober } from "../../../src/signals/prober.ts";
import { startPool, until } from "./pool.ts";

const OPTIONS: ProbeOptions = {
  kind: "http",
  path: "auto",
  intervalMs: 20,
  timeoutMs: 1_000,
  downIntervalMs: 10,
  jitterShare: 0.1,
  expect: { statuses: [{ from: 200, to: 399 }], body: null },
  concurrencyMax: 16,
};

/** A server whose answers the test changes; `asked` holds the paths of all probes. */
async function startTarget(): Promise<{
  address: string;
  asked: string[];
  answer: (path: string) => { status: number; body: string };
  close(): void;
}> {
  const asked: string[] = [];
  const target = {
    address: "",
    asked,
    answer: (_path: string): { status: number; body: string } => ({ status: 200, body: "well" }),
    close: (): void => void server.close(),
  };
  const server = http
    .createServer((request, response) => {
      asked.push(request.url!);
      const { status, body } = target.answer(request.url!);
      response.writeHead(status).end(body);
    })
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  target.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return target;
}

test("auto finds the path that the backend knows, and keeps to it", async () => {
  const target = await startTarget();
  target.answer = (path) => ({ status: path === "/v1/models" ? 200 : 404, body: "" });
  const { pool, targets } = startPool([target.address]);
  const prober = new Prober(pool, OPTIONS, new Random(1));
  try {
    prober.update(targets);
    await until(() => target.asked.filter((path) => path === "/v1/models").length >= 3, "three probes");
    assert.deepEqual(target.asked.slice(0, 3), ["/health", "/healthz", "/v1/models"]);
    assert.equal(
      target.asked.slice(3).every((path) => path === "/v1/models"),
      true,
    );
    assert.equal(pool.ledger.state[pool.members.list[0]!.slot], STATE.available);
  } finally {
    prober.stop();
    target.close();
  }
});

test("rise and fall: three failures take it down, two passes bring it back by a ramp", async () => {
  const target = await startTarget();
  const { pool, targets, events } = startPool([target.address, "127.0.0.1:1"]);
  const prober = new Prober(pool, OPTIONS, new Random(2));
  const endpoint = pool.members.list[0]!;
  try {
    prober.update(targets.slice(0, 1));
    await until(() => endpoint.health.probe.kind === "up", "the first probe");
    target.answer = () => ({ status: 500, body: "" });
    await until(() => pool.ledger.state[endpoint.slot] === STATE.down, "down");
    assert.match(endpoint.health.describe().reason, /\/health answered 500/);
    target.answer = () => ({ status: 200, body: "" });
    await until(() => pool.ledger.state[endpoint.slot] === STATE.available, "up again");
    assert.ok(pool.ledger.weight[endpoint.slot]! < 1, "it comes back by a ramp");
    assert.deepEqual(
      events.filter(({ kind }) => kind.startsWith("probe_")).map(({ kind }) => kind),
      ["probe_down", "probe_up"],
    );
  } finally {
    prober.stop();
    target.close();
  }
});

test("the expected body counts, and says what was missing", async () => {
  const target = await startTarget();
  const { pool, targets } = startPool([target.address]);
  const options = { ...OPTIONS, path: "/ready", expect: { ...OPTIONS.expect, body: "model loaded" } };
  const prober = new Prober(pool, options, new Random(3));
  const { health } = pool.members.list[0]!;
  try {
    prober.update(targets);
    await until(() => health.probe.kind === "down", "down without the text");
    assert.match(health.describe().reason, /lacks the expected text/);
    target.answer = () => ({ status: 200, body: "model loaded." });
    await until(() => health.probe.kind === "up", "up with the text");
  } finally {
    prober.stop();
    target.close();
  }
});

test("P14: a passing probe does not readmit a backend that failed real work; real work does", async () => {
  const target = await startTarget();
  const { pool, targets } = startPool([target.address, "127.0.0.1:1"]);
  const prober = new Prober(pool, OPTIONS, new Random(4));
  const endpoint = pool.members.list[0]!;
  try {
    prober.update(targets.slice(0, 1));
    pool.wish("127.0.0.1:1", "drain");
    for (let i = 0; i < 5; i++) fail();
    pool.wish("127.0.0.1:1", "ready");
    assert.equal(pool.ledger.state[endpoint.slot], STATE.ejected);
    const probes = target.asked.length;
    await until(() => target.asked.length > probes + 5, "more passing probes");
    assert.equal(pool.ledger.state[endpoint.slot], STATE.ejected);
  } finally {
    prober.stop();
    target.close();
  }

  function fail(): void {
    const decision = pool.pick(new Work(), new Lease());
    assert.equal(decision.kind, "send");
    if (decision.kind === "send") decision.lease.settle("backend_error");
  }
});

test("where nobody had listened, passing probes end the ejection early: then real work decides", async () => {
  const target = await startTarget();
  const { pool, targets } = startPool([target.address, "127.0.0.1:1"]);
  const endpoint = pool.members.list[0]!;
  pool.wish("127.0.0.1:1", "drain");
  const decision = pool.pick(new Work(), new Lease());
  assert.equal(decision.kind, "send");
  if (decision.kind === "send") {
    decision.lease.settle("backend_error", { retryAfterMs: 0, isUnreachable: true });
  }
  pool.wish("127.0.0.1:1", "ready");
  assert.equal(pool.ledger.state[endpoint.slot], STATE.ejected);
  const prober = new Prober(pool, OPTIONS, new Random(5));
  try {
    prober.update(targets.slice(0, 1));
    await until(() => pool.ledger.state[endpoint.slot] === STATE.probation, "probation");
    const trial = pool.pick(Object.assign(new Work(), { isReplayable: true }), new Lease());
    assert.equal(trial.kind === "send" && trial.lease.why, "trial");
    if (trial.kind === "send") trial.lease.settle("ok");
    assert.equal(pool.ledger.state[endpoint.slot], STATE.available);
  } finally {
    prober.stop();
    target.close();
  }
});

test("a backend that never answers is down after the time-out; tcp asks for a connection only", async () => {
  const { pool, targets } = startPool(["127.0.0.1:1"]);
  const prober = new Prober(pool, { ...OPTIONS, kind: "tcp" }, new Random(6));
  const { health } = pool.members.list[0]!;
  try {
    prober.update(targets);
    await until(() => health.probe.kind === "down", "down");
    assert.match(health.describe().reason, /ECONNREFUSED/);
  } finally {
    prober.stop();
  }
});

test("P23 a herd of checks at warm-up (Envoy): never more at once than `concurrency`, and all have their turn", async () => {
  const waiting: http.ServerResponse[] = [];
  let most = 0;
  const asked = new Set<string>();
  const server = http
    .createServer((request, response) => {
      asked.add(request.headers.host!);
      waiting.push(response);
      most = Math.max(most, waiting.length);
    })
    .listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // Many backends on one server, told apart by their Host.
  const { pool } = startPool([`127.0.0.1:${port}`]);
  const targets = Array.from({ length: 40 }, (_, i) => {
    return { id: `b${i}`, host: "127.0.0.1", port, headers: { host: `b${i}` }, preface: "", tls: null };
  });
  const options = {
    ...OPTIONS,
    path: "/health",
    intervalMs: 2_000,
    downIntervalMs: 2_000,
    timeoutMs: 60_000,
  };
  const prober = new Prober(pool, { ...options, concurrencyMax: 4 }, new Random(1));
  prober.update(targets);
  try {
    while (asked.size < targets.length) {
      await until(
        () => waiting.length === 4,
        `four probes at once; ${waiting.length} wait, ${asked.size} were asked`,
      );
      for (const response of waiting.splice(0)) response.end("well");
    }
    assert.equal(most, 4);
  } finally {
    prober.stop();
    server.closeAllConnections();
    server.close();
  }
});
