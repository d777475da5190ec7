// Law: noise is not slowness, and slowness is not missed in it. Equal backends on a busy machine: latencies
// with a heavy tail, stops of the whole host, stops of one.
import assert from "node:assert/strict";
import {
  type NoisyEvent,
  type NoisyFleet,
  type NoisyResult,
  runNoisyFleet,
} from "../scenarios/noisy-fleet.ts";
import { law } from "./law.ts";

/** One policy that looks at latencies, and one that spreads blindly. */
const OPTIONS = { policies: ["auto", "round_robin"], seeds: [1, 2] };

law(
  "equals on a busy machine: at most one is called slow an hour, and none is ejected",
  (policy, seed) => {
    for (const scale of scales(policy, seed)) {
      const { events } = scale.run({ seconds: 3_600 });
      const count = (kind: string): number => events.filter((event) => event.kind === kind).length;
      assert.ok(count("slowed") <= 1, `${scale.name}: ${count("slowed")} times slow`);
      assert.equal(count("ejected"), 0, scale.name);
    }
  },
  OPTIONS,
);

for (const { factor, most } of [
  { factor: 3, most: { seconds: 12, requests: 80 } },
  { factor: 10, most: { seconds: 5, requests: 30 } },
]) {
  const limits = `within ${most.seconds} s or ${most.requests} requests`;
  law(
    `${factor} times slower in that noise is seen ${limits}, its end within 60 s or 100 requests`,
    (policy, seed) => {
      for (const scale of scales(policy, seed)) {
        const fromMs = Math.max(120_000, 60_000 / scale.rate);
        const toMs = fromMs + Math.max(120_000, 120_000 / scale.rate);
        const { events, askedAt } = scale.run({
          seconds: toMs / 1_000 + 900,
          slow: { factor, fromMs, toMs },
        });
        const its = events.filter(({ endpoint, atMs }) => endpoint === "b0" && atMs >= fromMs);
        const slowed = its.find(({ kind }) => kind === "slowed");
        assertSoon(slowed, { atMs: fromMs, asked: askedAt.from }, most, `${scale.name}: slowed`);
        assert.ok(slowed!.atMs < toMs, `${scale.name}: found when it was over`);
        const recovered = its.find(({ kind, atMs }) => kind === "recovered" && atMs >= toMs);
        const since = { atMs: toMs, asked: askedAt.to };
        assertSoon(recovered, since, { seconds: 60, requests: 100 }, `${scale.name}: recovered`);
        const ejections = its.filter(({ kind }) => kind === "ejected");
        assert.equal(ejections.length, 0, `${scale.name}: ${factor} times slower is not useless`);
      }
    },
    OPTIONS,
  );
}

interface Scale {
  readonly name: string;
  /** Requests a second to each endpoint. */
  readonly rate: number;
  run(noise: Pick<NoisyFleet, "seconds" | "slow">): NoisyResult;
}

/** Few and many endpoints, with little to do and with much. */
function scales(policy: string, seed: number): Scale[] {
  return [2, 8].flatMap((endpoints) =>
    [0.2, 1, 5, 20].map((rate): Scale => {
      const name = `${endpoints} endpoints, ${rate} requests a second each`;
      const perSecond = rate * endpoints;
      return { name, rate, run: (noise) => runNoisyFleet({ policy, seed, endpoints, perSecond, ...noise }) };
    }),
  );
}

function assertSoon(
  event: NoisyEvent | undefined,
  since: { atMs: number; asked: number },
  most: { seconds: number; requests: number },
  what: string,
): void {
  assert.ok(event !== undefined, `${what}: never`);
  const seconds = (event.atMs - since.atMs) / 1_000;
  const requests = event.asked - since.asked;
  const took = `${what} after ${seconds.toFixed(1)} s and ${requests} requests`;
  assert.ok(seconds <= most.seconds || requests <= most.requests, took);
}
