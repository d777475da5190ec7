import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Random } from "../../../src/core/kit/random.ts";
import { rivals } from "../../../src/sim/rivals/index.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

/** Requests begin, give a first token, end or fail in any order, while engines come and go; the choices. */
function live(router: Router, seed: number): number[] {
  const random = new Random(seed);
  const fleet = new StillFleet(6);
  const open: { request: SimRequest; engine: number }[] = [];
  const chosen: number[] = [];
  for (let i = 0; i < 600; i++) {
    const nowS = i / 4;
    if (i % 50 === 0) fleet.engines = blocksFrom(0, 8).filter(() => random.below(4) > 0);
    for (const engine of fleet.engines)
      fleet.report(engine, { waiting: random.below(5), kvUsage: random.float() });
    const request = ask(blocksFrom(random.below(5) * 100, 1 + random.below(20)), {
      session: random.below(20),
    });
    const engine = router.route(request, fleet, nowS);
    assert.ok(
      fleet.engines.includes(engine) || (engine === -1 && fleet.engines.length === 0),
      `chose ${engine}`,
    );
    chosen.push(engine);
    if (engine >= 0) open.push({ request, engine });
    for (const one of open.splice(0, random.below(3))) {
      if (random.below(10) === 0) router.failed?.(one.request, one.engine, nowS);
      else {
        router.firstToken?.(one.request, one.engine, nowS);
        router.finished?.(one.request, answer(one.engine), nowS);
      }
    }
  }
  return chosen;
}

for (const rival of rivals) {
  test(`${rival.name} chooses engines that may be chosen, and the same ones again with the same seed`, () => {
    for (let seed = 0; seed < 5; seed++) {
      assert.deepEqual(live(rival.create(6, seed), seed), live(rival.create(6, seed), seed));
    }
    assert.equal(rival.create(6, 1).name, rival.name);
  });

  test(`${rival.name} refuses when there is no engine`, () => {
    assert.equal(rival.create(0, 1).route(ask([1]), new StillFleet(0), 0), -1);
  });
}

test("names are unique, and each rival says what it is, its formula, its source and what is left out", () => {
  assert.equal(new Set(rivals.map((rival) => rival.name)).size, rivals.length);
  for (const rival of rivals) {
    const text = readFileSync(`src/sim/rivals/${rival.name.replaceAll("_", "-")}.ts`, "utf8");
    for (const part of ["/**\n * What:", " * Formula:", " * Source:", " * Left out:"]) {
      assert.ok(text.includes(part), `${rival.name} has no "${part}"`);
    }
  }
});

test("the table of docs/internals/rivals.md has all, and so has the menu", () => {
  const docs = readFileSync("docs/internals/rivals.md", "utf8");
  for (const rival of rivals) assert.ok(docs.includes(`| \`${rival.name}\` |`), rival.name);
  const parts = ["choose", "in-flight", "index", "pending-prefill", "prefix-tree"];
  const files = readdirSync("src/sim/rivals").map((file) => file.replace(".ts", ""));
  const members = files.filter((file) => !parts.includes(file)).map((file) => file.replaceAll("-", "_"));
  assert.deepEqual(members.sort(), rivals.map((rival) => rival.name).sort());
});
