// Law: what can not be sent is refused, with the reason that is true and a time after which to come again.
import assert from "node:assert/strict";

import type { Decision } from "../../src/core/decision.ts";
import { Lease } from "../../src/core/lease.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import { equals, type Fleet, law, makeFleet, refusal, send, work } from "./law.ts";

/** Health rules on, panic off: what is down stays unused. */
const NO_PANIC: Partial<PoolOptions> = {
  outlier: { ...DEFAULT_POOL_OPTIONS.outlier!, panicShare: 0 },
};

law("empty refuses: there is no endpoint", (policy, seed) => {
  const { pool } = makeFleet(policy, seed);
  assert.equal(refusal(pool), "no_endpoint");
  pool.update(equals(2, () => ({ labels: { gpu: "a100" } })));
  assert.equal(refusal(pool, work({ labels: { gpu: "h100" } })), "no_endpoint");
  assert.equal(send(pool, work({ labels: { gpu: "a100" } })).settle("ok"), true);
  pool.update([]);
  assert.equal(refusal(pool), "no_endpoint");
});

law("all down refuses, for whatever reason they are down", (policy, seed) => {
  const { pool } = makeFleet(policy, seed, { specs: equals(3), options: NO_PANIC });
  pool.probed("b0", { passed: false, detail: "500" });
  pool.wish("b1", "drain");
  pool.agentSaid("b2", "down", 1);
  assert.equal(refusal(pool), "all_down");
  pool.agentSaid("b2", "ready", 1);
  assert.equal(send(pool).endpoint!.id, "b2");
});

law("all drained refuses even in panic mode", (policy, seed) => {
  const { pool } = makeFleet(policy, seed, { specs: equals(3), options: DEFAULT_POOL_OPTIONS });
  for (const { id } of equals(3)) pool.wish(id, "drain");
  assert.equal(refusal(pool), "all_drained", "they are healthy: it is the operator who said so");
  pool.agentSaid("b0", "down", 1);
  pool.wish("b0", "ready");
  assert.equal(refusal(pool), "all_down", "one of them is not");
});

law("drained are those with the labels: others do not count", (policy, seed) => {
  const specs = equals(4, (i) => ({ labels: { gpu: i < 2 ? "a100" : "h100" } }));
  const { pool } = makeFleet(policy, seed, { specs });
  pool.wish("b0", "drain");
  pool.agentSaid("b1", "drain", 1);
  assert.equal(refusal(pool, work({ labels: { gpu: "a100" } })), "all_drained");
  assert.equal(send(pool, work({ labels: { gpu: "h100" } })).settle("ok"), true);
});

law("all tried refuses", (policy, seed) => {
  const { pool } = makeFleet(policy, seed, { specs: equals(3) });
  const what = work();
  for (let attempt = 0; attempt < 3; attempt++) {
    const lease = send(pool, what);
    what.avoid(lease.slot);
    lease.settle("backend_error");
  }
  assert.equal(refusal(pool, what), "all_tried");
  assert.equal(send(pool).settle("ok"), true, "other work is not concerned");
});

law("full refuses, or waits where there is a queue", (policy, seed) => {
  const specs = equals(2, () => ({ limit: 1 }));
  const { pool, clock, ...fleet } = makeFleet(policy, seed, { specs });
  const open = [send(pool), send(pool)];
  assert.equal(refusal(pool), "saturated");
  pool.configure({ ...pool.options, queue: { requestsMax: 2, waitMs: 1_000 } }, null);
  assert.equal(refusal(pool), "saturated", "without a waiter there is no waiting");
  const told: Decision[] = [];
  const leases = [0, 1, 2].map(() => new Lease());
  const decisions = leases.map((lease) => pool.pick(work(), lease, { decided: (how) => told.push(how) }));
  assert.deepEqual(
    decisions.map((decision) => (decision.kind === "send" ? "send" : decision.reason)),
    ["saturated", "saturated", "queue_full"],
  );
  assertRetryAfter(decisions[2]!);
  open[0]!.settle("ok");
  assert.equal(told.length, 1);
  assert.ok(
    told[0]!.kind === "send" && told[0]!.lease === leases[0],
    "the first in the line got what was free",
  );
  clock.advance(1_000);
  pool.tend();
  assert.equal(told.length, 2);
  assert.equal(told[1]!.kind === "refuse" && told[1]!.reason, "queue_timeout");
  assertRetryAfter(told[1]!);
  assert.equal(fleet.ledger.inFlight[leases[0].slot], 1);
});

law("while the only endpoints left are on trial, other work waits for them", (policy, seed) => {
  const options = { ...NO_PANIC, queue: { requestsMax: 10, waitMs: 60_000 } };
  const fleet = makeFleet(policy, seed, { specs: equals(2), options });
  ejectAll(fleet);
  assert.equal(refusal(fleet.pool), "all_down");
  fleet.clock.advance(20_000);
  fleet.pool.tend();
  const trials = [0, 1].map(() => send(fleet.pool, work({ isReplayable: true })));
  assert.equal(refusal(fleet.pool), "saturated", "nobody has tried anything: they are busy");
  const lease = new Lease();
  const decision = fleet.pool.pick(work(), lease, { decided: () => {} });
  assert.equal(decision.kind, "wait");
  trials[0]!.settle("ok");
  assert.equal(lease.endpoint?.id, trials[0]!.endpoint!.id);
});

function ejectAll({ pool }: Fleet): void {
  for (const { id } of pool.members.list) {
    const what = work();
    for (const other of pool.members.list) if (other.id !== id) what.avoid(other.slot);
    send(pool, what).settle("backend_error", { retryAfterMs: 0, isUnreachable: true });
  }
}

/** One second to five minutes. */
function assertRetryAfter(decision: Decision): void {
  assert.ok(decision.kind === "refuse");
  assert.ok(decision.retryAfterMs >= 1_000 && decision.retryAfterMs <= 300_000);
}
