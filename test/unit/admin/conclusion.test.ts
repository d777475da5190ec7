// One sentence that a person understands.
import assert from "node:assert/strict";
import { test } from "node:test";
import { conclusionOf } from "../../../src/admin/conclusion.ts";
import { whyStatus } from "../../../src/admin/why.ts";
import type { CandidateCost, Placement } from "../../../src/core/inference/placement-log.ts";

test("cached here, a queue there", () => {
  const a = cost("a:8000", { waitingMs: 300, prefillMs: 80, cachedTokens: 4_096 });
  const b = cost("b:8000", { waitingMs: 450, prefillMs: 80, cachedTokens: 4_096 });
  assert.equal(
    conclusionOf(placed([a, b])),
    "chosen because 4,096 of its 5,120 tokens are cached there; " +
      "b:8000 would have been 1.4 times as dear, as 0.45 s of prompts wait there",
  );
});

test("cached here, not there", () => {
  const a = cost("a:8000", { waitingMs: 30, prefillMs: 80, cachedTokens: 4_096 });
  const none = cost("b:8000", { prefillMs: 380 });
  assert.match(conclusionOf(placed([a, none])), /; b:8000 would have been 3\.5 times as dear, as none are/);
  const some = cost("b:8000", { prefillMs: 1_380, cachedTokens: 1_024 });
  assert.match(conclusionOf(placed([a, some])), / 13 times as dear, as only 1,024 are cached there$/);
});

test("what is cached there does not outweigh its queue", () => {
  const a = cost("a:8000", { prefillMs: 380 });
  const b = cost("b:8000", { waitingMs: 2_300, prefillMs: 80, cachedTokens: 4_096 });
  assert.equal(
    conclusionOf(placed([a, b])),
    "chosen because no prompts wait there; b:8000 would have been 6.3 times as dear, " +
      "although 4,096 of its tokens are cached there, as 2.3 s of prompts wait there",
  );
});

test("a slow backend, answers that run, their context", () => {
  const slow = conclusionOf(placed([cost("a", { prefillMs: 100 }), cost("b", { prefillMs: 200 })]));
  assert.match(
    slow,
    /^chosen because it would be computed faster there; .*, as it computes prompts more slowly$/,
  );
  const busy = cost("b", { prefillMs: 100, standStillMs: 50, inFlight: 40 });
  assert.match(
    conclusionOf(placed([cost("a", { prefillMs: 100 }), busy])),
    /^chosen because it is in the way of fewer there; .*, as it would be in the way of 40 that run there$/,
  );
  const full = cost("b", { prefillMs: 100, contextMs: 50 });
  assert.match(
    conclusionOf(placed([cost("a", { prefillMs: 100 }), full])),
    /less context is held there; .* 1\.5 times .*, as the answers that run there hold more context$/,
  );
});

test("equals, one alone, sessions, trials, retries", () => {
  const a = cost("a", { prefillMs: 100 });
  const b = cost("b", { prefillMs: 100 });
  assert.equal(conclusionOf(placed([a, b])), "chosen by chance: b would have cost the same");
  assert.equal(conclusionOf(placed([a])), "a was the only one that could take it");
  const again = { ...placed([a]), attempt: 2 };
  assert.equal(conclusionOf(again), "tried again: a was the only one that could take it");
  assert.match(
    conclusionOf({ ...placed([a]), why: "session", compared: 0 }),
    /^its session is at home on a;/,
  );
  assert.match(
    conclusionOf({ ...placed([a]), why: "trial", compared: 0 }),
    /^a has to prove that it is well/,
  );
});

test("what nobody knows is an error that says what is known", () => {
  assert.throws(() => whyStatus("gone", [], 0), {
    code: "EVENER_NOT_FOUND",
    message: /^nothing is known of request "gone"; the last 1,000 prompts of each data thread /,
  });
});

test("attempts that two threads know are in the order of time", () => {
  const late = { ...placed([cost("a", {})]), ageMs: 10 };
  const early = { ...placed([cost("b", {})]), ageMs: 1_500 };
  const { attempts } = whyStatus("twice", [late, early], 10_000);
  assert.deepEqual(
    attempts.map(({ at, backend }) => [at, backend]),
    [
      ["1970-01-01T00:00:08.500Z", "b"],
      ["1970-01-01T00:00:09.990Z", "a"],
    ],
  );
});

/** The parts that are not given are 0; the cost is their sum. */
function cost(backend: string, given: Partial<CandidateCost>): CandidateCost {
  const parts = { waitingMs: 0, prefillMs: 0, surchargeMs: 0, standStillMs: 0, contextMs: 0, ...given };
  const { waitingMs, prefillMs, surchargeMs, standStillMs, contextMs } = parts;
  const costMs = waitingMs + prefillMs + surchargeMs + standStillMs + contextMs;
  return { backend, costMs, cachedTokens: 0, inFlight: 0, ...parts };
}

/** It went to the first. */
function placed(candidates: readonly CandidateCost[]): Placement {
  const told = { pool: "default", why: "policy", attempt: 1, queueMs: 0, promptTokens: 5_120 } as const;
  return { ageMs: 0, backend: candidates[0]!.backend, ...told, compared: candidates.length, candidates };
}
