// Following names: what is kept, when it is asked for again, what is told. Time and answers are the test's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { VirtualClock } from "../../../src/core/kit/clock.ts";
import { Random } from "../../../src/core/kit/random.ts";
import type { NameAnswer, NameSource } from "../../../src/discovery/dns.ts";
import { Names } from "../../../src/discovery/names.ts";

/** Names over answers that are prepared, and pauses that end when the test says so. */
class Stage {
  readonly clock: VirtualClock = new VirtualClock();
  readonly events: string[] = [];
  readonly asked: string[] = [];
  readonly closed: string[] = [];
  changes = 0;
  /** What the next question is answered. */
  answer: NameAnswer = failed("SERVFAIL");
  /** Pauses that are under way. */
  readonly pauses: { ms: number; end: () => void }[] = [];
  readonly names: Names;

  constructor(seed: number) {
    this.names = new Names({
      clock: this.clock,
      random: new Random(seed),
      sourceOf: (servers) => this.#source(servers.join(" ")),
      pause: (ms, signal) =>
        new Promise((resolve) => {
          const end = (): void => {
            this.pauses.splice(this.pauses.indexOf(pause), 1);
            resolve();
          };
          const pause = { ms, end };
          this.pauses.push(pause);
          signal.addEventListener("abort", end, { once: true });
        }),
      onChange: () => this.changes++,
      onEvent: (kind, reason, evidence) => this.events.push(`${kind} | ${reason} | ${evidence}`),
    });
  }

  /** The pause until the next question is over; returns how long it was. */
  async next(): Promise<number> {
    const [pause] = this.pauses;
    assert.ok(pause !== undefined, "nobody waits");
    this.clock.advance(pause.ms);
    pause.end();
    for (let i = 0; i < 4; i++) await turn();
    return this.pauses[0]?.ms ?? Number.NaN;
  }

  #source(servers: string): NameSource {
    return {
      ask: (name) => {
        this.asked.push(servers === "" ? name : `${name}@${servers}`);
        return Promise.resolve(this.answer);
      },
      close: () => this.closed.push(servers),
    };
  }
}

function found(ttlMs: number, ...addresses: string[]): NameAnswer {
  return { kind: "found", addresses, ttlMs };
}

function failed(reason: string): NameAnswer {
  return { kind: "failed", reason };
}

function assertWithin(ms: number, least: number, most: number): void {
  assert.ok(ms >= least && ms <= most, `${ms} is not ${least} to ${most}`);
}

test("what was good is kept through every failure, however long, and one event says so", async () => {
  const stage = new Stage(1);
  stage.answer = found(5_000, "10.0.0.1", "10.0.0.2");
  await stage.names.follow(["llm.test"], []);
  assert.deepEqual(stage.names.addressesOf("llm.test"), ["10.0.0.1", "10.0.0.2"]);
  stage.answer = failed("SERVFAIL");
  for (let i = 0; i < 20; i++) await stage.next();
  assert.deepEqual(stage.names.addressesOf("llm.test"), ["10.0.0.1", "10.0.0.2"]);
  const [figures] = stage.names.figures();
  assert.equal(figures!.failures, 20);
  assertWithin(figures!.ageMs, 20 * 800, 20 * 36_000);
  stage.answer = found(5_000, "10.0.0.1", "10.0.0.2");
  await stage.next();
  assert.equal(stage.changes, 1);
  assert.match(stage.events[1]!, /^unresolved \| llm\.test: SERVFAIL \| kept: 2 of \d+ s ago$/);
  assert.deepEqual(stage.events.toSpliced(1, 1), [
    "resolved | llm.test: 2 addresses | +10.0.0.1 +10.0.0.2",
    "resolved | llm.test: 2 addresses | ",
  ]);
  assert.equal(stage.names.figures()[0]!.ageMs, 0);
});

test("a name is asked for again after its TTL, within bounds and not in step", async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const stage = new Stage(seed);
    stage.answer = found(60_000, "10.0.0.1");
    await stage.names.follow(["llm.test"], []);
    assertWithin(stage.pauses[0]!.ms, 60_000, 72_000);
    stage.answer = found(0, "10.0.0.1");
    assertWithin(await stage.next(), 1_000, 1_200);
    stage.answer = found(86_400_000, "10.0.0.1");
    assertWithin(await stage.next(), 300_000, 360_000);
  }
  const waits = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const stage = new Stage(seed);
    stage.answer = found(60_000, "10.0.0.1");
    await stage.names.follow(["llm.test"], []);
    waits.add(stage.pauses[0]!.ms);
  }
  assert.equal(waits.size, 20);
});

test("failures are asked again soon, then less and less often", async () => {
  const stage = new Stage(7);
  await stage.names.follow(["llm.test"], []);
  assert.deepEqual(stage.names.addressesOf("llm.test"), []);
  assert.deepEqual(stage.events, ["unresolved | llm.test: SERVFAIL | there was no answer before"]);
  let waitMs = stage.pauses[0]!.ms;
  for (const expected of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    assertWithin(waitMs, expected * 0.8, expected * 1.2);
    waitMs = await stage.next();
  }
});

test("1 to 100 to 1: each change is told once, and a long list is cut in the event", async () => {
  const stage = new Stage(3);
  const hundred = Array.from({ length: 100 }, (_, i) => `10.0.0.${i + 1}`);
  stage.answer = found(1_000, "10.0.0.1");
  await stage.names.follow(["llm.test"], []);
  const version = stage.names.version;
  stage.answer = found(1_000, ...hundred);
  await stage.next();
  await stage.next();
  assert.equal(stage.names.addressesOf("llm.test").length, 100);
  stage.answer = found(1_000, "10.0.0.1");
  await stage.next();
  assert.deepEqual(stage.names.addressesOf("llm.test"), ["10.0.0.1"]);
  assert.equal(stage.changes, 3);
  assert.equal(stage.names.version, version + 2);
  assert.equal(stage.events.length, 3);
  assert.match(stage.events[1]!, /100 addresses \| \+10\.0\.0\.2 .* and 89 more$/);
});

test("names that are followed no more are not asked for, others keep what they have", async () => {
  const stage = new Stage(4);
  stage.answer = found(1_000, "10.0.0.1");
  await stage.names.follow(["a.test", "b.test"], []);
  await stage.names.follow(["b.test"], []);
  assert.deepEqual(stage.names.addressesOf("a.test"), []);
  assert.deepEqual(stage.names.addressesOf("b.test"), ["10.0.0.1"]);
  assert.deepEqual(stage.asked, ["a.test", "b.test"]);
  await stage.next();
  assert.deepEqual(stage.asked, ["a.test", "b.test", "b.test"]);
  stage.names.close();
  assert.deepEqual(stage.pauses, []);
});

test("other servers are asked at once, and what is known stays until they answer", async () => {
  const stage = new Stage(5);
  stage.answer = found(60_000, "10.0.0.1");
  await stage.names.follow(["a.test"], ["127.0.0.1:1"]);
  stage.answer = failed("SERVFAIL");
  await stage.names.follow(["a.test"], ["127.0.0.1:2"]);
  for (let i = 0; i < 4; i++) await turn();
  assert.deepEqual(stage.asked, ["a.test@127.0.0.1:1", "a.test@127.0.0.1:2"]);
  assert.deepEqual(stage.closed, ["127.0.0.1:1"]);
  assert.deepEqual(stage.names.addressesOf("a.test"), ["10.0.0.1"]);
});
