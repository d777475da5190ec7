import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { Random } from "../../../src/core/kit/random.ts";
import { BatchingEngine, DEMO_ENGINE, type EngineOptions, type Sequence } from "../../../src/demo/engine.ts";
import { quantile } from "../../../src/demo/traffic-tally.ts";
import { DEMO_REQUESTS_PER_SECOND, DEMO_WORKLOAD, drawAsk } from "../../../src/demo/workload.ts";

const STEADY: EngineOptions = { ...DEMO_ENGINE, jitter: 0, stepPerKvTokenMs: 0 };

function engineOf(options: Partial<EngineOptions> = {}): BatchingEngine {
  return new BatchingEngine({ ...STEADY, ...options }, new Random(1));
}

function submit(engine: BatchingEngine, promptTokens: number, outputTokens: number): Sequence {
  const sequence = engine.submit(promptTokens, outputTokens);
  assert.ok(sequence);
  return sequence;
}

/** One step; its length in ms. */
function step(engine: BatchingEngine, onToken: (sequence: Sequence) => void = () => {}): number {
  const ms = engine.beginStep();
  if (ms > 0) engine.endStep(onToken);
  return ms;
}

function stepMs(tokens: number, slowness = 1): number {
  return (STEADY.stepBaseMs + STEADY.stepPerTokenMs * tokens) * slowness;
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is ${expected}`);
}

describe("the batching engine", () => {
  it("has nothing to do when it is empty", () => {
    assert.equal(engineOf().beginStep(), 0);
  });

  it("reads a prompt in pieces of the budget; the last piece gives the first token", () => {
    const engine = engineOf();
    const sequence = submit(engine, 1200, 2);
    close(step(engine), stepMs(512));
    close(step(engine), stepMs(512));
    assert.equal(sequence.generated, 0);
    close(step(engine), stepMs(176));
    assert.equal(sequence.generated, 1);
    close(step(engine), stepMs(1));
    assert.equal(sequence.state, "finished");
    assert.equal(engine.running, 0);
    assert.equal(engine.kvUsage, 0);
  });

  it("shares the budget: decoding comes first, prompts get the rest", () => {
    const engine = engineOf();
    for (let i = 0; i < 10; i++) submit(engine, 1, 100);
    step(engine);
    const long = submit(engine, 1000, 10);
    close(step(engine), stepMs(512));
    assert.equal(long.prefilled, 502);
    close(step(engine), stepMs(508));
    assert.equal(long.generated, 1);
  });

  it("makes every decoding wait for a prompt that shares its step", () => {
    const engine = engineOf();
    submit(engine, 10, 100);
    step(engine);
    close(step(engine), stepMs(1));
    submit(engine, 2000, 1);
    close(step(engine), stepMs(512));
  });

  it("makes a first token wait for the prompts before it", () => {
    const firstTokenAfter = (before: number): number => {
      const engine = engineOf();
      for (let i = 0; i < before; i++) submit(engine, 500, 10);
      const probe = submit(engine, 100, 1);
      let ms = 0;
      while (probe.generated === 0) ms += step(engine);
      return ms;
    };
    assert.ok(firstTokenAfter(4) > 4 * firstTokenAfter(0));
    assert.ok(firstTokenAfter(8) > 1.9 * firstTokenAfter(4));
  });

  it("never runs more than the limit of sequences, and refuses what can not wait", () => {
    const engine = engineOf({ sequencesMax: 3, waitingMax: 4 });
    for (let i = 0; i < 4; i++) submit(engine, 1, 100);
    assert.equal(engine.submit(1, 1), undefined);
    step(engine);
    assert.deepEqual([engine.running, engine.waiting], [3, 1]);
  });

  it("admits only what the KV cache can hold to the end", () => {
    const engine = engineOf({ kvTokensMax: 1000, contextTokensMax: 1000 });
    submit(engine, 100, 500);
    const second = submit(engine, 100, 500);
    for (let steps = 0; steps < 500; steps++) {
      assert.equal(second.state, "waiting");
      step(engine);
    }
    step(engine);
    assert.equal(second.state, "running");
  });

  it("frees a cancelled sequence at once: waiting, in mid-step, twice", () => {
    const engine = engineOf({ sequencesMax: 1 });
    const running = submit(engine, 100, 10);
    const waiting = submit(engine, 100, 10);
    engine.beginStep();
    engine.cancel(waiting);
    assert.equal(engine.waiting, 0);
    engine.cancel(running);
    engine.cancel(running);
    assert.equal(engine.running, 0);
    engine.endStep(() => assert.fail("no token for who has left"));
    assert.equal(engine.kvUsage, 0);
    assert.equal(engine.beginStep(), 0);
  });

  it("takes a cancel from inside the delivery of tokens", () => {
    const engine = engineOf();
    const all = [submit(engine, 1, 9), submit(engine, 1, 9), submit(engine, 1, 9)];
    const told: Sequence[] = [];
    step(engine, (sequence) => {
      told.push(sequence);
      engine.cancel(all[1]!);
    });
    assert.deepEqual(told, [all[0], all[2]]);
    assert.equal(engine.running, 2);
  });

  it("is four times slower when told so", () => {
    const [fast, slow] = [engineOf(), engineOf({ slowness: 4 })];
    for (const engine of [fast, slow]) submit(engine, 700, 50);
    for (let steps = 0; steps < 51; steps++) close(step(slow), 4 * step(fast));
  });

  it("repeats itself from a seed, bit for bit", () => {
    const first = simulate({ slowness: 1, requestsPerSecond: 8, seconds: 20, seed: 7 });
    const second = simulate({ slowness: 1, requestsPerSecond: 8, seconds: 20, seed: 7 });
    assert.deepEqual(first, second);
  });

  it("keeps its counts and limits whatever is submitted and cancelled", () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant("submit"),
        prompt: fc.integer({ min: 1, max: 1500 }),
        output: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ kind: fc.constant("cancel"), prompt: fc.nat(50), output: fc.constant(1) }),
      fc.record({ kind: fc.constant("step"), prompt: fc.constant(1), output: fc.constant(1) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const engine = engineOf({
          sequencesMax: 4,
          waitingMax: 6,
          kvTokensMax: 4000,
          contextTokensMax: 2000,
        });
        const all: Sequence[] = [];
        for (const { kind, prompt, output } of actions) {
          const victim = all[prompt % Math.max(1, all.length)];
          if (kind === "step") step(engine);
          else if (kind === "cancel" && victim !== undefined) engine.cancel(victim);
          else all.push(...[engine.submit(prompt || 1, output)].filter((one) => one !== undefined));
          assert.ok(engine.running <= 4 && engine.waiting <= 6 && engine.kvUsage >= 0 && engine.kvUsage <= 1);
          assert.equal(engine.running, all.filter((one) => one.state === "running").length);
          assert.equal(engine.waiting, all.filter((one) => one.state === "waiting").length);
        }
        for (let steps = 0; steps < 500 && engine.running + engine.waiting > 0; steps++) step(engine);
        assert.deepEqual([engine.running, engine.waiting, engine.kvUsage], [0, 0, 0]);
      }),
    );
  });
});

describe("the demo's numbers", () => {
  it("has a capacity of 12 requests/s, and 3 for the slow one", () => {
    const fast = simulate({ slowness: 1, requestsPerSecond: 40, seconds: 240, seed: 1 });
    const slow = simulate({ slowness: 4, requestsPerSecond: 20, seconds: 960, seed: 1 });
    assert.ok(fast.completedPerSecond > 11.5 && fast.completedPerSecond < 12.5, `${fast.completedPerSecond}`);
    assert.ok(slow.completedPerSecond > 2.85 && slow.completedPerSecond < 3.15, `${slow.completedPerSecond}`);
  });

  it("builds a clear queue on the slow one within 15 s when everyone gets a third", () => {
    const third = DEMO_REQUESTS_PER_SECOND / 3;
    for (const seed of [1, 2, 3]) {
      const fast = simulate({ slowness: 1, requestsPerSecond: third, seconds: 15, seed });
      const slow = simulate({ slowness: 4, requestsPerSecond: third, seconds: 15, seed });
      assert.ok(fast.p95FirstTokenMs < 400, `fast: ${fast.p95FirstTokenMs} ms`);
      assert.ok(slow.p95FirstTokenMs > 2500, `slow: ${slow.p95FirstTokenMs} ms`);
      assert.ok(slow.waiting >= 8, `${slow.waiting} wait`);
    }
  });

  it("is comfortable when work is split in proportion to speed", () => {
    const unit = DEMO_REQUESTS_PER_SECOND / 9;
    for (const seed of [1, 2, 3]) {
      const fast = simulate({ slowness: 1, requestsPerSecond: 4 * unit, seconds: 120, seed });
      const slow = simulate({ slowness: 4, requestsPerSecond: unit, seconds: 120, seed });
      assert.ok(fast.p95FirstTokenMs < 400, `fast: ${fast.p95FirstTokenMs} ms`);
      assert.ok(slow.p95FirstTokenMs < 2000, `slow: ${slow.p95FirstTokenMs} ms`);
      assert.ok(fast.waiting + slow.waiting < 8);
    }
  });
});

interface Run {
  readonly slowness: number;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  readonly seed: number;
}

/** The demo's workload against one engine, in virtual time. */
function simulate(run: Run): { completedPerSecond: number; p95FirstTokenMs: number; waiting: number } {
  const dice = new Random(run.seed);
  const engine = new BatchingEngine({ ...DEMO_ENGINE, slowness: run.slowness }, dice.split(1));
  const arrivedAtMs = new Map<Sequence, number>();
  const firstTokenMs: number[] = [];
  let completed = 0;
  let nextAtMs = 0;
  for (let nowMs = 0; nowMs < run.seconds * 1000;) {
    for (; nextAtMs <= nowMs; nextAtMs += dice.exponential(1000 / run.requestsPerSecond)) {
      const ask = drawAsk(dice, DEMO_WORKLOAD);
      const sequence = engine.submit(Math.ceil(ask.promptBytes / 4), ask.maxTokens);
      if (sequence !== undefined) arrivedAtMs.set(sequence, nextAtMs);
    }
    const ms = engine.beginStep();
    nowMs = ms === 0 ? nextAtMs : nowMs + ms;
    if (ms === 0) continue;
    engine.endStep((sequence) => {
      if (sequence.generated === 1) firstTokenMs.push(nowMs - arrivedAtMs.get(sequence)!);
      if (sequence.state === "finished") completed++;
    });
  }
  const completedPerSecond = completed / run.seconds;
  return { completedPerSecond, p95FirstTokenMs: quantile(firstTokenMs, 0.95), waiting: engine.waiting };
}
