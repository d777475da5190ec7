// Laws of several data threads on one ledger, with real threads.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TOLD } from "./books.ts";
import { Hall } from "./hall.ts";

const SEED = Number(process.env.EVENER_SEED ?? 20_261_124);

describe(`laws with real threads (seed ${SEED})`, () => {
  it("least_request over 4 threads is as even as over 1", async () => {
    for (const threads of [1, 4]) {
      const picks = 20_000 / threads;
      const hall = new Hall({
        ...CALM,
        threads,
        endpoints: 8,
        limit: null,
        clients: 40 / threads,
        picks,
        turnsMax: 0,
      });
      await hall.run();
      const counts = hall.picks();
      const total = counts.reduce((sum, count) => sum + count, 0);
      assert.equal(total, 20_000, "every pick is counted, by whichever thread");
      const ratio = Math.max(...counts) / (total / 8);
      assert.ok(ratio <= 1.03, `${threads} threads: max/mean is ${ratio} (${counts.join(", ")})`);
      assert.equal(hall.inFlight(), 0);
      assert.equal(hall.told[TOLD.broken], 0);
    }
  });

  for (const turnsMax of [1, 6]) {
    it(`a limit of 1 is never exceeded, order holds, all is zero at rest (work of ${turnsMax} turns)`, async () => {
      const rules = { limit: 1, clients: 8, picks: 4_000, turnsMax, diaryMax: 100_000 };
      const hall = new Hall({ ...CALM, threads: 4, endpoints: 6, ...rules });
      await hall.run();
      assert.equal(hall.told[TOLD.broken], 0, "a place had two owners");
      assert.equal(hall.most(), 1);
      const waited = hall.diary.check();
      assert.ok(waited > 4_000, `only ${waited} waited: the law proves little`);
      const done = hall.told.subarray(TOLD.done).reduce((sum, count) => sum + count, 0);
      assert.equal(done, 16_000, "everybody was served");
      assertRest(hall);
    });
  }
});

function assertRest(hall: Hall): void {
  assert.equal(hall.inFlight(), 0);
  assert.equal(hall.board.length, 0);
  assert.equal(hall.board.oldestSinceMs, Number.POSITIVE_INFINITY);
  assert.ok(hall.ledger.pendingUnits.every((units) => units === 0));
  assert.ok(hall.counts.every((count, i) => i % 2 === 1 || count === 0));
}

const CALM = { seed: SEED, diaryMax: 100_000 };
