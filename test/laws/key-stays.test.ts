// Law: one key stays in one place, and a change of the members moves only the keys that it must.
import assert from "node:assert/strict";

import { hashText } from "../../src/core/kit/hash.ts";
import type { Pool } from "../../src/core/pool.ts";
import { Work } from "../../src/core/work.ts";
import { equals, law, makeFleet, send, work } from "./law.ts";

const KEYS = 2_000;

/** What a key is: the session of any policy, or the key that `hash` goes by. */
const KINDS = [
  { kind: "session", policies: undefined, of: (key: number): Work => work({ sessionKey: key }) },
  { kind: "key", policies: ["hash"], of: (key: number): Work => work({ key }) },
] as const;

for (const { kind, policies, of } of KINDS) {
  const only = policies === undefined ? {} : { policies };

  law(
    `one ${kind} stays`,
    (policy, seed) => {
      const { pool, clock } = makeFleet(policy, seed, { specs: equals(7) });
      const homes = homesOf(pool, seed, of);
      clock.advance(60_000);
      assert.deepEqual(homesOf(pool, seed, of), homes);
      pool.update(equals(7));
      assert.deepEqual(homesOf(pool, seed, of), homes, "a reload moved some");
      const other = makeFleet(policy, seed + 1_000, { specs: equals(7).reverse() });
      assert.deepEqual(homesOf(other.pool, seed, of), homes, "another balancer puts them elsewhere");
    },
    only,
  );

  law(
    `removal moves only the ${kind}s of the removed`,
    (policy, seed) => {
      const { pool } = makeFleet(policy, seed, { specs: equals(10) });
      const before = homesOf(pool, seed, of);
      pool.update(equals(10).filter(({ id }) => id !== "b4"));
      const after = homesOf(pool, seed, of);
      let moved = 0;
      for (const [index, home] of before.entries()) {
        if (home === "b4") moved++;
        else assert.equal(after[index], home, `${kind} ${index} moved without need`);
      }
      assert.ok(Math.abs(moved / (KEYS / 10) - 1) < 0.3, `b4 had ${moved} of ${KEYS}`);
      pool.update(equals(10));
      assert.deepEqual(homesOf(pool, seed, of), before, "all are back with the removed one");
    },
    only,
  );

  law(
    `a ${kind} leaves a drained endpoint and no other`,
    (policy, seed) => {
      const { pool } = makeFleet(policy, seed, { specs: equals(6) });
      const before = homesOf(pool, seed, of);
      assert.ok(pool.wish("b2", "drain"));
      for (const [index, home] of homesOf(pool, seed, of).entries()) {
        if (before[index] === "b2") assert.notEqual(home, "b2");
        else assert.equal(home, before[index]);
      }
    },
    only,
  );
}

law("a session's keys follow the weight, and neither labels nor backups are overlooked", (policy, seed) => {
  const specs = equals(4, (index) => ({
    weight: index === 0 ? 2 : 1,
    priority: index === 3 ? 1 : 0,
    labels: { disk: index === 1 ? "ssd" : "none" },
  }));
  const { pool } = makeFleet(policy, seed, { specs });
  const homes = homesOf(pool, seed, KINDS[0].of);
  const share = (id: string): number => homes.filter((home) => home === id).length / KEYS;
  assert.ok(Math.abs(share("b0") / 0.5 - 1) < 0.1, `b0 has ${share("b0")}`);
  assert.equal(share("b3"), 0, "sessions live on the backup while the first group is well");
  for (let key = 0; key < 100; key++) {
    const labelled = send(pool, work({ sessionKey: key, labels: { disk: "ssd" } }));
    assert.equal(labelled.endpoint!.id, "b1");
    labelled.settle("ok");
  }
});

function homesOf(pool: Pool, seed: number, of: (key: number) => Work): string[] {
  return Array.from({ length: KEYS }, (_, index) => {
    const lease = send(pool, of(hashText(`user-${seed}-${index}`)));
    lease.settle("ok");
    return lease.endpoint!.id;
  });
}
