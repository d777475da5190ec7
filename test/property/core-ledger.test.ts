import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { Ledger } from "../../src/core/ledger.ts";

const SLOTS = 4;
const UNITS_MAX = 0x7fffffff;

test("the ledger keeps exact books while slots are claimed, retired, revived and reused", () => {
  const which = fc.nat(30);
  const units = fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: UNITS_MAX }));
  const command = fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant("claim" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("retire" as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("revive" as const), which }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("book" as const), which, units }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("unbook" as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("workOff" as const), which, units }) },
  );
  fc.assert(
    fc.property(fc.boolean(), fc.array(command, { maxLength: 150 }), (shared, commands) => {
      const model = new Model(new Ledger({ slotsMax: SLOTS, shared }));
      for (const command of commands) {
        if (command.do === "claim") model.claim();
        else if (command.do === "retire") model.retire(command.which);
        else if (command.do === "revive") model.revive(command.which);
        else if (command.do === "book") model.book(command.which, command.units);
        else if (command.do === "unbook") model.unbook(command.which);
        else model.workOff(command.which, command.units);
        model.compare();
      }
      model.end();
    }),
    { numRuns: 500 },
  );
});

test("pending units saturate instead of wrapping", () => {
  const ledger = new Ledger({ slotsMax: 1 });
  const slot = ledger.claim();
  for (let i = 0; i < 3; i++) ledger.book(slot, UNITS_MAX);
  assert.equal(ledger.pendingUnits[slot], UNITS_MAX);
  for (let i = 0; i < 3; i++) ledger.unbook(slot, ledger.generation[slot]!, UNITS_MAX);
  assert.equal(ledger.pendingUnits[slot], 0);
});

/** An endpoint's life in a slot. */
interface Life {
  readonly slot: number;
  readonly generation: number;
  state: "live" | "retiring" | "gone";
  open: number[];
  /** Units were lost to saturation or to work that was done early. */
  isExact: boolean;
}

class Model {
  readonly #ledger: Ledger;
  readonly #lives: Life[] = [];
  readonly #retiring: Life[] = [];
  #lateSettles = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  claim(): void {
    const used = this.#lives.filter(({ state }) => state !== "gone");
    if (used.length === SLOTS && this.#retiring.length === 0) {
      assert.throws(() => this.#ledger.claim(), RangeError);
      return;
    }
    const slot = this.#ledger.claim();
    if (used.length < SLOTS)
      assert.ok(
        used.every((life) => life.slot !== slot),
        "a slot in use was given away",
      );
    else {
      const oldest = this.#retiring.shift()!;
      assert.equal(slot, oldest.slot, "the one that left first is given away first");
      oldest.state = "gone";
    }
    const generation = this.#ledger.generation[slot]!;
    for (const life of this.#lives) assert.ok(life.slot !== slot || life.generation < generation);
    this.#lives.push({ slot, generation, state: "live", open: [], isExact: true });
  }

  retire(which: number): void {
    const life = this.#pick(which, "live");
    if (life === undefined) return;
    this.#ledger.retire(life.slot);
    if (life.open.length === 0) life.state = "gone";
    else {
      life.state = "retiring";
      this.#retiring.push(life);
    }
  }

  revive(which: number): void {
    const life = this.#lives[which % Math.max(1, this.#lives.length)];
    if (life === undefined || life.state === "live") return;
    const isLeft = life.state === "retiring";
    assert.equal(this.#ledger.revive(life.slot, life.generation), isLeft);
    if (!isLeft) return;
    life.state = "live";
    this.#retiring.splice(this.#retiring.indexOf(life), 1);
  }

  book(which: number, units: number): void {
    const life = this.#pick(which, "live");
    if (life === undefined) return;
    this.#ledger.book(life.slot, units);
    life.open.push(units);
    if (sum(life.open) > UNITS_MAX) life.isExact = false;
  }

  unbook(which: number): void {
    const open = this.#lives.filter((life) => life.open.length > 0);
    const life = open[which % Math.max(1, open.length)];
    if (life === undefined) return;
    const units = life.open.shift()!;
    const isOwn = life.state !== "gone";
    assert.equal(this.#ledger.unbook(life.slot, life.generation, units), isOwn);
    if (!isOwn) this.#lateSettles++;
    else if (life.open.length === 0) {
      life.isExact = true;
      if (life.state === "retiring") {
        life.state = "gone";
        this.#retiring.splice(this.#retiring.indexOf(life), 1);
      }
    }
  }

  workOff(which: number, units: number): void {
    const life = this.#lives[which % Math.max(1, this.#lives.length)];
    if (life === undefined) return;
    const before = this.#ledger.pendingUnits[life.slot]!;
    this.#ledger.workOff(life.slot, life.generation, units);
    if (this.#ledger.generation[life.slot] !== life.generation) {
      assert.equal(this.#ledger.pendingUnits[life.slot], before, "work of a former endpoint was booked");
    } else if (life.open.length > 0) life.isExact = false;
  }

  compare(): void {
    const ledger = this.#ledger;
    assert.equal(ledger.lateSettles, this.#lateSettles);
    for (const life of this.#lives) {
      if (life.state === "gone") continue;
      assert.equal(ledger.generation[life.slot], life.generation);
      assert.equal(ledger.inFlight[life.slot], life.open.length);
      const pending = ledger.pendingUnits[life.slot]!;
      assert.ok(pending >= 0 && pending <= UNITS_MAX);
      if (life.isExact) assert.equal(pending, sum(life.open));
    }
  }

  /** Everything ends: all is zero. */
  end(): void {
    while (this.#lives.some((life) => life.open.length > 0)) this.unbook(0);
    this.compare();
    assert.ok(this.#ledger.inFlight.every((count) => count === 0));
    assert.ok(this.#ledger.pendingUnits.every((units) => units === 0));
  }

  #pick(which: number, state: Life["state"]): Life | undefined {
    const candidates = this.#lives.filter((life) => life.state === state);
    return candidates[which % Math.max(1, candidates.length)];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
