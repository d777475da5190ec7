import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { changeBackend, reportVitals } from "../../../src/admin/change.ts";
import { Lease } from "../../../src/core/lease.ts";
import { STATE } from "../../../src/core/ledger.ts";
import { Work } from "../../../src/core/work.ts";
import { EvenerError } from "../../../src/errors.ts";
import { FakeSource } from "./fake-source.ts";

function scene() {
  const source = new FakeSource();
  const { pool } = source.add("chat", ["a:1", "b:1"]);
  const endpoint = pool.members.get("a:1")!;
  return { source, pool, endpoint, ledger: pool.ledger, slot: endpoint.slot };
}

describe("changes of a backend", () => {
  test("drain and ready change who is picked at once", () => {
    const { pool, endpoint, ledger, slot } = scene();
    assert.equal(changeBackend(pool, endpoint, { state: "drain" }), "state ready -> drain");
    assert.equal(ledger.state[slot], STATE.draining);
    for (let i = 0; i < 4; i++) {
      const lease = new Lease();
      pool.pick(new Work(), lease);
      assert.equal(lease.endpoint!.id, "b:1");
    }
    changeBackend(pool, endpoint, { state: "ready" });
    assert.equal(ledger.state[slot], STATE.available);
  });

  test("weight and limit count at once, and null takes them back", () => {
    const { pool, endpoint, ledger, slot } = scene();
    const what = changeBackend(pool, endpoint, { weight: 2.5, limit: 3 });
    assert.equal(what, "weight as configured -> 2.5, limit as configured -> 3");
    assert.equal(ledger.weight[slot], 2.5);
    assert.equal(ledger.limit[slot], 3);
    changeBackend(pool, endpoint, { limit: 0 });
    assert.ok((ledger.limit[slot] ?? 0) > 1_000_000_000);
    assert.equal(endpoint.limitOverride, 0);
    assert.equal(
      changeBackend(pool, endpoint, { weight: null, limit: null }),
      "weight 2.5 -> as configured, limit 0 -> as configured",
    );
    assert.equal(ledger.weight[slot], 1);
    assert.equal(endpoint.limitOverride, null);
  });

  const bad: [unknown, RegExp][] = [
    [null, /the body is null/],
    [[], /the body is \[\]/],
    ["drain", /the body is "drain"/],
    [{}, /empty/],
    [{ status: "drain" }, /"status" is not a key here; there are "state", "weight", "limit"/],
    [JSON.parse('{"__proto__": 1}'), /"__proto__" is not a key/],
    [{ state: "off" }, /state is "off"; it can be "ready", "drain" or "down"/],
    [{ state: null }, /state is null/],
    [{ weight: 0 }, /weight is 0; .*"state": "drain"/],
    [{ weight: -1 }, /weight is -1/],
    [{ weight: "2" }, /weight is "2"/],
    [{ weight: 1e300 }, /weight is 1e\+300/],
    [{ weight: { a: "x".repeat(1_000) } }, /weight is \{"a":"x+\.\.\.;/],
    [{ limit: 1.5 }, /limit is 1.5/],
    [{ limit: -1 }, /limit is -1/],
    [{ limit: true }, /limit is true/],
    [{ weight: 3, limit: "many" }, /limit is "many"/],
  ];
  for (const [wanted, message] of bad) {
    test(`${JSON.stringify(wanted).slice(0, 60)} is refused and changes nothing`, () => {
      const { pool, endpoint, source } = scene();
      const { last } = source.events;
      assert.throws(
        () => changeBackend(pool, endpoint, wanted),
        (error) =>
          error instanceof EvenerError && error.code === "EVENER_BAD_VALUE" && message.test(error.message),
      );
      assert.deepEqual([endpoint.weightOverride, endpoint.limitOverride], [null, null]);
      assert.equal(source.events.last, last);
    });
  }
});

describe("vitals", () => {
  test("are noted with their time; what is missing or null is unknown", () => {
    const { source, pool, endpoint, ledger, slot } = scene();
    source.clock.advance(500);
    reportVitals(pool, endpoint, { cpu: 0.5, gpu: null });
    const found = [ledger.cpu[slot], ledger.memory[slot], ledger.gpu[slot], ledger.reportedAtMs[slot]];
    assert.deepEqual(found, [0.5, Number.NaN, Number.NaN, 500]);
  });

  for (const report of [{ cpu: 1.01 }, { cpu: -0.1 }, { gpu: "1" }, { disk: 0.5 }, {}, 7]) {
    test(`${JSON.stringify(report)} is refused`, () => {
      const { pool, endpoint, ledger, slot } = scene();
      assert.throws(() => reportVitals(pool, endpoint, report), EvenerError);
      assert.equal(ledger.reportedAtMs[slot], Number.NEGATIVE_INFINITY);
    });
  }
});
