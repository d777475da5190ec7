import assert from "node:assert/strict";
import { test } from "node:test";

import type { PoolConfig } from "../../../src/config/config.ts";
import { diffBackends, diffPools } from "../../../src/config/diff.ts";
import { parseConfig } from "../../../src/config/load.ts";

test("the same file is no change", () => {
  const text = "a: { backends: [a:1, b:1] }";
  assert.deepEqual(diffPools(pools(text), pools(text)), {
    added: [],
    removed: [],
    changed: [],
    text: "no change",
  });
});

test("pools that come, go and change", () => {
  const old = pools("a: { backends: [a:1, b:1, c:1] }, b: { backends: [a:1] }, same: { backends: [a:1] }");
  const next = pools(
    "a: { backends: [a:1, { url: b:1, weight: 2 }, d:1], queue: off, slow_start: 5s, " +
      "agent_check: { port: 1 } }, " +
      "c: { backends: [a:1] }, same: { backends: [a:1] }",
  );
  assert.deepEqual(diffPools(old, next), {
    added: ["c"],
    removed: ["b"],
    changed: ["a"],
    text: "pool c added; pool b removed; pool a: backends +d:1 -c:1 ~b:1, agent_check, slow_start, queue",
  });
  assert.deepEqual(diffBackends(old[0]!.backends, next[0]!.backends), {
    added: ["d:1"],
    removed: ["c:1"],
    changed: ["b:1"],
  });
});

test("the order of backends matters, that of keys does not", () => {
  const diff = diffPools(pools("a: { backends: [a:1, b:1] }"), pools("a: { backends: [b:1, a:1] }"));
  assert.deepEqual([diff.changed, diff.text], [["a"], "pool a: order of backends"]);
  const labels = (written: string): PoolConfig[] =>
    pools(`a: { backends: [{ url: a:1, labels: ${written} }] }`);
  assert.deepEqual(diffPools(labels('{ x: "1", y: "2" }'), labels('{ y: "2", x: "1" }')).changed, []);
});

test("many backends are counted, not listed", () => {
  const many = Array.from({ length: 50 }, (_, index) => `h${index}:1`).join(", ");
  const { text } = diffPools(pools("a: { backends: [a:1] }"), pools(`a: { backends: [a:1, ${many}] }`));
  assert.match(text, /^pool a: backends \+h0:1 .* \+h9:1 and 40 more$/);
});

function pools(text: string): PoolConfig[] {
  const file = `listen: 1\npools: { ${text} }\nroutes: [{ pool: a }]\n`;
  return [...parseConfig(file, { path: "evener.yaml", env: {}, readFile: () => "" }).pools];
}
