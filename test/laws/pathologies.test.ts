// Things that happened to named products, each as a test of what is built in `src/core`.
// Left out: P6 (blindness between workers) and P12 (a hot lock on the least loaded server) concern data
// threads. P23 (a herd of checks at warm-up) stands with the prober, test/unit/signals/prober.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RetryBudget } from "../../src/core/admission/retry-budget.ts";
import type { Decision } from "../../src/core/decision.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease, type Outcome } from "../../src/core/lease.ts";
import { Ledger, STATE } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { BARE_POOL_OPTIONS, DEFAULT_POOL_OPTIONS, type PoolOptions } from "../../src/core/pool-options.ts";
import type { Pool } from "../../src/core/pool.ts";
import { runOpenLoop } from "../scenarios/open-loop.ts";
import {
  closedLoop,
  equals,
  type Fleet,
  law,
  LOAD_AWARE,
  makeFleet,
  refusal,
  send,
  SPREADING,
  work,
} from "./law.ts";

const LATENCY = { serversEach: Number.POSITIVE_INFINITY } as const;
const SCORES_LATENCY = ["peak_ewma", "auto"];

law(
  "P1 cold-start pile-up (Traefik): a new endpoint has at most 1.5 times its peers' work in flight",
  (policy, seed) => {
    for (const options of [BARE_POOL_OPTIONS, DEFAULT_POOL_OPTIONS]) {
      let worst = 0;
      runOpenLoop({
        ...LATENCY,
        policy,
        seed,
        options,
        endpoints: 10,
        requests: 4_000,
        gapMs: 20,
        serviceMs: (_index, _nowMs, random) => 1_500 + random.float() * 1_000,
        prepare: ({ loop, pool, ledger }) => {
          loop.at(20_000, () => pool.update(equals(11)));
          for (let at = 20_000; at < 70_000; at += 50) {
            loop.at(at, () => {
              const [cold, ...peers] = pool.members.list.toReversed();
              const total = peers.reduce((sum, { slot }) => sum + ledger.inFlight[slot]!, 0);
              worst = Math.max(worst, ledger.inFlight[cold!.slot]! / Math.max(1, total / peers.length));
            });
          }
        },
      });
      assert.ok(worst <= 1.5, `the new one had ${worst.toFixed(2)} times its peers' mean`);
    }
  },
  { policies: [...LOAD_AWARE.filter((name) => name !== "p2c"), "round_robin"] },
);

law(
  "P1 cold-start pile-up in the first moment: a burst right after it joined is spread like before",
  (policy, seed) => {
    const fleet = makeFleet(policy, seed, { specs: equals(4) });
    closedLoop(fleet, 400, 20, { stepMs: 10 });
    const running = Array.from({ length: 40 }, () => send(fleet.pool));
    fleet.pool.update(equals(5));
    const burst = Array.from({ length: 20 }, () => send(fleet.pool));
    const cold = burst.filter(({ endpoint }) => endpoint!.id === "b4").length;
    assert.ok(cold <= 12, `${cold} of 20 went to the new one, which is 10 behind each of the others`);
    for (const lease of [...running, ...burst]) lease.settle("ok");
  },
  { policies: [...LOAD_AWARE, "round_robin"] },
);

law(
  "P2 starvation after early bad samples (Traefik, grpc-js): forgiven within half a minute",
  (policy, seed) => {
    for (const bad of ["slow", "failing"] as const) {
      const counts = countsByPhase({
        policy,
        seed,
        options: BARE_POOL_OPTIONS,
        untilMs: 60_000,
        gapMs: 10,
        serviceMs: (index, nowMs) => (bad === "slow" && index === 0 && nowMs < 2_000 ? 4_000 : 100),
        outcome: (index, nowMs) =>
          bad === "failing" && index === 0 && nowMs < 2_000 ? "backend_error" : "ok",
      });
      const share = counts.shareOfFirst(30_000, 60_000);
      assert.ok(share >= 0.8 / ENDPOINTS, `${bad} at first, it then got ${(share * 100).toFixed(1)} %`);
    }
  },
  { policies: SPREADING },
);

law(
  "P3 fast-failure attraction (Linkerd): who refuses within 5 ms gets at most 1.2 times its fair share",
  (policy, seed) => {
    for (const outcome of ["backend_overload", "backend_error"] as const) {
      const counts = countsByPhase({
        policy,
        seed,
        options: BARE_POOL_OPTIONS,
        untilMs: 30_000,
        gapMs: 5,
        serviceMs: (index) => (index === 0 ? 5 : 200),
        outcome: (index) => (index === 0 ? outcome : "ok"),
      });
      const share = counts.shareOfFirst(2_000, 30_000);
      assert.ok(
        share <= 1.2 / ENDPOINTS,
        `${outcome}: it got ${(share * ENDPOINTS).toFixed(2)} of its fair share`,
      );
    }
  },
  { policies: SPREADING },
);

law(
  "P4 a clamp at 5 s makes the policy blind (NGINX): 60 s are told from 6 s",
  (policy, seed) => {
    const { picks } = runOpenLoop({
      ...LATENCY,
      policy,
      seed,
      endpoints: 4,
      requests: 4_000,
      gapMs: 500,
      serviceMs: (index) => (index === 0 ? 6_000 : 60_000),
    });
    const share = (picks.get("b0") ?? 0) / 4_000;
    assert.ok(share >= 0.5, `ten times faster, it got ${(share * 100).toFixed(1)} %`);
  },
  { policies: SCORES_LATENCY },
);

law(
  "P5, P19 what is in flight is lost by a reload (Traefik): counts, speeds and streams survive",
  (policy, seed) => {
    const { pool, ledger, clock } = makeFleet(policy, seed, { specs: equals(4) });
    const open = Array.from({ length: 30 }, () => send(pool));
    for (const lease of open.slice(0, 8)) lease.started();
    const before = figures(pool);
    for (let reload = 0; reload < 20; reload++) {
      clock.advance(1);
      const random = new Random(reload);
      const fresh = createPolicy(policy, { random, slotsMax: ledger.slotsMax });
      pool.configure({ ...BARE_POOL_OPTIONS, slowStartMs: reload * 100 }, reload % 2 === 0 ? null : fresh);
      pool.update(equals(4, () => ({ weight: 1 + (reload % 3) })));
    }
    assert.deepEqual(figures(pool), before);
    pool.update(equals(4).slice(2));
    assert.deepEqual(figures(pool), before.slice(2), "those that stay keep their counts");
    pool.update(equals(4));
    assert.deepEqual(
      figures(pool),
      before,
      "those that come back while their streams run find their counts again",
    );
    for (const lease of open) assert.equal(lease.settle("ok"), true);
    assert.deepEqual(
      figures(pool).map(({ inFlight }) => inFlight),
      [0, 0, 0, 0],
    );
    assert.equal(ledger.lateSettles, 0);
  },
);

test("P7 two choices are coarse where endpoints are few (Envoy, HAProxy): the busiest is never taken", () => {
  for (const policy of ["least_request", "auto", "peak_ewma", "resource", "p2c"]) {
    for (const seed of [1, 2, 3]) {
      for (const count of [2, 3]) {
        const { pool, ledger, dice } = makeFleet(policy, seed, { specs: equals(count) });
        const slots = [...pool.members.slots];
        for (let i = 0; i < 500; i++) {
          for (const [rank, slot] of slots.entries()) ledger.inFlight[slot] = (rank + i) % count;
          const least = slots.find((slot) => ledger.inFlight[slot] === 0)!;
          const most = slots.find((slot) => ledger.inFlight[slot] === count - 1)!;
          const lease = send(pool);
          assert.notEqual(lease.slot, most, `${policy}, seed ${seed}`);
          if (policy !== "p2c" || count === 2) assert.equal(lease.slot, least, `${policy}, seed ${seed}`);
          lease.settle("cancelled");
          slots.sort(() => dice.float() - 0.5);
        }
      }
    }
  }
});

test("P8 sampling bug (Caddy): p2c draws every pair equally often, without replacement", () => {
  for (const seed of [1, 2, 3]) {
    const { pool, ledger } = makeFleet("p2c", seed, { specs: equals(5) });
    const counts = new Map<number, number>();
    // Loads 0 1 2 3 4: the pair shows in its lighter one, which is drawn in 4, 3, 2, 1, 0 of 10 pairs.
    for (const [rank, slot] of pool.members.slots.entries()) ledger.inFlight[slot] = rank;
    for (let i = 0; i < 10_000; i++) {
      const lease = send(pool);
      counts.set(lease.slot, (counts.get(lease.slot) ?? 0) + 1);
      lease.settle("cancelled");
    }
    for (const [rank, slot] of pool.members.slots.entries()) {
      const got = counts.get(slot) ?? 0;
      assert.ok(
        Math.abs(got - (4 - rank) * 1_000) < 150,
        `seed ${seed}: rank ${rank} was taken ${got} times`,
      );
    }
  }
});

law(
  "P9 a dead server's share leaks to its neighbour (Caddy): it is spread over all by weight",
  (policy, seed) => {
    const specs = equals(4, (index) => ({ weight: [6, 3, 2, 1][index]! }));
    const fleet = makeFleet(policy, seed, { specs });
    closedLoop(fleet, 600, 36);
    fleet.pool.wish("b0", "down");
    const shares = closedLoop(fleet, 6_000, 36);
    const tolerance = ["random", "hash"].includes(policy) ? 0.15 : 0.06;
    for (const [id, due] of [
      ["b1", 3 / 6],
      ["b2", 2 / 6],
      ["b3", 1 / 6],
    ] as const) {
      const got = shares.get(id) ?? 0;
      assert.ok(
        Math.abs(got / due - 1) <= tolerance,
        `${id} got ${got.toFixed(3)}, its due is ${due.toFixed(3)}`,
      );
    }
    assert.equal(shares.get("b0"), undefined);
  },
  // Two draws of three can not send half of everything to one of them.
  { policies: SPREADING.filter((name) => name !== "p2c") },
);

test("P10 a missing load report starves (grpc-js): who never reports is used like the others", () => {
  for (const seed of [1, 2, 3]) {
    for (const reported of [0.1, 0.5, 0.9]) {
      const fleet = makeFleet("resource", seed, { specs: equals(4) });
      const counts = new Map<string, number>();
      for (let second = 0; second < 60; second++) {
        for (const endpoint of fleet.pool.members.list.slice(1)) {
          fleet.pool.reported(endpoint, reported, Number.NaN, Number.NaN);
        }
        for (const [id, share] of closedLoop(fleet, 100, 12, { stepMs: 10 })) {
          counts.set(id, (counts.get(id) ?? 0) + share / 60);
        }
      }
      const share = counts.get("b0") ?? 0;
      const told = `seed ${seed}, others report ${reported}: it got ${(share * 100).toFixed(1)} %`;
      assert.ok(share > 0.15 && share < 0.35, told);
    }
  }
});

test("P10 who reported a long queue with its last answer, and is sent nothing since, is soon tried again", () => {
  for (const seed of [1, 2, 3]) {
    const fleet = makeFleet("resource", seed, { specs: equals(4) });
    const [bad, ...others] = fleet.pool.members.list;
    const unknown = { cpu: Number.NaN, memory: Number.NaN };
    fleet.ledger.report(bad!.slot, { ...unknown, gpu: 1, queued: 500 }, fleet.clock.nowMs());
    const shares: number[] = [];
    for (let second = 0; second < 60; second++) {
      for (const { slot } of others) {
        fleet.ledger.report(slot, { ...unknown, gpu: 0.4, queued: 0 }, fleet.clock.nowMs());
      }
      shares.push(closedLoop(fleet, 100, 12, { stepMs: 10 }).get(bad!.id) ?? 0);
    }
    assert.ok(
      shares.slice(0, 10).every((share) => share === 0),
      `seed ${seed}: ${shares.join(" ")}`,
    );
    assert.ok(shares[45]! > 0.05, `seed ${seed}: ${shares.join(" ")}`);
  }
});

law(
  "P11 lost wake-up and endless loop at a limit of 1 (HAProxy): waiters that end at once, or ask again",
  (policy, seed) => {
    const specs = equals(2, () => ({ limit: 1 }));
    const options = { queue: { requestsMax: 500, waitMs: 60_000 } };
    const { pool, ledger } = makeFleet(policy, seed, { specs, options });
    const first = [send(pool), send(pool)];
    let served = 0;
    const ask = (again: number): void => {
      const lease = new Lease();
      const waiter = {
        decided: (decision: Decision): void => {
          assert.equal(decision.kind, "send");
          served++;
          if (again > 0) ask(again - 1);
          lease.settle("ok");
        },
      };
      const decision = pool.pick(work(), lease, waiter);
      if (decision.kind !== "wait") waiter.decided(decision);
    };
    for (let i = 0; i < 200; i++) ask(i % 3);
    assert.equal(served, 0);
    for (const lease of first) lease.settle("ok");
    assert.equal(served, 200 + 66 * 3 + 1);
    assert.equal(pool.queue.length, 0);
    assert.ok(ledger.inFlight.every((count) => count === 0));
  },
);

law("P11 a waiter that throws wakes the others nevertheless", (policy, seed) => {
  const options = { queue: { requestsMax: 10, waitMs: 60_000 } };
  const { pool } = makeFleet(policy, seed, { specs: equals(1, () => ({ limit: 1 })), options });
  const running = send(pool);
  const [bad, good] = [new Lease(), new Lease()];
  const throws = (): void => {
    throw new Error("a bug of the waiter");
  };
  pool.pick(work(), bad, { decided: throws });
  pool.pick(work(), good, { decided: () => {} });
  assert.throws(() => running.settle("ok"), /a bug of the waiter/);
  bad.settle("cancelled");
  assert.ok(good.isOpen, "the next one was not told");
});

law(
  "P13 ejection that can not fire at low rates or in small pools (Envoy): 1 request/s, 2 endpoints",
  (policy, seed) => {
    for (const failsOf of [1, 2]) {
      const setup = { specs: equals(2), options: DEFAULT_POOL_OPTIONS };
      const { pool, clock, events, dice } = makeFleet(policy, seed, setup);
      let failures = 0;
      let requests = 0;
      for (let second = 0; second < 600 && !events.some(({ kind }) => kind === "ejected"); second++) {
        clock.advance(1_000);
        const lease = send(pool);
        const isBad = lease.endpoint!.id === "b0" && requests++ % failsOf === 0;
        if (isBad) failures++;
        clock.advance(40 + dice.below(20));
        lease.settle(isBad ? "backend_error" : "ok");
      }
      const ejected = events.filter(({ kind }) => kind === "ejected").map(({ endpoint }) => endpoint);
      // peak_ewma gives it so little, now that each failure costs 5 s, that ten failures may take an hour.
      const isAvoided = policy === "peak_ewma" && failures < 11 && ejected.length === 0;
      if (!isAvoided)
        assert.deepEqual(ejected, ["b0"], `failing 1 of ${failsOf}, after ${failures} failures`);
      assert.ok(failures <= (failsOf === 1 ? 5 : 11), `only after ${failures} failures`);
    }
  },
);

law("P14 a passing check puts a hung server back (Envoy): only real work does", (policy, seed) => {
  const { pool, clock, events, ledger } = makeFleet(policy, seed, {
    specs: equals(3),
    options: DEFAULT_POOL_OPTIONS,
  });
  const hung = pool.members.get("b1")!;
  const onlyHung = work();
  for (const { id, slot } of pool.members.list) if (id !== "b1") onlyHung.avoid(slot);
  for (let i = 0; i < 5; i++) send(pool, onlyHung).settle("timeout");
  assert.ok(events.some(({ kind, endpoint }) => kind === "ejected" && endpoint === "b1"));
  // Who is hung answers nothing but its checks.
  for (let second = 0; second < 90; second++) {
    for (const { id } of pool.members.list) pool.probed(id, { passed: true });
    for (let i = 0; i < 10; i++) {
      clock.advance(100);
      const lease = send(pool, work({ isReplayable: true }));
      lease.settle(lease.endpoint === hung ? "timeout" : "ok");
    }
  }
  assert.ok(!events.some(({ kind }) => kind === "readmitted"), "readmitted without any success");
  assert.ok(ledger.failures[hung.slot]! < 20, `${ledger.failures[hung.slot]} requests were lost to it`);
  // It is well again: the next trial readmits it.
  for (let i = 0; i < 3_000 && hung.health.outlier.kind !== "admitted"; i++) {
    clock.advance(100);
    send(pool, work({ isReplayable: true })).settle("ok");
  }
  assert.equal(hung.health.outlier.kind, "admitted");
  assert.equal(events.filter(({ kind }) => kind === "readmitted").length, 1);
});

law(
  "P15 all are ejected (Linkerd: nothing, Envoy: panic): all are used, or a fast refusal where panic is off",
  (policy, seed) => {
    const panicking = makeFleet(policy, seed, { specs: equals(4), options: DEFAULT_POOL_OPTIONS });
    const { outlier } = DEFAULT_POOL_OPTIONS;
    const options = { ...DEFAULT_POOL_OPTIONS, outlier: { ...outlier!, panicShare: 0 } };
    const strict = makeFleet(policy, seed, { specs: equals(4), options });
    for (const { pool } of [panicking, strict]) {
      for (const { id } of pool.members.list) {
        for (let i = 0; i < 3; i++) pool.probed(id, { passed: false, detail: "status 500" });
      }
    }
    assert.equal(panicking.pool.isPanic, true);
    assert.equal(panicking.events.filter(({ kind }) => kind === "panic_on").length, 1);
    const used = new Set(Array.from({ length: 200 }, () => send(panicking.pool).endpoint!.id));
    assert.equal(used.size, policy === "fill" ? 1 : 4);
    assert.equal(strict.pool.isPanic, false);
    const refused = strict.pool.pick(work(), new Lease(), { decided: () => {} });
    assert.ok(refused.kind === "refuse" && refused.reason === "all_down" && refused.retryAfterMs >= 1_000);
    // Two come back: enough to be trusted again.
    for (const id of ["b0", "b1"]) {
      for (let i = 0; i < 2; i++) panicking.pool.probed(id, { passed: true });
    }
    assert.equal(panicking.pool.isPanic, false);
    assert.ok(["b0", "b1"].includes(send(panicking.pool).endpoint!.id));
  },
);

law(
  "P16 slow start surges, starves or comes in steps (Envoy, HAProxy): a ramp that is smooth in time",
  (policy, seed) => {
    const slowStartMs = 30_000;
    const counts = countsByPhase({
      policy,
      seed,
      options: { ...BARE_POOL_OPTIONS, slowStartMs },
      untilMs: 100_000,
      gapMs: 10,
      serviceMs: (_index, _nowMs, random) => 500 + random.float() * 500,
      prepare: ({ loop, pool }) => {
        pool.update(equals(ENDPOINTS).slice(1));
        loop.at(10_000, () => pool.update(equals(ENDPOINTS)));
      },
    });
    const fair = 1 / ENDPOINTS;
    let before = 0;
    for (let from = 10_000; from < 40_000; from += 5_000) {
      const share = counts.shareOfFirst(from, from + 5_000);
      const told = `${share.toFixed(3)} from ${from} ms, ${before.toFixed(3)} before`;
      assert.ok(share > 0.02 * fair, `starved: ${told}`);
      assert.ok(share <= 1.3 * fair, `a surge: ${told}`);
      assert.ok(share - before <= 0.5 * fair, `a step: ${told}`);
      before = share;
    }
    const after = counts.shareOfFirst(50_000, 100_000);
    assert.ok(after >= 0.8 * fair, `after the ramp it got ${(after / fair).toFixed(2)} of its fair share`);
  },
  { policies: SPREADING },
);

law(
  "P17 a retry goes to the host that failed (Traefik): never, also when nobody else is left",
  (policy, seed) => {
    const { pool, dice } = makeFleet(policy, seed, { specs: equals(6), options: DEFAULT_POOL_OPTIONS });
    for (let i = 0; i < 300; i++) {
      const what = work({ key: dice.uint32(), sessionKey: dice.below(2) === 0 ? dice.uint32() : -1 });
      const visited = new Set<string>();
      for (;;) {
        const decision = pool.pick(what);
        if (decision.kind !== "send") break;
        const { id } = decision.lease.endpoint!;
        assert.ok(!visited.has(id), `${id} was visited twice`);
        visited.add(id);
        what.avoid(decision.lease.slot);
        decision.lease.settle("cancelled");
      }
      assert.equal(visited.size, 6);
      assert.equal(refusal(pool, what), "all_tried");
    }
  },
);

test("P18 retry storm without a budget: failures add 20 %, not twice the load", () => {
  const budget = new RetryBudget(0.2, 1);
  const random = new Random(1);
  let attempts = 0;
  let requests = 0;
  for (let nowMs = 0; nowMs < 120_000; nowMs += random.exponential(10)) {
    budget.request(nowMs);
    requests++;
    attempts++;
    // Whatever is tried fails, and everybody would go on for three more attempts.
    for (let retry = 0; retry < 3 && budget.take(nowMs); retry++) attempts++;
  }
  const extra = attempts - requests;
  assert.ok(extra <= 0.2 * requests * 1.02 + 10, `${extra} retries for ${requests} requests`);
  assert.ok(extra >= 0.18 * requests, "the budget is there to be used");
});

law(
  "P20 limits that are soft (Envoy, NGINX): they hold in panic mode, for sessions and for trials",
  (policy, seed) => {
    const specs = equals(3, () => ({ limit: 2 }));
    const { pool, ledger, clock } = makeFleet(policy, seed, { specs, options: DEFAULT_POOL_OPTIONS });
    const fill = (makeWork: (index: number) => ReturnType<typeof work>): Lease[] => {
      const leases: Lease[] = [];
      for (let i = 0; i < 50; i++) {
        const decision = pool.pick(makeWork(i));
        if (decision.kind === "send") leases.push(decision.lease);
        for (const slot of pool.members.slots) assert.ok(ledger.inFlight[slot]! <= 2);
      }
      return leases;
    };
    for (const lease of fill(() => work({ sessionKey: 7 }))) lease.settle("ok");
    for (const { id } of specs) {
      for (let i = 0; i < 3; i++) pool.probed(id, { passed: false, detail: "no answer" });
    }
    assert.equal(pool.isPanic, true);
    const open = fill((index) => work({ sessionKey: index % 2 === 0 ? index : -1 }));
    assert.equal(open.length, 6);
    for (const lease of open) lease.settle("backend_error");
    clock.advance(40_000);
    fill(() => work({ isReplayable: true }));
  },
);

law(
  "P21 flapping discovery, an empty answer (Envoy, HAProxy, grpc-js): nothing is lost, no place leaks",
  (policy, seed) => {
    const specs = equals(4, () => ({ limit: 2 }));
    const options = { queue: { requestsMax: 10, waitMs: 600_000 } };
    const { pool, ledger, clock, dice } = makeFleet(policy, seed, { specs, options, slotsMax: 8 });
    const running = Array.from({ length: 8 }, () => send(pool));
    const waiting = Array.from({ length: 5 }, () => new Lease());
    for (const lease of waiting) {
      assert.equal(pool.pick(work(), lease, { decided: () => {} }).kind, "wait");
    }
    for (let flap = 0; flap < 300; flap++) {
      clock.advance(10);
      // Now and then nobody is there at all; with eight places for four endpoints none may be lost.
      pool.update(flap % 7 === 0 ? [] : specs.filter(() => dice.float() < 0.5));
      if (pool.members.list.length === 0) assert.equal(refusal(pool), "no_endpoint");
      assert.equal(
        ledger.inFlight.reduce((sum, count) => sum + count, 0),
        8,
        "who comes back is full still: those who wait are not sent to it",
      );
    }
    pool.update(specs);
    assert.deepEqual(
      pool.members.list.map(({ slot }) => ledger.inFlight[slot]),
      [2, 2, 2, 2],
      "they find their counts again",
    );
    for (const lease of running) assert.equal(lease.settle("ok"), true);
    assert.ok(
      waiting.every((lease) => lease.isOpen),
      "whoever waited is served when they are back",
    );
    for (const lease of waiting) lease.settle("ok");
    assert.ok(ledger.inFlight.every((count) => count === 0));
    assert.equal(ledger.lateSettles, 0);
  },
);

law("P22 health is keyed too coarsely (Caddy): one address in two pools is two endpoints", (policy, seed) => {
  const ledger = new Ledger({ slotsMax: 16 });
  const setup = { ledger, specs: equals(2), options: DEFAULT_POOL_OPTIONS };
  const [chat, images] = [makeFleet(policy, seed, setup), makeFleet(policy, seed + 1, setup)];
  for (let i = 0; i < 3; i++) chat.pool.probed("b0", { passed: false, detail: "status 404" });
  chat.pool.wish("b1", "drain");
  images.pool.agentSaid("b1", "ready", 0.5);
  const states = ({ pool }: Fleet): number[] => [...pool.members.slots].map((slot) => ledger.state[slot]!);
  assert.deepEqual(states(images), [STATE.available, STATE.available]);
  assert.equal(chat.pool.isPanic, true, "one of one enabled is down");
  const lease = send(images.pool);
  const { id } = lease.endpoint!;
  assert.equal(ledger.inFlight[chat.pool.members.get(id)!.slot], 0);
  lease.settle("ok");
});

law(
  "P24 requests that are given up leak counts (HAProxy, grpc-js): neither in flight nor in the queue",
  (policy, seed) => {
    const options: Partial<PoolOptions> = { queue: { requestsMax: 100, waitMs: 10_000 } };
    const { pool, ledger, dice, clock } = makeFleet(policy, seed, {
      specs: equals(3, () => ({ limit: 2 })),
      options,
    });
    const outcomes: readonly Outcome[] = ["client_abort", "cancelled", "timeout", "backend_error"];
    for (let round = 0; round < 200; round++) {
      const leases = Array.from({ length: 30 }, () => new Lease());
      for (const lease of leases) pool.pick(work({ units: 1 + dice.below(9) }), lease, { decided: () => {} });
      clock.advance(dice.below(50));
      // All leave, in any order: some from the queue, some from an endpoint, some in mid-stream.
      leases.sort(() => dice.float() - 0.5);
      for (const lease of leases) {
        if (dice.below(3) === 0) lease.started();
        if (!pool.leaveQueue(lease)) lease.settle(outcomes[dice.below(outcomes.length)]!);
      }
      assert.equal(pool.queue.length, 0);
      assert.ok(
        ledger.inFlight.every((count) => count === 0),
        "in flight",
      );
      assert.ok(
        ledger.pendingUnits.every((units) => units === 0),
        "pending units",
      );
    }
  },
);

interface EndpointFigures {
  readonly id: string;
  readonly inFlight: number;
  readonly picks: number;
  readonly latencyMs: number;
}

function figures({ members, ledger }: Pool): EndpointFigures[] {
  return members.list.map(({ id, slot }) => ({
    id,
    inFlight: ledger.inFlight[slot]!,
    picks: ledger.picks[slot]!,
    latencyMs: ledger.latencyMs[slot]!,
  }));
}

const ENDPOINTS = 5;

interface PhaseSetup {
  readonly policy: string;
  readonly seed: number;
  readonly options: Partial<PoolOptions>;
  readonly untilMs: number;
  readonly gapMs: number;
  readonly serviceMs: Parameters<typeof runOpenLoop>[0]["serviceMs"];
  readonly outcome?: (index: number, nowMs: number) => Outcome;
  readonly prepare?: Parameters<typeof runOpenLoop>[0]["prepare"];
}

/** Runs five endpoints without queues of their own; tells the share of the first one between two times. */
function countsByPhase(setup: PhaseSetup): { shareOfFirst(fromMs: number, toMs: number): number } {
  const stepMs = 500;
  const first: number[] = [];
  const all: number[] = [];
  const { untilMs, prepare, ...scenario } = setup;
  runOpenLoop({
    ...LATENCY,
    ...scenario,
    endpoints: ENDPOINTS,
    arrivals: "even",
    requests: Math.floor(untilMs / setup.gapMs),
    prepare: (live) => {
      prepare?.(live);
      for (let at = 0; at <= untilMs; at += stepMs) {
        live.loop.at(at, () => {
          first.push(live.picks.get("b0") ?? 0);
          all.push([...live.picks.values()].reduce((sum, count) => sum + count, 0));
        });
      }
    },
  });
  return {
    shareOfFirst: (fromMs, toMs) => {
      const [from, to] = [fromMs / stepMs, toMs / stepMs];
      return (first[to]! - first[from]!) / (all[to]! - all[from]!);
    },
  };
}

law(
  "P25 a herd on drain (Envoy): what one leaves goes to all the others, and nothing in flight moves",
  (policy, seed) => {
    const specs = equals(5);
    const fleet = makeFleet(policy, seed, { specs });
    const { pool, ledger } = fleet;
    const keys = Array.from({ length: 2_000 }, (_, key) => key * 7_919);
    const homeOf = (sessionKey: number): string => {
      const lease = send(pool, work({ sessionKey }));
      const { id } = lease.endpoint!;
      lease.settle("ok");
      return id;
    };
    const before = new Map(keys.map((key) => [key, homeOf(key)]));
    const streams = keys.slice(0, 50).map((sessionKey) => send(pool, work({ sessionKey })));
    const held = pool.members.list.map(({ slot }) => ledger.inFlight[slot]);
    pool.wish("b0", "drain");
    assert.deepEqual(
      pool.members.list.map(({ slot }) => ledger.inFlight[slot]),
      held,
    );
    const moved = new Map<string, number>();
    for (const [key, home] of before) {
      const now = homeOf(key);
      if (home === "b0") moved.set(now, (moved.get(now) ?? 0) + 1);
      else assert.equal(now, home, "only its own sessions move");
    }
    const total = [...moved.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(total > 300, `b0 was the home of ${total} sessions`);
    for (const id of ["b1", "b2", "b3", "b4"]) {
      const share = (moved.get(id) ?? 0) / total;
      assert.ok(
        share > 0.15 && share < 0.35,
        `${id} took ${(share * 100).toFixed(1)} % of the sessions of b0`,
      );
    }
    for (const stream of streams) assert.equal(stream.settle("ok"), true);
  },
);
