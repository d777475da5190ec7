import assert from "node:assert/strict";
import { test } from "node:test";

import { SlowWatch } from "../../../src/core/health/slow-watch.ts";
import { SteadySpeed } from "../../../src/core/health/steady-speed.ts";
import { Ledger } from "../../../src/core/ledger.ts";

const TOLERANCE = 2;

test("called slow takes a second and four answers beyond the tolerance, without a break", () => {
  for (const [score, perTend, due] of [
    [2.1, 1, 1_000],
    [2.1, 0.1, 4_000],
    [2, 1, null],
    [100, 0, null],
  ] as const) {
    assert.equal(new Scene().turnsAfter(score, perTend), due, `score ${score}, ${perTend} answers a tend`);
  }
  const scene = new Scene();
  for (let i = 0; i < 100; i++) assert.equal(scene.tend(i % 8 === 0 ? 1.9 : 3, 1), false);
});

test("called well takes less than the root of the tolerance, ten seconds and ten answers", () => {
  for (const [score, perTend, due] of [
    [1.4, 1, 10_000],
    [1.4, 0.05, 20_000],
    [1.5, 1, null],
    [1, 0, null],
  ] as const) {
    const scene = new Scene();
    scene.turnsAfter(3, 1);
    assert.equal(scene.turnsAfter(score, perTend), due, `score ${score}, ${perTend} answers a tend`);
  }
});

test("who is slow again has to be well for longer each time, up to five minutes", () => {
  const scene = new Scene();
  const round = (): number | null => {
    assert.equal(scene.turnsAfter(3, 1), 1_000);
    return scene.turnsAfter(1, 1);
  };
  assert.deepEqual(
    Array.from({ length: 7 }, round),
    [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000],
  );
  // The next process knows it, too.
  const { watch } = scene;
  scene.watch = new SlowWatch();
  scene.watch.load(structuredClone(watch.dump(scene.nowMs)), scene.nowMs);
  assert.equal(round(), 300_000);
  scene.nowMs += 600_000;
  assert.equal(round(), 10_000);
});

test("many answers at once say what one says", () => {
  const ledger = new Ledger({ slotsMax: 4 });
  const steady = new SteadySpeed(ledger);
  const slots = Int32Array.of(0, 1);
  let nowMs = 0;
  const step = (counts: readonly number[], ms: number): void => {
    nowMs += 100;
    for (const slot of slots) {
      for (let i = 0; i < counts[slot]!; i++) {
        ledger.samples[slot]! += 1;
        steady.observe(slot, ms);
      }
    }
    steady.fold(slots, nowMs);
  };
  for (let i = 0; i < 1_000; i++) step([1, 1], 20);
  step([1, 30], 200);
  assert.ok(ledger.steadyMs[0]! > 20 && ledger.steadyMs[0]! < 22);
  assert.ok(Math.abs(ledger.steadyMs[0]! - ledger.steadyMs[1]!) < 1e-9);
});

class Scene {
  watch: SlowWatch = new SlowWatch();
  nowMs = 0;
  #samples = 0;

  tend(score: number, samples: number): boolean {
    this.nowMs += 100;
    this.#samples += samples;
    return this.watch.step(score, Math.floor(this.#samples + 1e-6), TOLERANCE, this.nowMs);
  }

  /** Milliseconds from the first tend with that score to the one that turns it; null: not in an hour. */
  turnsAfter(score: number, perTend: number): number | null {
    this.#samples = Math.ceil(this.#samples);
    this.tend(score, 0);
    for (let ms = 100; ms <= 3_600_000; ms += 100) if (this.tend(score, perTend)) return ms;
    return null;
  }
}
