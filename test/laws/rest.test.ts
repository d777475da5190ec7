// Law: when all work has ended, every count is zero again, whatever happened in between; a settle that comes
// after its slot went to another endpoint is counted and changes nothing.
import assert from "node:assert/strict";

import { law } from "./law.ts";
import { RandomWalk } from "./random-walk.ts";

law("counts are zero at rest", (policy, seed) => {
  // 13 slots for 12 endpoints that come and go with requests in flight: slots are reused under open leases.
  const walk = new RandomWalk(policy, seed, { slotsMax: 13 });
  for (let round = 0; round < 5; round++) {
    walk.run(1_000);
    const { pool, ledger } = walk.fleet;
    for (let slot = 0; slot < ledger.slotsMax; slot++) {
      assert.ok(ledger.inFlight[slot]! >= 0, `slot ${slot} has ${ledger.inFlight[slot]} in flight`);
      assert.ok(ledger.pendingUnits[slot]! >= 0, `slot ${slot} has ${ledger.pendingUnits[slot]} units`);
    }
    walk.end();
    assert.equal(pool.queue.length, 0, "somebody still waits");
    assert.equal(walk.waiting.size, 0, "somebody was never told");
    assert.deepEqual(nonZero(ledger.inFlight), [], "requests in flight by slot");
    assert.deepEqual(nonZero(ledger.pendingUnits), [], "pending units by slot");
    for (const slot of pool.members.slots) assert.equal(ledger.burden[slot], 0, `burden of slot ${slot}`);
  }
  assert.ok(
    walk.fleet.ledger.lateSettles > 0,
    "no slot was reused under an open lease: the walk proves nothing",
  );
});

function nonZero(column: Int32Array): [number, number][] {
  return [...column.entries()].filter(([, value]) => value !== 0);
}
