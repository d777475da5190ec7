import assert from "node:assert/strict";
import { test } from "node:test";
import { fileToKeep } from "../../../src/commands/first-minute.ts";
import { parseConfig } from "../../../src/config/load.ts";

test("the file that is printed to keep does what runs: nobody else can reach it", () => {
  const lines = fileToKeep(8081, [{ url: "http://127.0.0.1:8000" }, { url: "http://127.0.0.1:30000" }]);
  assert.equal(lines.length, 2);
  const config = parseConfig(lines.join("\n"), { path: "evener.yaml", env: {}, readFile: () => "" });
  assert.deepEqual(
    config.listeners.map(({ host, port }) => `${host}:${port}`),
    ["127.0.0.1:8081"],
  );
  assert.deepEqual(
    config.pools.map(({ backends }) => backends.map(({ url }) => url)),
    [["http://127.0.0.1:8000", "http://127.0.0.1:30000"]],
  );
});
