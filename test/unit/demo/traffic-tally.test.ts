import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../src/core/kit/random.ts";
import { NO_BACKEND, quantile, TrafficTally } from "../../../src/demo/traffic-tally.ts";
import { DEMO_WORKLOAD, drawAsk } from "../../../src/demo/workload.ts";

describe("the tally of the demo's traffic", () => {
  it("counts by backend and overall", () => {
    const tally = new TrafficTally();
    for (let ms = 1; ms <= 100; ms++) tally.began("b", ms);
    tally.began("a", 1000);
    tally.ended("a", 3000);
    tally.failed("b", true);
    tally.failed(NO_BACKEND, false);
    tally.dropped();
    const { overall, backends, dropped, abandoned } = tally.report();
    assert.deepEqual([...backends.keys()], ["a", "b", "none"]);
    assert.deepEqual(
      [...backends.values()].map((row) => [row.count, row.failed]),
      [
        [1, 0],
        [100, 1],
        [1, 1],
      ],
    );
    assert.equal(backends.get("b")!.p50FirstByteMs, 50);
    assert.equal(backends.get("b")!.p95FirstByteMs, 95);
    assert.equal(backends.get("a")!.p95TotalMs, 3000);
    assert.ok(Number.isNaN(backends.get("none")!.p95FirstByteMs));
    assert.deepEqual([overall.count, overall.failed, dropped, abandoned], [102, 2, 1, 0]);
    tally.clear();
    assert.equal(tally.report().overall.count, 0);
  });

  it("takes those that still wait as at least this late", () => {
    const tally = new TrafficTally();
    for (let i = 0; i < 10; i++) tally.began("a", 10);
    assert.equal(tally.report([5000, 6000]).overall.p95FirstByteMs, 6000);
    assert.equal(tally.report().overall.p95FirstByteMs, 10);
    tally.abandoned(7000);
    assert.equal(tally.report().overall.p99FirstByteMs, 7000);
    assert.equal(tally.report().abandoned, 1);
  });

  it("is bounded in names", () => {
    const tally = new TrafficTally();
    for (let i = 0; i < 500; i++) tally.began(`backend-${i}`, 1);
    assert.ok(tally.report().backends.size <= 101);
    assert.equal(tally.report().overall.count, 500);
  });

  it("reads quantiles by nearest rank", () => {
    assert.ok(Number.isNaN(quantile([], 0.5)));
    assert.equal(quantile([3], 0.99), 3);
    assert.equal(quantile([4, 1, 3, 2], 0.5), 2);
    assert.equal(quantile([4, 1, 3, 2], 1), 4);
    assert.equal(quantile([4, 1, 3, 2], 0), 1);
  });
});

describe("the demo's workload", () => {
  it("stays in its bounds, and has the mean that it says", () => {
    const dice = new Random(1);
    let promptBytes = 0;
    let maxTokens = 0;
    for (let i = 0; i < 20_000; i++) {
      const ask = drawAsk(dice, DEMO_WORKLOAD);
      assert.ok(ask.promptBytes >= 800 && ask.promptBytes <= 6000);
      assert.ok(ask.maxTokens >= 40 && ask.maxTokens <= 80);
      promptBytes += ask.promptBytes;
      maxTokens += ask.maxTokens;
    }
    assert.ok(Math.abs(promptBytes / 20_000 / 4 - 645) < 10);
    assert.ok(Math.abs(maxTokens / 20_000 - 60) < 1);
  });
});
