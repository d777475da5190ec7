import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../src/core/kit/random.ts";
import type { RetryRules } from "../../../src/proxy/pool-traffic.ts";
import { backoffMs, retryAfterMs } from "../../../src/proxy/retry.ts";

const RULES: RetryRules = {
  attempts: 3,
  on: { connectFailure: true, reset: true, firstByteTimeout: false, statuses: [503] },
  firstToken: "auto",
  bodyBytesMax: 1024,
  backoffMs: 100,
  backoffMsMax: 1_000,
};
const SEED = Number(process.env.EVENER_SEED ?? 1);

describe("the back-off before a retry", () => {
  it(`is anywhere below a bound that doubles up to the longest, seed ${SEED}`, () => {
    const random = new Random(SEED);
    for (const [attempts, bound] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [4, 800],
      [5, 1_000],
      [9, 1_000],
    ] as const) {
      const pauses = Array.from({ length: 1_000 }, () => backoffMs(RULES, attempts, random));
      const mean = pauses.reduce((sum, ms) => sum + ms, 0) / pauses.length;
      assert.ok(Math.min(...pauses) >= 0 && Math.max(...pauses) < bound, `attempt ${attempts}`);
      // Full jitter: neither always 0 nor always the bound.
      assert.ok(Math.abs(mean / bound - 0.5) < 0.05, `attempt ${attempts}: ${mean} of ${bound}`);
    }
  });
});

describe("Retry-After", () => {
  const wallMs = Date.UTC(2026, 10, 24, 12, 0, 0);

  it("is seconds", () => {
    assert.equal(retryAfterMs("0", wallMs), 0);
    assert.equal(retryAfterMs("7", wallMs), 7_000);
    assert.equal(retryAfterMs("120", wallMs), 120_000);
  });

  it("or a date", () => {
    assert.equal(retryAfterMs("Tue, 24 Nov 2026 12:00:30 GMT", wallMs), 30_000);
    assert.equal(retryAfterMs("Tue, 24 Nov 2026 11:59:00 GMT", wallMs), 0, "it is over");
  });

  it("and nothing where it is missing or makes no sense", () => {
    for (const value of [null, "", "soon", "-5", "1e3", "99999999999999999999", "NaN"]) {
      assert.equal(retryAfterMs(value, wallMs), 0, String(value));
    }
  });
});
