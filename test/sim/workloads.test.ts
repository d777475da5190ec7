import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { cachedCapacityPerS, capacityPerS, listOf } from "../../src/sim/capacity.ts";
import type { SimRequest } from "../../src/sim/router.ts";
import { agents } from "../../src/sim/workloads/agents.ts";
import { WORKLOADS } from "../../src/sim/workloads/index.ts";
import { parseTrace } from "../../src/sim/workloads/trace-text.ts";
import { traceWorkload } from "../../src/sim/workloads/trace.ts";
import type { Workload, WorkloadOptions } from "../../src/sim/workloads/workload.ts";
import { PLAIN, request } from "./fixtures.ts";

const OPTIONS: WorkloadOptions = { requests: 2000, seed: 1, requestsPerS: 10, isJittered: false };

test("conversation trace: its lines, in seconds, with small block numbers", () => {
  const text = [
    '{"timestamp": 3000, "input_length": 700, "output_length": 5, "hash_ids": [900, 17]}',
    '{"timestamp": 6000, "input_length": 600, "output_length": 0, "hash_ids": [900, 4]}',
    "",
  ].join("\n");
  const trace = parseTrace(text);
  assert.deepEqual(trace, {
    blockTokens: 512,
    rows: [
      { atS: 0, inputTokens: 700, outputTokens: 5, blocks: [900, 17] },
      { atS: 3, inputTokens: 600, outputTokens: 1, blocks: [900, 4] },
    ],
  });
  const [first, second] = listOf(traceWorkload("t", trace).create({ ...OPTIONS, requestsPerS: 0 }));
  assert.deepEqual(first!.blocks, [0, 1]);
  assert.deepEqual(second!.blocks, [0, 2]);
});

test("Azure's trace: its dates as seconds, over midnight and a leap day", () => {
  const text = [
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2024-02-28 23:59:59.5000000,374,44",
    "2024-02-29 00:00:01.0000000,396,109",
    "2024-03-01 00:00:01.0000000,10,1",
  ].join("\r\n");
  const { rows, blockTokens } = parseTrace(text);
  assert.equal(blockTokens, 0);
  assert.deepEqual(
    rows.map(({ atS }) => atS),
    [0, 1.5, 86_401.5],
  );
});

test("a line that is no request is named", () => {
  assert.throws(() => parseTrace("{}\n"), /line 1 is no request/);
  assert.throws(() => parseTrace('{"timestamp":1,"input_length":-1,"output_length":1}'), /line 1/);
  assert.throws(() => parseTrace("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1"), /line 2/);
  assert.throws(() => parseTrace("TIMESTAMP,ContextTokens,GeneratedTokens\n"), /there is no request in it/);
  assert.throws(() => parseTrace("<html>"), /line 1/);
});

test("the traces that are shipped are whole", () => {
  const count = (file: string): number => {
    return parseTrace(gunzipSync(readFileSync(`scenarios/traces/${file}`)).toString("utf8")).rows.length;
  };
  assert.equal(count("mooncake-conversation.jsonl.gz"), 12_031);
  assert.equal(count("azure-conv-2023.csv.gz"), 19_366);
});

test("jitter spreads within 3 s and scales with the rate; raw times stay in groups", () => {
  const lines = Array.from({ length: 400 }, (_, i) => {
    return `{"timestamp": ${3000 * Math.floor(i / 10)}, "input_length": 10, "output_length": 1, "hash_ids": []}`;
  });
  const source = traceWorkload("t", parseTrace(lines.join("\n")));
  const times = (isJittered: boolean, requestsPerS: number): number[] => {
    return listOf(source.create({ requests: 400, seed: 5, requestsPerS, isJittered })).map(({ atS }) => atS);
  };
  assert.equal(new Set(times(false, 0)).size, 40);
  const jittered = times(true, 0);
  assert.equal(new Set(jittered).size, 400);
  assert.ok(jittered.every((atS, i) => i === 0 || atS >= jittered[i - 1]!));
  assert.ok(jittered.at(-1)! < 120 && jittered.at(-1)! > 117);
  // 400 requests in 120 s are recorded; 40 a second take 10 s.
  const fast = times(true, 40);
  assert.ok(fast.at(-1)! < 10 && fast.at(-1)! > 9.7, `${fast.at(-1)}`);
});

test("made-up sessions: longer prompts go on with what was said; the same trace has the same ones", () => {
  const text = gunzipSync(readFileSync("scenarios/traces/azure-conv-2023.csv.gz")).toString("utf8");
  const create = (): SimRequest[] =>
    listOf(traceWorkload("a", parseTrace(text, 5000)).create({ ...OPTIONS, requests: 5000 }));
  const requests = create();
  const last = new Map<number, SimRequest>();
  let going = 0;
  let shared = 0;
  for (const one of requests) {
    assert.equal(one.blocks.length, Math.ceil(one.inputTokens / one.blockTokens));
    const before = last.get(one.session);
    last.set(one.session, one);
    if (before === undefined) continue;
    going++;
    assert.ok(one.inputTokens > before.inputTokens + before.outputTokens);
    const common = one.blocks.filter((block) => before.blocks.includes(block)).length;
    assert.equal(common, Math.floor(before.inputTokens / 64), "the whole prompt before, in full blocks");
    shared += common * 64;
  }
  assert.ok(going > 1500, `${going} of 5000 go on`);
  assert.ok(shared > 0);
  assert.deepEqual(create(), requests);
});

for (const source of WORKLOADS) {
  test(`${source.name}: rate, order, numbers and blocks are as promised`, () => {
    const requests = listOf(source.create(OPTIONS));
    assert.equal(requests.length, 2000);
    let lastS = 0;
    for (const [index, one] of requests.entries()) {
      assert.equal(one.id, index);
      assert.ok(one.atS >= lastS);
      lastS = one.atS;
      assert.ok(one.inputTokens >= 1 && one.outputTokens >= 1);
      if (one.blocks.length > 0) {
        assert.equal(one.blocks.length, Math.ceil(one.inputTokens / one.blockTokens));
        assert.equal(new Set(one.blocks).size, one.blocks.length);
      }
    }
    const perS = requests.length / lastS;
    assert.ok(perS > 7 && perS < 13, `${perS.toFixed(2)} a second`);
    const other = listOf(source.create({ ...OPTIONS, seed: 2 }));
    assert.notDeepEqual(other, requests);
    assert.deepEqual(listOf(source.create(OPTIONS)), requests);
  });
}

test("agents ask again only when they were answered, with all that was said before", () => {
  const workload: Workload = agents.create({ ...OPTIONS, requests: 400 });
  const open = new Set<number>();
  const last = new Map<number, SimRequest>();
  let turns = 0;
  const waiting: SimRequest[] = [];
  while (workload.nextS < Number.POSITIVE_INFINITY) {
    const one = workload.take();
    assert.equal(open.has(one.session), false, "one question at a time");
    open.add(one.session);
    const before = last.get(one.session);
    last.set(one.session, one);
    if (before !== undefined) {
      turns++;
      assert.ok(one.inputTokens > before.inputTokens + before.outputTokens);
      const full = Math.floor(before.inputTokens / before.blockTokens);
      assert.deepEqual(one.blocks.slice(0, full), before.blocks.slice(0, full));
    }
    waiting.push(one);
    if (waiting.length < 5) continue;
    const answered = waiting.shift()!;
    open.delete(answered.session);
    workload.ended!(answered, "answered", one.atS);
  }
  assert.ok(turns > 100, `${turns} turns`);
});

test("capacity, by hand: two engines that do one request of 50 + 20 s after the other", () => {
  const requests = Array.from({ length: 40 }, (_, id) => request({ id, inputTokens: 50, outputTokens: 3 }));
  const perS = capacityPerS({ ...PLAIN, runningMax: 1 }, 2, requests);
  assert.ok(Math.abs(perS / (2 / 70) - 1) < 0.03, `${perS} a second`);
  assert.equal(capacityPerS({ ...PLAIN, runningMax: 1 }, 2, requests), perS);
  const tooLong = [request({ inputTokens: 5000 })];
  assert.throws(() => capacityPerS(PLAIN, 2, tooLong), /no engine could ever hold/);
});

test("capacity with a perfect cache, by hand: each group has an engine, which computes its prefix once", () => {
  // 40 of 50 tokens are common to each of two groups: 50 s, then 10 s each, and 20 s of decode.
  const requests = Array.from({ length: 40 }, (_, id) => {
    const blocks = [...[0, 1, 2, 3].map((i) => 10 * (id % 2) + i), 100 + id];
    return request({ id, blocks, blockTokens: 10 });
  });
  const model = { ...PLAIN, runningMax: 1, kvTokens: 70 };
  const perS = cachedCapacityPerS(model, 2, requests);
  const exact = 40 / (70 + 19 * 30);
  assert.ok(Math.abs(perS / exact - 1) < 0.05, `${perS} and ${exact}`);
  // In one line engines get groups as it comes, and one prefix drives out the other.
  assert.ok(capacityPerS(model, 2, requests.toReversed()) <= perS);
});
