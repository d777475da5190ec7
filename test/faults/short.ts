import { test } from "node:test";
import type { Row } from "./row.ts";
import { runRow } from "./trial.ts";

/** Each row as a test of a few seconds. `EVENER_SEED` repeats a run. */
export function testRows(rows: readonly Row[]): void {
  const seed = Number(process.env.EVENER_SEED ?? Math.floor(Math.random() * 2 ** 31));
  // They read /proc, use prlimit and many addresses of 127.0.0.0/8: only Linux has these.
  for (const row of process.platform === "linux" ? rows : []) {
    test(`${row.name}: ${row.title}`, async (t) => {
      t.diagnostic(`${JSON.stringify(await runRow(row, "short", seed))}, seed ${seed}`);
    });
  }
}
