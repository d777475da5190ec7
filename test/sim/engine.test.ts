// An engine's steps, against numbers added up by hand: see PLAIN for what a step costs.
import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeSeconds, ENGINE_MODELS, engineModel, mixedStepSeconds } from "../../src/sim/engine-models.ts";
import { Bench, PLAIN, request } from "./fixtures.ts";

test("one request: its prompt in one step, then a step a token", () => {
  const bench = new Bench();
  bench.send({ inputTokens: 50, outputTokens: 3 });
  bench.runOut();
  assert.deepEqual(bench.diary, ["first 0 50", "end 0 70"]);
  assert.equal(bench.engine.busyS, 70);
});

test("an answer of one token ends with its first", () => {
  const bench = new Bench();
  bench.send({ outputTokens: 1 });
  bench.runOut();
  assert.deepEqual(bench.diary, ["first 0 50", "end 0 50"]);
});

test("a long prompt is computed in chunks of the step's budget", () => {
  const bench = new Bench();
  bench.send({ inputTokens: 250, outputTokens: 1 });
  assert.equal(bench.engine.nextS, 100);
  bench.runTo(100);
  assert.equal(bench.engine.nextS, 200);
  bench.runOut();
  assert.deepEqual(bench.diary, ["first 0 250", "end 0 250"]);
});

test("decodes come first in a step, and wait for the chunks in it", () => {
  // Request 0 decodes from 50 on; 1 comes in the step 50-60, is admitted at 60 and has 2 chunks, of 99 tokens
  // each as the decode takes one of the 100, in steps of 99 + 10 s.
  const bench = new Bench();
  bench.send({ id: 0, outputTokens: 10 });
  bench.send({ id: 1, atS: 55, inputTokens: 198, outputTokens: 1 });
  bench.runOut();
  // 0: first at 50, tokens at 60, 169, 278, then 6 more of 10 s each.
  assert.deepEqual(bench.diary, ["first 0 50", "first 1 278", "end 1 278", "end 0 338"]);
});

test("prompts share a step in the order of their admission", () => {
  const bench = new Bench();
  bench.send({ id: 0, inputTokens: 60, outputTokens: 1 });
  bench.send({ id: 1, inputTokens: 60, outputTokens: 1 });
  bench.send({ id: 2, inputTokens: 60, outputTokens: 1 });
  bench.runOut();
  // The first is alone in its step; then 60 and 40 tokens, then 20.
  assert.deepEqual(bench.diary, [
    "first 0 60",
    "end 0 60",
    "first 1 160",
    "end 1 160",
    "first 2 180",
    "end 2 180",
  ]);
});

test("a prompt that is in the cache costs its last token", () => {
  const bench = new Bench();
  const blocks = [0, 1, 2, 3, 4];
  bench.send({ id: 0, blocks, outputTokens: 1 });
  const again = bench.send({ id: 1, atS: 60, blocks, outputTokens: 1 });
  const other = bench.send({ id: 2, atS: 70, blocks: [0, 1, 7, 8, 9], outputTokens: 1 });
  bench.runOut();
  assert.deepEqual(bench.diary.slice(2), ["first 1 61", "end 1 61", "first 2 100", "end 2 100"]);
  assert.deepEqual([again.cachedTokens, other.cachedTokens], [49, 20]);
});

test("a prefix is there for others when its prefill is complete, not before", () => {
  const bench = new Bench({ ...PLAIN, stepTokensMax: 20 });
  bench.send({ id: 0, blocks: [0, 1, 2, 3, 4], outputTokens: 1 });
  bench.send({ id: 1, atS: 10, blocks: [0, 1, 2, 3, 4], outputTokens: 1 });
  bench.runTo(35);
  assert.equal(bench.engine.report(35).waitingTokens, 30 + 50);
  bench.runOut();
  assert.deepEqual(bench.diary, ["first 0 60", "end 0 60", "first 1 100", "end 1 100"]);
});

test("the longest unused blocks are evicted first, and the last of a prompt before the first", () => {
  const bench = new Bench({ ...PLAIN, kvTokens: 120 });
  bench.send({ id: 0, blocks: [0, 1, 2, 3, 4], outputTokens: 1 });
  bench.send({ id: 1, atS: 100, blocks: [10, 11, 12, 13, 14], outputTokens: 1 });
  // Used again: 0 is younger than 1 now.
  bench.send({ id: 2, atS: 200, blocks: [0, 1, 2, 3, 4], outputTokens: 1 });
  bench.send({ id: 3, atS: 300, blocks: [20, 21, 22, 23, 24], outputTokens: 1 });
  bench.runOut();
  const { memory } = bench.engine;
  const cached = (blocks: number[]): number => memory.cachedTokens(request({ blocks }));
  assert.equal(memory.usedTokens <= 120, true);
  assert.equal(cached([0, 1, 2, 3, 4]), 49);
  assert.equal(cached([10, 11, 12, 13, 14]), 20);
});

test("who does not fit holds up those behind", () => {
  const bench = new Bench({ ...PLAIN, kvTokens: 210, stepTokensMax: 1000 });
  bench.send({ id: 0, inputTokens: 100, outputTokens: 3 });
  bench.send({ id: 1, atS: 1, inputTokens: 150, outputTokens: 1 });
  bench.send({ id: 2, atS: 2, inputTokens: 5, outputTokens: 1 });
  bench.runTo(110);
  assert.equal(bench.engine.waiting, 2);
  bench.runOut();
  assert.deepEqual(bench.diary, [
    "first 0 100",
    "end 0 120",
    "first 1 275",
    "end 1 275",
    "first 2 275",
    "end 2 275",
  ]);
});

test("when the cache is full the last admitted is put back, and computes again what it had", () => {
  // Room for 100 + 100 prompts and 10 more tokens; each writes 20.
  const bench = new Bench({ ...PLAIN, kvTokens: 210, stepTokensMax: 1000 });
  bench.send({ id: 0, inputTokens: 100, outputTokens: 20 });
  bench.send({ id: 1, inputTokens: 100, outputTokens: 20 });
  bench.runOut();
  assert.equal(bench.engine.preemptions, 1);
  // The step from 100 to 210 has a token of 0 and the prompt of 1. Then both write, until at 240 they have 5
  // and 4 tokens: 209 are held, two more do not fit, and 1 is put back. 0 ends 15 steps later. Then 1
  // computes 104 tokens again (its 5th token comes at 494) and writes 15 more.
  assert.deepEqual(bench.diary, ["first 0 100", "first 1 210", "end 0 390", "end 1 644"]);
  assert.equal(bench.engine.memory.usedTokens, 0);
});

test("half the speed from some moment on: what is left of the step takes twice as long", () => {
  const bench = new Bench();
  bench.send({ inputTokens: 50, outputTokens: 3 });
  bench.runTo(20);
  bench.engine.setSpeed(0.5, 20);
  bench.runTo(85);
  // The first token comes at 20 + 60; each step takes 20 s then.
  bench.engine.setSpeed(1, 85);
  bench.runOut();
  // 5 of 20 s of the step are over at 85; what is left takes 7.5 s.
  assert.deepEqual(bench.diary, ["first 0 80", "end 0 102.5"]);
});

test("a hang stops all, its end goes on", () => {
  const bench = new Bench();
  bench.send({ inputTokens: 50, outputTokens: 5 });
  bench.runTo(65);
  bench.engine.setSpeed(0, 65);
  assert.equal(bench.engine.nextS, Number.POSITIVE_INFINITY);
  bench.send({ id: 1, atS: 80, inputTokens: 30, outputTokens: 1 });
  assert.equal(bench.engine.report(90).waiting, 1);
  bench.engine.setSpeed(1, 165);
  bench.nowS = 165;
  bench.runOut();
  // The step ends at 170, then one of 30 + 10 s, then one more decode step.
  assert.deepEqual(bench.diary, ["first 0 50", "first 1 210", "end 1 210", "end 0 220"]);
});

test("a crash gives back all requests and forgets the cache", () => {
  const bench = new Bench();
  bench.send({ id: 0, blocks: [0, 1, 2, 3, 4], outputTokens: 9 });
  bench.send({ id: 1, atS: 55 });
  const lost = bench.engine.crash(70);
  assert.deepEqual(
    lost.map((flight) => flight.request.id),
    [0, 1],
  );
  assert.equal(bench.engine.memory.usedTokens, 0);
  assert.deepEqual(bench.engine.report(70), {
    waiting: 0,
    running: 0,
    kvUsage: 0,
    waitingTokens: 0,
    contextTokens: 0,
    finished: 0,
  });
  assert.equal(bench.engine.busyS, 70);
});

test("what is read in the middle of many steps is as of then", () => {
  const bench = new Bench();
  bench.send({ inputTokens: 50, outputTokens: 100 });
  bench.runTo(50);
  assert.equal(bench.engine.report(50).contextTokens, 51);
  assert.equal(bench.engine.report(89).contextTokens, 54);
  assert.equal(bench.engine.report(90).contextTokens, 55);
  assert.equal(bench.engine.report(90).kvUsage, 0.055);
  bench.runOut();
  assert.deepEqual(bench.diary, ["first 0 50", "end 0 1040"]);
});

test("many decode steps cost the sum of the single ones, in every model", () => {
  for (const model of ENGINE_MODELS) {
    let sum = 0;
    for (let step = 0; step < 400; step++) sum += decodeSeconds(model, 30, 200_000 + 30 * step, 1);
    const atOnce = decodeSeconds(model, 30, 200_000, 400);
    assert.ok(Math.abs(atOnce / sum - 1) < 1e-12, `${model.name}: ${atOnce}, ${sum}`);
    // Contexts that share prefixes may be more than the cache holds.
    const full = model.kvTokens - 3000;
    sum = 0;
    for (let step = 0; step < 400; step++) sum += decodeSeconds(model, 30, full + 30 * step, 1);
    assert.ok(Math.abs(decodeSeconds(model, 30, full, 400) / sum - 1) < 1e-12, model.name);
  }
});

test("the models give what they were made from", () => {
  const step = (name: string, tokens: number): number => {
    const model = engineModel(name)!;
    return 1000 * mixedStepSeconds({ ...model, attentionS: 0 }, { tokens, pairs: 0, decodes: 0, context: 0 });
  };
  const near = (value: number, expected: number, share: number): void => {
    assert.ok(Math.abs(value / expected - 1) <= share, `${value}, expected ${expected}`);
  };
  // Vidur's rows, milliseconds by tokens in the step; the line through them is within 11 %.
  near(step("a100-8b", 1), 9.7, 0.001);
  near(step("a100-8b", 1024), 75, 0.11);
  near(step("a100-8b", 2048), 146, 0.07);
  near(step("a100-8b", 4096), 274, 0.01);
  near(step("h100-70b", 1), 14.3, 0.001);
  near(step("h100-70b", 1024), 62, 0.11);
  near(step("h100-70b", 2048), 111, 0.01);
  near(step("h100-70b", 4096), 223, 0.01);
  // Dynamo's formulas: a whole prefill of n tokens, and a decode step at a share u of the cache.
  const mocker = engineModel("mocker")!;
  const n = 8000;
  const prefill = mixedStepSeconds(mocker, { tokens: n, pairs: (n * n) / 2, decodes: 0, context: 0 });
  near(1000 * prefill, 4.209989e-7 * n * n + 1.518344e-2 * n + 16.5, 1e-9);
  const u = 0.4;
  const decode = decodeSeconds(mocker, 20, u * mocker.kvTokens, 1);
  near(1000 * decode, -25.74 * u * u + 54.01 * u + 5.74, 1e-9);
});
