// The vectors that Python answers too: test/fixtures/vectors/README.md says what the steps mean.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Balancer } from "../../../src/balancer.ts";
import { VirtualClock } from "../../../src/core/kit/clock.ts";
import type { Lease } from "../../../src/core/lease.ts";
import { BARE_POOL_OPTIONS } from "../../../src/core/pool-options.ts";

const FILES = { "round-robin": "round_robin", "least-request": "least_request", resource: "resource" };

for (const [file, policy] of Object.entries(FILES)) {
  const url = new URL(`../../fixtures/vectors/${file}.json`, import.meta.url);
  const cases = JSON.parse(readFileSync(url, "utf8")) as Case[];
  assert.ok(cases.length > 5, `${file}.json is almost empty`);
  for (const { name, endpoints, steps } of cases) {
    test(`${policy}: ${name}`, () => {
      const player = new Player(policy, endpoints);
      for (const [index, step] of steps.entries())
        player.play(step, `step ${index}: ${JSON.stringify(step)}`);
    });
  }
}

class Player {
  readonly #clock: VirtualClock = new VirtualClock();
  readonly #balancer: Balancer;
  readonly #policy: string;
  readonly #acquired: Map<string, Lease[]> = new Map();
  /** Plain picks of `resource` count as in flight until the endpoint's next report. */
  readonly #sinceReport: Map<string, Lease[]> = new Map();
  #endpoints: readonly EndpointGiven[];

  constructor(policy: string, endpoints: readonly EndpointGiven[]) {
    this.#policy = policy;
    this.#endpoints = endpoints;
    const behaviour = BARE_POOL_OPTIONS;
    this.#balancer = new Balancer({ endpoints, policy, behaviour, seed: 1, clock: this.#clock });
  }

  play(step: Step, told: string): void {
    const { pool } = this.#balancer;
    if (step.at_seconds !== undefined) this.#clock.moveTo(step.at_seconds * 1_000);
    if (step.next !== undefined) this.#next(step.next, told);
    else if (step.acquire !== undefined) {
      const lease = this.#pick(step.acquire, told);
      if (lease !== null) push(this.#acquired, lease);
    } else if (step.release !== undefined) {
      assert.equal(this.#acquired.get(step.release)?.shift()?.settle("ok"), true, told);
    } else if (step.report !== undefined) this.#report(step.report);
    else if (step.down !== undefined) assert.ok(pool.wish(step.down, "down"), told);
    else if (step.up !== undefined) assert.ok(pool.wish(step.up, "ready"), told);
    else if (step.add !== undefined) this.#update([...this.#endpoints, step.add]);
    else if (step.remove !== undefined) {
      this.#update(this.#endpoints.filter(({ address }) => address !== step.remove));
    } else assert.fail(`not a step: ${told}`);
  }

  #next(expected: string | null, told: string): void {
    if (this.#policy === "round_robin" && expected !== null) {
      assert.equal(this.#balancer.next(), expected, told);
      return;
    }
    const lease = this.#pick(expected, told);
    if (lease === null) return;
    if (this.#policy === "resource") push(this.#sinceReport, lease);
    else lease.settle("cancelled");
  }

  #pick(expected: string | null, told: string): Lease | null {
    const decision = this.#balancer.tryPick();
    const lease = decision.kind === "send" ? decision.lease : null;
    assert.equal(lease?.endpoint?.spec.address ?? null, expected, told);
    return lease;
  }

  #report({ address, cpu = Number.NaN, memory = Number.NaN, gpu = Number.NaN }: Report): void {
    this.#balancer.pool.reported(this.#balancer.pool.members.get(address)!, cpu, memory, gpu);
    for (const lease of this.#sinceReport.get(address)?.splice(0) ?? []) lease.settle("cancelled");
  }

  #update(endpoints: readonly EndpointGiven[]): void {
    this.#endpoints = endpoints;
    this.#balancer.update(endpoints);
  }
}

interface Case {
  readonly name: string;
  readonly endpoints: readonly EndpointGiven[];
  readonly steps: readonly Step[];
}

interface EndpointGiven {
  readonly address: string;
  readonly weight: number;
  readonly limit?: number;
}

interface Step {
  readonly at_seconds?: number;
  readonly next?: string | null;
  readonly acquire?: string | null;
  readonly release?: string;
  readonly report?: Report;
  readonly down?: string;
  readonly up?: string;
  readonly add?: EndpointGiven;
  readonly remove?: string;
}

interface Report {
  readonly address: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly gpu?: number;
}

function push(leases: Map<string, Lease[]>, lease: Lease): void {
  const { address } = lease.endpoint!.spec;
  const list = leases.get(address) ?? [];
  list.push(lease);
  leases.set(address, list);
}
