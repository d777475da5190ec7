// Law: who waits is served before who comes; nobody is overtaken by a newcomer of his class.
import assert from "node:assert/strict";

import type { Decision } from "../../src/core/decision.ts";
import { Lease } from "../../src/core/lease.ts";
import { equals, law, makeFleet, send, work } from "./law.ts";

const QUEUE = { queue: { requestsMax: 100, waitMs: 60_000 } };

law("a newcomer that picks while others are told does not overtake those who wait", (policy, seed) => {
  const specs = equals(1, () => ({ limit: 1 }));
  const { pool } = makeFleet(policy, seed, { specs, options: QUEUE });
  const running = send(pool);
  const order: string[] = [];
  const wait = (name: string, then: (lease: Lease) => void = () => {}): Decision => {
    const lease = new Lease();
    const decided = (decision: Decision): void => {
      assert.equal(decision.kind, "send");
      order.push(name);
      then(lease);
    };
    return pool.pick(work(), lease, { decided });
  };
  const first = wait("first", (lease) => {
    // It is done at once, so that there is room; and another request comes in the same moment.
    lease.settle("ok");
    assert.equal(wait("newcomer").kind, "wait", "the second waits longer");
  });
  const second = wait("second", (lease) => lease.settle("ok"));
  assert.deepEqual([first.kind, second.kind], ["wait", "wait"]);
  running.settle("ok");
  assert.deepEqual(order, ["first", "second", "newcomer"]);
});

law("who can not wait may take what is free", (policy, seed) => {
  const specs = equals(2, (i) => ({ limit: 1, labels: { n: String(i) } }));
  const { pool } = makeFleet(policy, seed, { specs, options: QUEUE });
  const running = send(pool, work({ labels: { n: "0" } }));
  const waiting = pool.pick(work({ labels: { n: "0" } }), new Lease(), { decided: () => {} });
  assert.equal(waiting.kind, "wait");
  assert.equal(send(pool).endpoint!.id, "b1", "whoever waits wants another one");
  running.settle("ok");
});
