import assert from "node:assert/strict";
import { test } from "node:test";

import { POLICIES } from "../../../src/core/policies/index.ts";
import { didYouMean, editDistance, nearest } from "../../../src/config/suggest.ts";

test("edit distance", () => {
  for (const [a, b, distance] of [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "abc", 0],
    ["abc", "abd", 1],
    ["abc", "acb", 1],
    ["ca", "abc", 3],
    ["kitten", "sitting", 3],
    ["wieght", "weight", 1],
  ] as const) {
    assert.equal(editDistance(a, b), distance, `${a} ${b}`);
    assert.equal(editDistance(b, a), distance, `${b} ${a}`);
  }
});

test("the nearest word, and none when none is near", () => {
  const keys = ["listen", "backends", "pools", "retry", "on", "of"];
  assert.equal(nearest("lisen", keys), "listen");
  assert.equal(nearest("Backend", keys), "backends");
  assert.equal(nearest("rerty", keys), "retry");
  assert.equal(nearest("session", keys), undefined);
  assert.equal(nearest("x", keys), undefined);
  assert.equal(nearest("", keys), undefined);
  assert.equal(nearest("x".repeat(1_000_000), keys), undefined);
  assert.equal(didYouMean("pool", keys), 'did you mean "pools"?');
  assert.equal(didYouMean("zzz", keys), undefined);
});

test("the names that other products have for a policy lead to ours", () => {
  const names = POLICIES.map(({ name }) => name);
  for (const [theirs, ours] of [
    ["rr", "round_robin"],
    ["roundrobin", "round_robin"],
    ["least_conn", "least_request"],
    ["leastconn", "least_request"],
    ["least-busy", "least_request"],
    ["ewma", "peak_ewma"],
    ["ip_hash", "hash"],
    ["Maglev", "hash"],
    ["first", "fill"],
  ] as const) {
    assert.equal(didYouMean(theirs, names), `did you mean "${ours}"?`);
    // Only where it is one of the choices.
    assert.notEqual(nearest(theirs, ["listen"]), ours);
  }
});
