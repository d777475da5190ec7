import assert from "node:assert/strict";
import {
  createPolicy,
  DEFAULT_POOL_OPTIONS,
  endpointSpec,
  Ledger,
  Pool,
  type PoolEvent,
  Random,
} from "../../../src/core/index.ts";
import type { ProbeTarget } from "../../../src/signals/prober.ts";

/** A pool over these addresses, in real time, and its members as targets of probes. */
export function startPool(addresses: readonly string[]): {
  pool: Pool;
  targets: ProbeTarget[];
  events: PoolEvent[];
} {
  const ledger = new Ledger({ slotsMax: 16 });
  const random = new Random(1);
  const events: PoolEvent[] = [];
  const pool = new Pool({
    name: "probed",
    ledger,
    random,
    clock: { nowMs: () => performance.now() },
    policy: createPolicy("auto", { random, slotsMax: 16 }),
    options: DEFAULT_POOL_OPTIONS,
    onEvent: (event) => events.push(event),
  });
  pool.update(addresses.map((address) => endpointSpec(address)));
  const targets = addresses.map((id) => {
    const [host, port] = id.split(":") as [string, string];
    return { id, host, port: Number(port), tls: null, headers: {}, preface: "" };
  });
  return { pool, targets, events };
}

/** Waits until `condition` holds; fails with `what` after ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let round = 0; round < 1_000; round++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`waited in vain for: ${what}`);
}
