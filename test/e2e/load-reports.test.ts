// Load reports in answers (ORCA): asked for, read, kept from who did not ask, and gone by.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendHandler, BackendRequest } from "../fixtures/backend.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";

describe("load reports", () => {
  for (const threads of [0, 2]) {
    it(`are all that the policy resource needs, threads: ${threads}`, async (t) => {
      const rest = { threads, admin: { bind: "127.0.0.1:0" } };
      const scene = await setUp(t, { count: 3, pool: { policy: "resource" }, rest });
      const [busy, free, full] = scene.backends;
      busy!.handler = vllm(0.9, 0);
      free!.handler = vllm(0.4, 0);
      full!.handler = vllm(0.1, 12);
      for (const { id } of scene.backends) await untilReported(scene, id);
      const before = free!.requests.length;
      for (let i = 0; i < 20; i++) assert.equal((await scene.request("/x")).status, 200);
      assert.equal(free!.requests.length - before, 20);
      assert.deepEqual(await vitals(scene, full!.id), { cpu: null, memory: null, gpu: 0.1, queued: 12 });
    });
  }

  it("are asked for in the format of the pool, and are not for the client", async (t) => {
    for (const format of ["text", "json"] as const) {
      const { backend, request } = await setUp(t, { handler: vllm(0.5, 1), pool: { orca: format } });
      const answer = await request("/x");
      assert.equal(backend.requests[0]!.headers.get("endpoint-load-metrics-format"), format);
      assert.equal(answer.headers["endpoint-load-metrics"], undefined);
      assert.equal(answer.headers["x-model"], "m");
    }
  });

  it("go to the client that asks itself, as it asks", async (t) => {
    const rest = { admin: { bind: "127.0.0.1:0" } };
    const scene = await setUp(t, { handler: vllm(0.5, 1), pool: { orca: "text" }, rest });
    const headers = { "Endpoint-Load-Metrics-Format": "JSON" };
    const answer = await scene.request("/x", { headers });
    assert.equal(scene.backend.requests[0]!.headers.get("endpoint-load-metrics-format"), "JSON");
    assert.match(String(answer.headers["endpoint-load-metrics"]), /^JSON \{"named_metrics"/);
    assert.deepEqual(await vitals(scene, scene.backend.id), { cpu: null, memory: null, gpu: 0.5, queued: 1 });
  });

  it("are neither asked for nor read with off, nor beside an agent, nor by other policies", async (t) => {
    const agent = { policy: "resource", agent_check: { port: 1, interval: "1h" } };
    for (const pool of [{ policy: "resource", orca: "off" }, agent, {}]) {
      const scene = await setUp(t, {
        handler: (asked) => asked.respond(200, "", { "endpoint-load-metrics": "TEXT cpu_utilization=0.5" }),
        pool,
        rest: { admin: { bind: "127.0.0.1:0" } },
      });
      const answer = await scene.request("/x");
      assert.equal(scene.backend.requests[0]!.headers.has("endpoint-load-metrics-format"), false);
      assert.equal(answer.headers["endpoint-load-metrics"], "TEXT cpu_utilization=0.5");
      assert.equal(await vitals(scene, scene.backend.id), null);
    }
  });

  it("count only where they make sense", async (t) => {
    const rest = { admin: { bind: "127.0.0.1:0" } };
    const scene = await setUp(t, { pool: { orca: "text" }, rest });
    const cases: readonly [string, object | null][] = [
      ["BIN CZqZmZmZmbk/MQAAAAAAAABA", null],
      ["TEXT eps=3, rps_fractional=9", null],
      ["TEXT mem_utilization=40, named_metrics.kv_cache_usage_perc=40", null],
      [`TEXT cpu_utilization=0.5${",x=1".repeat(2_000)}`, null],
      [
        "TEXT cpu_utilization=1.7, mem_utilization=0.25, application_utilization=0.5",
        { cpu: 1, memory: 0.25, gpu: 0.5, queued: null },
      ],
    ];
    for (const [report, expected] of cases) {
      scene.backend.handler = (asked): void => asked.respond(200, "", { "endpoint-load-metrics": report });
      assert.equal((await scene.request("/x")).status, 200);
      assert.deepEqual(await vitals(scene, scene.backend.id), expected, report.slice(0, 80));
    }
  });
});

/** As vLLM answers (`entrypoints/openai/orca_metrics.py`): only who asks is told, in its words. */
function vllm(cacheUsage: number, waiting: number): BackendHandler {
  return (asked: BackendRequest): void => {
    const format = (asked.headers.get("endpoint-load-metrics-format") ?? "").toLowerCase();
    const metrics = { kv_cache_usage_perc: cacheUsage, num_requests_waiting: waiting };
    const listed = Object.entries(metrics).map(
      ([name, value]) => `named_metrics.${name}=${value.toFixed(2)}`,
    );
    const reports: Readonly<Record<string, string>> = {
      text: `TEXT ${listed.join(", ")}`,
      json: `JSON ${JSON.stringify({ named_metrics: metrics })}`,
    };
    const report = reports[format];
    const fields = report === undefined ? {} : { "endpoint-load-metrics": report };
    asked.respond(200, "ok", { "x-model": "m", ...fields });
  };
}

/** Many at once, so that they go to others than the best, too. */
async function untilReported(scene: Scene, id: string): Promise<void> {
  for (let i = 0; (await vitals(scene, id)) === null; i++) {
    assert.ok(i < 200, `${id} was never asked`);
    await Promise.all(Array.from({ length: 16 }, () => scene.request("/x")));
  }
}

/** What the admin API says, but for the age. */
async function vitals({ evener }: Scene, id: string): Promise<object | null> {
  const response = await fetch(`http://127.0.0.1:${evener.adminPort}/api/v1/pools/default`);
  const { backends } = (await response.json()) as { backends: { id: string; vitals: object | null }[] };
  const found = backends.find((backend) => backend.id === id)!.vitals;
  if (found === null) return null;
  const { age_ms: ageMs, ...rest } = found as { age_ms: number };
  assert.ok(ageMs >= 0 && ageMs < 60_000);
  return rest;
}
