// Law: nothing is ever sent to an endpoint that may not have it: gone, drained, down, ejected, full, tried,
// or without the labels. What may be used is worked out here a second time, from the health itself.
import assert from "node:assert/strict";

import type { Lease } from "../../src/core/lease.ts";
import { law } from "./law.ts";
import { type Client, RandomWalk } from "./random-walk.ts";

law("never picks an ineligible endpoint", (policy, seed) => {
  let sent = 0;
  const walk = new RandomWalk(policy, seed, {
    panicShare: seed % 2 === 0 ? 0.5 : 0,
    slotsMax: 64,
    onSend: (client) => {
      sent++;
      assertEligible(client, walk);
    },
  });
  walk.run(8_000);
  assert.ok(sent > 1_000, `only ${sent} were sent: the walk proves nothing`);
});

function assertEligible({ lease, work }: Client, walk: RandomWalk): void {
  const { pool, ledger } = walk.fleet;
  const endpoint = lease.endpoint!;
  const { id, health } = endpoint;
  const told = `${id} (${lease.why}, ${health.describe().state})`;
  const spec = walk.specs.find((candidate) => candidate.id === id);
  assert.ok(spec !== undefined, `${told} is not a member`);
  assert.equal(pool.members.get(id), endpoint, `${told} is not the member of that name`);
  assert.equal(health.operator, "ready", `${told} was taken out by an operator`);
  assert.equal(health.agent, "ready", `${told} was taken out by its agent`);
  const inFlight = ledger.inFlight[lease.slot]!;
  if (spec.limit > 0)
    assert.ok(inFlight <= spec.limit, `${told} has ${inFlight}, its limit is ${spec.limit}`);
  if (!pool.isPanic) {
    assert.notEqual(health.probe.kind, "down", `${told}: its probes fail`);
    assert.notEqual(health.outlier.kind, "ejected", `${told} is ejected`);
    if (health.outlier.kind === "probation") assertOnlyTrial(lease, walk, told);
  }
  assert.ok(!work.hasTried(lease.slot), `${told} has failed the work already`);
  for (const [name, value] of Object.entries(work.labels ?? {})) {
    assert.equal(spec.labels[name], value, `${told} has not the label ${name}=${value}`);
  }
}

/** Streams from before the ejection may still run, but of trials there is one at a time. */
function assertOnlyTrial(lease: Lease, walk: RandomWalk, told: string): void {
  assert.equal(lease.why, "trial", `${told} was not picked as a trial`);
  const since = lease.endpoint!.health.outlier.sinceMs;
  const trials = walk.clients.filter(
    ({ lease: other }) =>
      other !== lease &&
      other.isOpen &&
      other.why === "trial" &&
      other.endpoint === lease.endpoint &&
      other.bookedAtMs >= since,
  );
  assert.equal(trials.length, 0, `${told} is tried with one at a time`);
}
