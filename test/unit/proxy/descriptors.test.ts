import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionsThatFit, openFilesMax } from "../../../src/proxy/descriptors.ts";

describe("the connections that fit into the descriptors", () => {
  it("are those of the configuration where there is room", () => {
    assert.equal(connectionsThatFit(10_000, 1_048_576), 10_000);
    assert.equal(connectionsThatFit(10_000, Number.POSITIVE_INFINITY), 10_000);
  });

  it("are half of what is left beside the reserve where there is not", () => {
    assert.equal(connectionsThatFit(10_000, 256), 80);
    assert.equal(connectionsThatFit(10_000, 1_024), 464);
  });

  it("are a few even where that is too many, and never more than configured", () => {
    assert.equal(connectionsThatFit(10_000, 100), 16);
    assert.equal(connectionsThatFit(4, 100), 4);
  });

  it("go by the limit of this process", () => {
    assert.ok(openFilesMax() > 0);
  });
});
