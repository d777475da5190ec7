import assert from "node:assert/strict";
import { test } from "node:test";
import { compareUnderLoad } from "../../src/commands/load-comparison.ts";
import { setUp } from "../fixtures/scene.ts";

test("the table of a second shows who was sent how much, whoever has answered", async (t) => {
  const { evener, backends } = await setUp(t, { count: 2 });
  // One of two never answers: by first bytes all of the traffic would seem to be the other's.
  backends[0]!.handler = (): void => {};
  const stop = new AbortController();
  const lines: string[] = [];
  const { config } = evener.server;
  await compareUnderLoad({
    server: evener.server,
    url: `http://127.0.0.1:${evener.port}`,
    before: config,
    after: config,
    signal: stop.signal,
    say: (text) => {
      lines.push(text);
      if (text === "") stop.abort();
    },
  });
  const rowOf = (id: string): string[] =>
    lines
      .find((line) => line.includes(id))!
      .trim()
      .split(/\s+/);
  const silent = rowOf(backends[0]!.id);
  const other = rowOf(backends[1]!.id);
  const sent = [Number(silent[2]), Number(other[2])];
  assert.ok(sent[0]! > 0 && Math.abs(sent[0]! - sent[1]!) <= 1, `round robin: ${lines.join("\n")}`);
  // name, state, sent, share, %, bar, answered, in flight
  assert.deepEqual([silent[6], silent[7]], ["0", String(sent[0])]);
  assert.notEqual(other[6], "0");
});
