import assert from "node:assert/strict";
import { test } from "node:test";

import { aibrixPrefixCache } from "../../../src/sim/rivals/aibrix-prefix-cache.ts";
import type { Router, SimRequest } from "../../../src/sim/router.ts";
import { answer, ask, blocksFrom, StillFleet } from "./still-fleet.ts";

// Hand-computed after vllm-project/aibrix pkg/plugins/gateway/algorithms/prefix_cache.go (routeOriginal,
// getTargetPodListOnLoadImbalance, getTargetPodFromMatchedPodsFromCounts).

/** Puts that many requests in flight on each engine; the prompts are new to all. */
function load(router: Router, fleet: StillFleet, counts: readonly number[]): void {
  const all = fleet.engines;
  counts.forEach((count, engine) => {
    fleet.engines = [engine];
    for (let i = 0; i < count; i++) router.route(ask([1_000_000 + engine * 1000 + i]), fleet, 0);
  });
  fleet.engines = all;
}

/** Has an engine sent a prompt that is over at once. */
function teach(router: Router, fleet: StillFleet, engine: number, request: SimRequest, nowS = 0): void {
  const all = fleet.engines;
  fleet.engines = [engine];
  router.route(request, fleet, nowS);
  router.finished!(request, answer(engine), nowS);
  fleet.engines = all;
}

// Upstream's own, pkg/plugins/gateway/algorithms/prefix_cache_test.go: a block is four letters.
test("abcdefgh, wxyz, abcdefgh, abcd, abcdefghijkl, abcdefgh: nothing ends", () => {
  const [abcd, efgh, ijkl, wxyz] = [1, 2, 3, 4];
  for (let seed = 0; seed < 20; seed++) {
    const fleet = new StillFleet(4);
    const router = aibrixPrefixCache.create(4, seed);
    const choose = (...blocks: number[]): number => router.route(ask(blocks), fleet, 0);
    const fourth = choose(abcd, efgh);
    const third = choose(wxyz);
    assert.notEqual(third, fourth);
    assert.equal(choose(abcd, efgh), fourth);
    // 2 in flight are above 0.75 + 0.96: the fewest.
    const second = choose(abcd);
    assert.ok(second !== fourth && second !== third);
    // 2 are above 1 + 0.82: the lower match.
    assert.equal(choose(abcd, efgh, ijkl), second);
    // 2 are within 1.25 + 0.96, for both.
    assert.ok([second, fourth].includes(choose(abcd, efgh)));
  }
});

test("the best match; of equal ones the fewest in flight", () => {
  const fleet = new StillFleet(4);
  const router = aibrixPrefixCache.create(4, 1);
  load(router, fleet, [2, 3, 2, 0]);
  teach(router, fleet, 0, ask([1, 2]));
  teach(router, fleet, 1, ask([1, 2, 3]));
  teach(router, fleet, 2, ask([1, 2, 3]));
  assert.equal(router.route(ask([1, 2, 3, 4]), fleet, 0), 2);
  assert.equal(router.route(ask([1, 2, 9]), fleet, 0), 0);
});

test("matches are whole per cent: 1 block of 300 more is no difference", () => {
  const fleet = new StillFleet(2);
  const router = aibrixPrefixCache.create(2, 1);
  load(router, fleet, [0, 1]);
  teach(router, fleet, 0, ask(blocksFrom(0, 150)));
  teach(router, fleet, 1, ask(blocksFrom(0, 151)));
  assert.equal(router.route(ask(blocksFrom(0, 300)), fleet, 0), 0);
});

test("an engine above mean + 1 sigma (sample) is passed over, for the next match or the fewest", () => {
  const fleet = new StillFleet(4);
  const router = aibrixPrefixCache.create(4, 1);
  // Mean 2.25, sigma 3.2: the limit is 5.45.
  load(router, fleet, [7, 1, 1, 0]);
  teach(router, fleet, 0, ask([1, 2, 3]));
  teach(router, fleet, 1, ask([1]));
  assert.equal(router.route(ask([1, 2, 3]), fleet, 0), 1);
  teach(router, fleet, 0, ask([50]));
  assert.equal(router.route(ask([50]), fleet, 0), 3);
});

test("sigma is that of a sample: 5 of (5, 1, 1) is above 2.33 + 2.31, of a population it would be 1.89", () => {
  const fleet = new StillFleet(3);
  const router = aibrixPrefixCache.create(3, 1);
  load(router, fleet, [5, 1, 1]);
  teach(router, fleet, 0, ask([1]));
  assert.notEqual(router.route(ask([1]), fleet, 0), 0);
  // (4, 1, 3): 2.67 + 1.53 = 4.2, of a population 3.91.
  const second = aibrixPrefixCache.create(3, 1);
  load(second, fleet, [4, 1, 3]);
  teach(second, fleet, 0, ask([1]));
  assert.equal(second.route(ask([1]), fleet, 0), 0);
});

test("more than 8 between the most and the fewest: matches of engines with the fewest only", () => {
  const choose = (most: number): number => {
    const fleet = new StillFleet(8);
    const router = aibrixPrefixCache.create(8, 1);
    load(router, fleet, [most, 1, 1, 1, 1, 0, 0, 0]);
    teach(router, fleet, 1, ask([1, 2, 3]));
    teach(router, fleet, 6, ask([1]));
    return router.route(ask([1, 2, 3]), fleet, 0);
  };
  assert.equal(choose(8), 1);
  assert.equal(choose(9), 6);
});

test("nothing known: the fewest in flight, by the dice", () => {
  const fleet = new StillFleet(3);
  const seen = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const router = aibrixPrefixCache.create(3, seed);
    load(router, fleet, [1, 0, 0]);
    seen.add(router.route(ask([5]), fleet, 0));
  }
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    [1, 2],
  );
});

test("a block is forgotten 20 minutes after it was last sent, and when 12,500 of 512 tokens came after", () => {
  const fleet = new StillFleet(2);
  const router = aibrixPrefixCache.create(2, 1);
  teach(router, fleet, 0, ask([1]), 0);
  load(router, fleet, [1, 0]);
  const chosen = (nowS: number): number => {
    const request = ask([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const engine = router.route(request, fleet, nowS);
    router.finished!(request, answer(engine), nowS);
    return engine;
  };
  assert.equal(chosen(1200), 0);
  assert.equal(chosen(2401), 1);
  assert.equal(chosen(2402), 1);
  const other = aibrixPrefixCache.create(2, 1);
  teach(other, fleet, 0, ask([1]));
  teach(other, fleet, 1, ask(blocksFrom(100, 12_499)));
  load(other, fleet, [1, 0]);
  // The one in flight is a block, too.
  assert.equal(other.route(ask([1]), fleet, 1), 1);
});
