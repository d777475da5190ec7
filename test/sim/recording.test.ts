// Access logs as traffic: what is read of a line, what is left out and why, and what was measured in truth.
import assert from "node:assert/strict";
import { test } from "node:test";

import { recordedScore } from "../../src/sim/recorded-score.ts";
import { parseRecording } from "../../src/sim/workloads/recording.ts";

/** A line as the proxy writes it, with what an LLM request adds. */
function line(given: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    time: "2026-11-24T05:00:10.000Z",
    id: "a-1",
    backend: "10.0.0.1:8000",
    status: 200,
    reason: "ok",
    first_byte_ms: 400,
    total_ms: 2400,
    prompt_tokens: 250,
    cached_tokens: 100,
    output_tokens: 101,
    prompt_blocks: base64(7, 0xffff_fff0, 9),
    block_tokens: 100,
    ...given,
  });
}

function base64(...hashes: number[]): string {
  return Buffer.from(Uint32Array.from(hashes).buffer).toString("base64");
}

test("a line is a request: its arrival, its lengths and the hashes of its prompt", () => {
  const { requests, trace, lines, backends } = parseRecording(`${line()}\n`);
  assert.deepEqual(requests, [
    {
      atS: 0,
      inputTokens: 250,
      outputTokens: 101,
      blocks: [7, 0xffff_fff0, 9],
      cachedTokens: 100,
      ttftS: 0.4,
      totalS: 2.4,
    },
  ]);
  assert.deepEqual([trace.blockTokens, lines, backends], [100, 1, 1]);
});

test("lines stand in the order of their ends, requests in that of their arrivals", () => {
  const late = line({ time: "2026-11-24T05:00:11.500Z", total_ms: 500, backend: "b", prompt_tokens: 1 });
  const early = line({ time: "2026-11-24T05:00:12Z", total_ms: 5000, backend: "c", prompt_tokens: 2 });
  const { requests, backends } = parseRecording([line(), late, early].join("\n"));
  assert.deepEqual(
    requests.map(({ inputTokens, atS }) => [inputTokens, Number(atS.toFixed(3))]),
    [
      [2, 0],
      [250, 0.6],
      [1, 4],
    ],
  );
  assert.equal(backends, 3);
  const first = parseRecording([line(), late, early].join("\n"), 1);
  assert.deepEqual(
    first.requests.map(({ inputTokens }) => inputTokens),
    [2],
  );
});

test("what can not be simulated is left out and counted by its reason", () => {
  const text = [
    line(),
    "",
    "nonsense",
    "[]",
    line({ time: undefined }),
    line({ total_ms: null }),
    line({ reason: "client_abort", status: 499 }),
    line({ status: 503 }),
    line({ prompt_tokens: undefined }),
    line({ prompt_tokens: 0 }),
    line({ output_tokens: null }),
    line({ output_tokens: 1.5 }),
  ].join("\n");
  const { requests, lines, skipped } = parseRecording(text);
  assert.deepEqual([requests.length, lines], [1, 11]);
  assert.deepEqual(skipped, { unreadable: 4, unanswered: 2, without_tokens: 4 });
  assert.throws(() => parseRecording("nonsense\n"), /1 line, none with prompt_tokens and output_tokens/);
});

test("without hashes a request has no prefix; those of another block size do not count", () => {
  const { requests, trace, withoutBlocks } = parseRecording(
    [
      line({ prompt_blocks: undefined }),
      line({ prompt_blocks: "!" }),
      line(),
      line({ block_tokens: 64 }),
      line({ block_tokens: undefined }),
    ].join("\n"),
  );
  assert.deepEqual(
    requests.map(({ blocks }) => blocks.length),
    [0, 0, 3, 0, 0],
  );
  assert.deepEqual([trace.blockTokens, withoutBlocks], [100, 4]);
});

test("blocks beyond the prompt's tokens are cut off: hashes are over bytes, tokens are the engine's", () => {
  const { requests } = parseRecording(line({ prompt_tokens: 150 }));
  assert.deepEqual(requests[0]!.blocks, [7, 0xffff_fff0]);
});

test("figures of the log itself, by hand", () => {
  const text = [
    // 20 ms a token.
    line(),
    // 60 ms a token: too slow.
    line({ total_ms: 6400 }),
    // As a whole: nothing is known of the first token.
    line({ first_byte_ms: 2400, cached_tokens: undefined }),
  ].join("\n");
  const score = recordedScore(parseRecording(text));
  assert.deepEqual([score.requests, score.ttftMeanS, score.ttftP99S], [3, 0.4, 0.4]);
  assert.ok(Math.abs(score.tpotMeanS - 0.04) < 1e-9);
  assert.deepEqual([score.goodput, score.hitRate], [0.5, 200 / 500]);
  assert.ok(Number.isNaN(score.jain));
});
