// Handovers while clients never stop: nothing is lost, nobody is reset, limits hold.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Processes } from "../fixtures/processes.ts";
import { backendsOf, configOf } from "../fixtures/process-scene.ts";
import { SteadyTraffic } from "../fixtures/steady-traffic.ts";
import { until } from "../fixtures/until.ts";

describe("a handover under load", () => {
  for (const [from, to] of [
    [0, 2],
    [1, 2],
  ] as const) {
    it(`loses nothing and resets nobody: ${from} to ${to} data threads and back`, async (t) => {
      const backends = await backendsOf(t, 2);
      const evener = await Processes.start(t, configOf(backends, {}, { threads: from }));
      const traffic = new SteadyTraffic(t, evener.port);
      for (const threads of [to, from]) {
        const before = evener.pid;
        const { answered } = traffic;
        await until(() => traffic.answered > answered + 50, "traffic");
        evener.write(configOf(backends, {}, { threads }));
        await evener.handOver();
        await evener.ended(before);
      }
      const { answered } = traffic;
      await until(() => traffic.answered > answered + 50, "traffic after all");
      assert.deepEqual(await traffic.end(backends), []);
      await evener.atRest();
      assert.equal(evener.count("nothing was cut"), 2);
      assert.equal(evener.count("this data thread accepts nothing there"), 0);
    });
  }

  it("five times in a row", async (t) => {
    const backends = await backendsOf(t, 2);
    const evener = await Processes.start(t, configOf(backends));
    const { port, adminPort } = evener;
    const traffic = new SteadyTraffic(t, port);
    for (let i = 0; i < 5; i++) {
      const before = evener.pid;
      await evener.handOver();
      await evener.ended(before);
    }
    assert.deepEqual(await traffic.end(backends), []);
    await evener.atRest();
    assert.deepEqual([evener.port, evener.adminPort], [port, adminPort]);
    assert.equal(evener.count("nothing was cut"), 5);
  });

  for (const threads of [0, 2]) {
    it(`keeps hard limits in the sum of both, with ${threads} data threads`, async (t) => {
      const running = new Map<string, number>();
      let most = 0;
      const backends = await backendsOf(t, 2, async (it) => {
        const { name } = it.backend;
        running.set(name, (running.get(name) ?? 0) + 1);
        most = Math.max(most, running.get(name)!);
        await sleep(2);
        running.set(name, running.get(name)! - 1);
        it.respond(200);
      });
      const limited = backends.map(({ url }) => ({ url, limit: 1 }));
      const pool = { backends: limited, queue: { max: 1_000, wait: "60s" } };
      const evener = await Processes.start(t, configOf(backends, pool, { threads }));
      const traffic = new SteadyTraffic(t, evener.port, { fresh: 8, kept: 8 });
      for (let i = 0; i < 2; i++) {
        const before = evener.pid;
        const { answered } = traffic;
        await until(() => traffic.answered > answered + 50, "traffic");
        await evener.handOver();
        await evener.ended(before);
      }
      assert.deepEqual(await traffic.end(backends), []);
      assert.equal(most, 1);
      await evener.atRest();
    });
  }
});
