// Law: a limit is never exceeded, and whoever waits is told once and gets his turn (P11, P20). Limits of one
// are where races hide: HAProxy's `maxconn 1` went from lost wake-ups to endless loops to a crash in 2024.
import assert from "node:assert/strict";

import type { Waiter } from "../../src/core/admission/wait-queue.ts";
import type { Decision } from "../../src/core/decision.ts";
import { Lease } from "../../src/core/lease.ts";
import { Work } from "../../src/core/work.ts";
import { EventLoop } from "../scenarios/event-loop.ts";
import { equals, type Fleet, law, makeFleet } from "./law.ts";

const BACKENDS = 100;
const CLIENTS = 200;
const SERVICE_MS = 50;
const REQUESTS_EACH = 40;

law("a limit of 1 on 100 backends holds under 200 clients that come and leave", (policy, seed) => {
  const specs = equals(BACKENDS, () => ({ limit: 1 }));
  const options = { queue: { requestsMax: CLIENTS, waitMs: 600_000 } };
  const hall = new Hall(makeFleet(policy, seed, { specs, options }));
  for (let i = 0; i < CLIENTS; i++) hall.enter();
  hall.run();
  assert.equal(hall.asked, CLIENTS * REQUESTS_EACH);
  assert.equal(hall.sent + hall.left, hall.asked, "everybody was sent, or left the line by himself");
  assert.ok(hall.left > 200, `only ${hall.left} left the line: the law proves little`);
  assert.equal(hall.pool.queue.length, 0);
  assert.ok(hall.ledger.inFlight.every((count) => count === 0));
  // At most half of the clients stand in line: in FIFO order nobody waits longer than two rounds of service.
  assert.ok(hall.longestWaitMs <= 2 * SERVICE_MS * 2, `somebody waited ${hall.longestWaitMs} ms`);
});

law("a limit that is lowered, raised or ramped is never exceeded by a new request", (policy, seed) => {
  const options = { queue: { requestsMax: CLIENTS, waitMs: 600_000 }, slowStartMs: 5_000 };
  const hall = new Hall(makeFleet(policy, seed, { specs: equals(10, () => ({ limit: 8 })), options }));
  for (let i = 0; i < CLIENTS; i++) hall.enter();
  for (let round = 1; round < 60; round++) {
    hall.loop.at(round * 20, () => {
      const count = 5 + hall.dice.below(8);
      hall.pool.update(equals(count, () => ({ limit: 1 + hall.dice.below(12) })));
    });
  }
  hall.run();
  assert.equal(hall.sent + hall.left, hall.asked);
  assert.equal(hall.asked, CLIENTS * REQUESTS_EACH);
});

/** Clients that ask again as soon as they are served, and sometimes lose patience before. */
class Hall {
  readonly loop: EventLoop = new EventLoop();
  readonly pool: Fleet["pool"];
  readonly ledger: Fleet["ledger"];
  readonly dice: Fleet["dice"];
  readonly #clock: Fleet["clock"];
  asked = 0;
  sent = 0;
  left = 0;
  longestWaitMs = 0;

  constructor({ pool, ledger, dice, clock }: Fleet) {
    this.pool = pool;
    this.ledger = ledger;
    this.dice = dice;
    this.#clock = clock;
  }

  enter(): void {
    this.#ask(REQUESTS_EACH);
  }

  /** Drives the pool's clock along with the loop's and tends every 100 ms. */
  run(): void {
    for (let untilMs = 0; this.sent + this.left < CLIENTS * REQUESTS_EACH; untilMs += 100) {
      assert.ok(untilMs < 3_600_000, "somebody waits for ever");
      this.loop.run(untilMs);
      this.#moveClock();
      this.pool.tend();
    }
    this.loop.run();
  }

  #moveClock(): void {
    if (this.loop.nowMs > this.#clock.nowMs()) this.#clock.moveTo(this.loop.nowMs);
  }

  #ask(rounds: number): void {
    if (rounds === 0) return;
    this.#moveClock();
    this.asked++;
    const askedAtMs = this.loop.nowMs;
    const lease = new Lease();
    let decisions = 0;
    const waiter: Waiter = {
      decided: (decision: Decision): void => {
        decisions++;
        assert.equal(decisions, 1, "told twice");
        assert.equal(decision.kind, "send", "nobody is refused here");
        const inFlight = this.ledger.inFlight[lease.slot]!;
        assert.ok(inFlight <= this.ledger.limit[lease.slot]!, `${inFlight} in flight, over the limit`);
        this.sent++;
        this.longestWaitMs = Math.max(this.longestWaitMs, this.loop.nowMs - askedAtMs);
        const serviceMs = SERVICE_MS * (0.5 + this.dice.float());
        this.loop.after(serviceMs, () => {
          this.#moveClock();
          lease.settle(this.dice.below(10) === 0 ? "client_abort" : "ok");
          this.#ask(rounds - 1);
        });
      },
    };
    const work = new Work();
    const decision = this.pool.pick(work, lease, waiter);
    if (decision.kind !== "wait") return waiter.decided(decision);
    if (this.dice.below(4) > 0) return;
    this.loop.after(this.dice.float() * SERVICE_MS, () => {
      this.#moveClock();
      if (!this.pool.leaveQueue(lease)) return;
      this.left++;
      this.#ask(rounds - 1);
    });
  }
}
