import assert from "node:assert/strict";
import { test } from "node:test";
import { addressText } from "../../../src/http1/address.ts";

test("addresses as people write them", () => {
  assert.equal(addressText({ host: "10.0.0.1", port: 80 }), "10.0.0.1:80");
  assert.equal(addressText({ host: "::1", port: 80, socketPath: null }), "[::1]:80");
  assert.equal(addressText({ host: "", port: 0, socketPath: "/run/a.sock" }), "unix:/run/a.sock");
});
