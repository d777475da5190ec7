import assert from "node:assert/strict";
import { test } from "node:test";
import { Lingering } from "../../../src/http1/lingering.ts";

const MIB = 1024 * 1024;

test("a client may be silent for 5 seconds, speak for 30, and send 64 MiB", () => {
  const lingering = new Lingering();
  assert.equal(lingering.begin(1_000), 5_000);
  assert.equal(lingering.read(MIB, 2_000), 5_000);
  assert.equal(lingering.read(MIB, 29_000), 2_000);
  assert.equal(lingering.read(MIB, 31_000), 0);

  assert.equal(lingering.begin(100_000), 5_000);
  assert.equal(lingering.read(64 * MIB, 100_001), 5_000);
  assert.equal(lingering.read(1, 100_002), 0);
});
