import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  formatComparison,
  formatLoadTable,
  type LoadRow,
  type PhaseResult,
} from "../../../src/demo/report.ts";

const ROWS: LoadRow[] = [
  { name: "fast", state: "up", sent: 8, answered: 8, inFlight: 7, p95FirstByteMs: 212.4 },
  { name: "a-long-name", state: "ejected", sent: 0, answered: 0, inFlight: 0, p95FirstByteMs: Number.NaN },
  { name: "slow", state: "up", sent: 8, answered: 2, inFlight: 31, p95FirstByteMs: 4871 },
];
const FIRST: PhaseResult = {
  name: "round_robin",
  requests: 240,
  failed: 5,
  p50FirstByteMs: 150,
  p95FirstByteMs: 6000,
  p99FirstByteMs: 9000,
};
const SECOND: PhaseResult = { ...FIRST, name: "auto", failed: 2, p50FirstByteMs: 152, p95FirstByteMs: 400 };
const ESCAPE = "\u001b";

describe("the load table", () => {
  it("has a title, a header and a row a backend, in columns", () => {
    assert.deepEqual(formatLoadTable(ROWS, "round_robin, second 3"), [
      "round_robin, second 3",
      "  backend      state    sent  share                            answered  in flight  p95 first byte",
      "  fast         up          8   50 %  ████████████············         8          7          212 ms",
      "  a-long-name  ejected     0    0 %  ························         0          0               -",
      "  slow         up          8   50 %  ████████████············         2         31         4871 ms",
    ]);
  });

  it("says a dash where nothing was sent", () => {
    const [, , row] = formatLoadTable([{ ...ROWS[0]!, sent: 0 }], "");
    assert.match(row!, /up\s+0\s+-\s+·{24}/);
  });

  it("is colored only when asked, without moving a column", () => {
    const plain = formatLoadTable(ROWS, "t");
    const colored = formatLoadTable(ROWS, "t", { isColored: true });
    assert.ok(!plain.join("").includes(ESCAPE));
    assert.ok(colored.join("").includes(ESCAPE));
    const bare = colored.map((line) => line.split(new RegExp(`${ESCAPE}\\[\\d+m`)).join(""));
    assert.deepEqual(bare, plain);
  });
});

describe("the comparison", () => {
  it("shows both phases and the change", () => {
    assert.deepEqual(formatComparison(FIRST, SECOND), [
      "round_robin against auto",
      "                  round_robin       auto",
      "  requests                240        240",
      "  p50 first byte       150 ms     152 ms  the same",
      "  p95 first byte      6000 ms     400 ms  15.0x sooner",
      "  p99 first byte      9000 ms    9000 ms  the same",
      "  failed            5 (2.1 %)  2 (0.8 %)  no clear difference",
    ]);
  });

  it("takes for a result only what chance rarely does", () => {
    const verdict = (before: number, after: number): string => {
      const lines = formatComparison({ ...FIRST, failed: before }, { ...SECOND, failed: after });
      return lines.at(-1)!.split("%)").at(-1)!.trim();
    };
    assert.equal(verdict(3, 2), "no clear difference");
    assert.equal(verdict(2, 3), "no clear difference");
    assert.equal(verdict(4, 4), "the same");
    assert.equal(verdict(30, 4), "fewer");
    assert.equal(verdict(0, 5), "more");
  });

  it("does not hide what became worse, and survives an empty phase", () => {
    const empty = { ...FIRST, requests: 0, failed: 0, p50FirstByteMs: Number.NaN };
    const lines = formatComparison(empty, { ...FIRST, p95FirstByteMs: 12_000 });
    assert.match(lines.join("\n"), /2\.0x later/);
    assert.match(lines.join("\n"), /0 \(0\.0 %\)\s+5 \(2\.1 %\)\s+more/);
    assert.ok(!lines.join("\n").includes("NaN"));
  });
});
