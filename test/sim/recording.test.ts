// Access logs as traffic: what is read of a line, what is left out and why, and what was measured in truth.
import assert from "node:assert/strict";
import { test } from "node:test";

import { listOf } from "../../src/sim/capacity.ts";
import { recordedScore } from "../../src/sim/recorded-score.ts";
import { recordedWorkload } from "../../src/sim/workloads/recorded.ts";
import { parseRecording } from "../../src/sim/workloads/recording.ts";

/** A line as the proxy writes it, with what an LLM request adds. */
function line(given: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    time: "2026-11-24T05:00:10.000Z",
    id: "a-1",
    backend: "10.0.0.1:8000",
    status: 200,
    reason: "ok",
    first_token_ms: 400,
    total_ms: 2400,
    prompt_tokens: 250,
    cached_tokens: 100,
    output_tokens: 101,
    prompt_blocks: base64(7, 0xffff_fff0, 9),
    block_tokens: 71.43,
    ...given,
  });
}

function base64(...hashes: number[]): string {
  return Buffer.from(Uint32Array.from(hashes).buffer).toString("base64");
}

test("a line is a request: its arrival, its lengths and the hashes of its prompt", () => {
  const { requests, lines, backends } = parseRecording(`${line()}\n`);
  assert.deepEqual(requests, [
    {
      atS: 0,
      inputTokens: 250,
      outputTokens: 101,
      blocks: [7, 0xffff_fff0, 9],
      blockTokens: 71,
      cachedTokens: 100,
      ttftS: 0.4,
      totalS: 2.4,
    },
  ]);
  assert.deepEqual([lines, backends], [1, 1]);
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

test("without hashes a request has no prefix", () => {
  const text = [line({ prompt_blocks: undefined }), line({ prompt_blocks: "!" }), line()].join("\n");
  const { requests, withoutBlocks } = parseRecording(text);
  assert.deepEqual(
    requests.map(({ blocks }) => blocks.length),
    [0, 0, 3],
  );
  assert.equal(withoutBlocks, 2);
});

test("a block has as many tokens as the engine counted, unless the blocks end before the prompt", () => {
  const sizeOf = (given: Readonly<Record<string, unknown>>): number =>
    parseRecording(line(given)).requests[0]!.blockTokens;
  assert.equal(sizeOf({ prompt_tokens: 350 }), 100);
  assert.equal(sizeOf({ prompt_tokens: 350, block_tokens: undefined }), 100);
  assert.equal(sizeOf({ prompt_tokens: 35_000 }), 71);
  assert.equal(sizeOf({ prompt_tokens: 1 }), 1);
  assert.equal(parseRecording(line({ prompt_tokens: 1 })).requests[0]!.blocks.length, 1);
});

test("hashes become small numbers, the rate is the recorded one or what is asked for", () => {
  const other = line({ time: "2026-11-24T05:00:20Z", prompt_blocks: base64(7, 8) });
  const source = recordedWorkload("log", parseRecording(`${line()}\n${other}`));
  const options = { requests: 10, seed: 1, requestsPerS: 0, isJittered: false };
  const requests = listOf(source.create(options));
  assert.deepEqual(
    requests.map(({ blocks }) => blocks),
    [
      [0, 1, 2],
      [0, 3],
    ],
  );
  assert.equal(requests[1]!.atS.toFixed(3), "10.000");
  assert.equal(listOf(source.create({ ...options, requestsPerS: 2 }))[1]!.atS.toFixed(3), "1.000");
  assert.equal(listOf(source.create({ ...options, requests: 1 })).length, 1);
});

test("figures of the log itself, by hand", () => {
  const text = [
    // 20 ms a token.
    line(),
    // 60 ms a token: too slow.
    line({ total_ms: 6400 }),
    // As a whole: nothing is known of the first token.
    line({ first_token_ms: null, cached_tokens: null }),
  ].join("\n");
  const score = recordedScore(parseRecording(text));
  assert.deepEqual([score.requests, score.ttftMeanS, score.ttftP99S], [3, 0.4, 0.4]);
  assert.ok(Math.abs(score.tpotMeanS - 0.04) < 1e-9);
  assert.deepEqual([score.goodput, score.hitRate], [0.5, 200 / 500]);
  assert.ok(Number.isNaN(score.jain));
});
