// What is pure of the live bench: its texts, its clock-driven engine, its reading and scoring of answers.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type Ask,
  endEvents,
  readAsk,
  tokensEvent,
  wholeAnswer,
} from "../../../bench/routers/engines/completion.ts";
import { LiveEngine } from "../../../bench/routers/engines/live-engine.ts";
import { blockText, BYTES_PER_TOKEN, PromptReader, promptText } from "../../../bench/routers/prompt-text.ts";
import { type AnswerRecord, flightsOf, lateP99S } from "../../../bench/routers/records.ts";
import { StreamedText } from "../../../bench/routers/streamed-text.ts";
import { liveWorkload, MODEL, SMOKE, WHOLE } from "../../../bench/routers/workload.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { passageText } from "../../../src/demo/passage.ts";
import type { EngineModel } from "../../../src/sim/engine-models.ts";
import { Engine } from "../../../src/sim/engine.ts";
import { Flight } from "../../../src/sim/flight.ts";
import type { SimRequest } from "../../../src/sim/router.ts";
import { scoreAnswers } from "../../../src/sim/score.ts";

test("a prompt has four bytes a token; equal blocks are equal texts, others differ at once", () => {
  const a = promptText({ ...REQUEST, blocks: [0, 1, 2], inputTokens: 1100 });
  const b = promptText({ ...REQUEST, blocks: [0, 1, 3], inputTokens: 1536 });
  assert.equal(a.length, 1100 * BYTES_PER_TOKEN);
  assert.equal(b.length, 1536 * BYTES_PER_TOKEN);
  const common = 1024 * BYTES_PER_TOKEN;
  assert.equal(a.slice(0, common), b.slice(0, common));
  const heads = Array.from({ length: 1000 }, (_, block) => blockText(block, 4));
  assert.equal(new Set(heads).size, heads.length, "four words tell blocks apart");
});

test("an engine that reads the texts of a workload finds the recorded prefixes and lengths", () => {
  const { requests } = liveWorkload(SMOKE);
  const reader = new PromptReader(512);
  const seen: (readonly number[])[] = [];
  for (const [index, request] of requests.entries()) {
    const read = reader.read(promptText(request));
    assert.equal(read.inputTokens, request.inputTokens);
    assert.equal(read.blocks.length, request.blocks.length);
    for (const [other, blocks] of seen.entries()) {
      assert.equal(common(read.blocks, blocks), common(request.blocks, requests[other]!.blocks), `${index}`);
    }
    seen.push(read.blocks);
  }
});

test("the workload is 200 s at 0.8 of what the engines can do, and the same each time", () => {
  const { requests, requestsPerS, capacityPerS } = liveWorkload(WHOLE);
  assert.equal(requestsPerS, 0.8 * capacityPerS);
  assert.equal(requests.length, Math.round(200 * requestsPerS));
  assert.ok(Math.abs(requests.at(-1)!.atS - 200) < 10);
  assert.deepEqual(liveWorkload(WHOLE).requests, requests);
});

for (const [name, model] of [
  ["roomy", MODEL],
  ["so tight that requests are put back", { ...MODEL, kvTokens: 30_000 } satisfies EngineModel],
] as const) {
  test(`an engine by the clock does what it does in virtual time, however late it is called: ${name}`, () => {
    const requests = liveWorkload(SMOKE).requests.map((request) => ({
      ...request,
      atS: request.atS / 2,
      outputTokens: 200 + (request.id % 7) * 50,
    }));
    const simulated = simulate(requests, model);
    const random = new Random(7);
    const live = new LiveEngine(0, model, 8);
    const told = requests.map(() => 0);
    const cached = requests.map(() => -1);
    const open = [...requests];
    for (let nowS = 0; open.length > 0 || live.isBusy; nowS += random.float() * 0.2) {
      while (open.length > 0 && open[0]!.atS <= nowS) {
        const request = open.shift()!;
        const tokens = (first: number, end: number): void => {
          assert.equal(first, told[request.id], "tokens come one after the other");
          assert.ok(end > first && end <= request.outputTokens);
          told[request.id] = end;
        };
        const ended = (cachedTokens: number): void => void (cached[request.id] = cachedTokens);
        // A request counts from when it comes; what the clock has missed until then is done first.
        assert.ok(live.submit(request, { tokens, ended }, request.atS));
      }
      live.turn(nowS);
    }
    assert.deepEqual(
      told,
      requests.map(({ outputTokens }) => outputTokens),
    );
    assert.deepEqual(cached, simulated.cached);
    assert.equal(live.finished, requests.length);
    assert.ok(Math.abs(live.busyS - simulated.busyS) < 1e-6);
    assert.equal(simulated.preemptions > 0, model !== MODEL);
  });
}

test("a stream is whole when its text, its end and its order are right, in pieces of any size", () => {
  const ask: Ask = { isChat: true, isStream: true, includesUsage: true, prompt: "a", outputTokens: 20 };
  const usage = { promptTokens: 30, cachedTokens: 10, outputTokens: 20 };
  const tokens = tokensEvent(ask, "x", 0, 1) + tokensEvent(ask, "x", 1, 9) + tokensEvent(ask, "x", 9, 20);
  const whole = tokens + endEvents(ask, "x", usage);
  for (const size of [1, 7, 100, whole.length]) {
    const text = new StreamedText(20);
    for (let at = 0; at < whole.length; at += size) text.read(whole.slice(at, at + size));
    assert.equal(text.problem, "");
    assert.equal(text.cachedTokens, 10);
  }
  const problemOf = (stream: string): string => {
    const text = new StreamedText(20);
    text.read(stream);
    return text.problem;
  };
  assert.match(problemOf(tokens), /DONE/);
  assert.match(problemOf(whole.replace(" bar", " ear")), /not what was written/);
  assert.match(problemOf(whole.replace(/data: .*?\n\n/, "")), /not what was written/);
  assert.match(problemOf(`data: {"error":{"message":"no"}}\n\n`), /error event/);
  assert.match(problemOf(`data: {"choi\n\n`), /no JSON/);
});

test("engines read chats and completions, and answer in one piece when asked to", () => {
  const chat = { messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }], seed: 12 };
  const ask = readAsk(true, JSON.stringify(chat))!;
  assert.deepEqual(ask, {
    isChat: true,
    isStream: false,
    includesUsage: false,
    prompt: "Hi",
    outputTokens: 12,
  });
  assert.equal(readAsk(false, JSON.stringify({ prompt: "Hi", max_tokens: 3 }))!.outputTokens, 3);
  assert.equal(readAsk(true, "{"), undefined);
  assert.equal(readAsk(false, JSON.stringify(chat)), undefined);
  const answer = JSON.parse(
    wholeAnswer(ask, "x", { promptTokens: 1, cachedTokens: 0, outputTokens: 12 }),
  ) as {
    choices: { message: { content: string } }[];
    usage: { completion_tokens: number; prompt_tokens_details: { cached_tokens: number } };
  };
  assert.equal(answer.choices[0]!.message.content, passageText(12));
  assert.equal(answer.usage.completion_tokens, 12);
  assert.equal(answer.usage.prompt_tokens_details.cached_tokens, 0);
});

test("answers are scored from when they were due; what was not whole, or never came, is lost", () => {
  const requests = [0, 1, 2, 3].map((id) => ({
    ...REQUEST,
    id,
    atS: id,
    inputTokens: 8000,
    outputTokens: 11,
  }));
  const record = (id: number, rest: Partial<AnswerRecord>): AnswerRecord => ({
    id,
    sentS: id,
    firstS: id + 1.9,
    lastS: id + 2.4,
    cachedTokens: 4000,
    problem: "",
    ...rest,
  });
  // In time; let go late, so that its first token comes after 2 s from when it was due; broken; and none.
  const records = [record(0, {}), record(1, { sentS: 1.5, firstS: 3.1 }), record(2, { problem: "cut off" })];
  const score = scoreAnswers(flightsOf(requests, records));
  assert.equal(score.goodput, 0.25);
  assert.equal(score.lost, 2);
  assert.equal(score.hitRate, 0.5);
  assert.ok(Math.abs(score.ttftMeanS - 2) < 1e-9);
  assert.equal(lateP99S(requests, records), 0.5);
});

const REQUEST: SimRequest = {
  id: 0,
  atS: 0,
  inputTokens: 512,
  outputTokens: 10,
  outputTokensMax: 0,
  blocks: [0],
  blockTokens: 512,
  session: -1,
};

/** Length of the common beginning. */
function common(a: readonly number[], b: readonly number[]): number {
  const end = a.findIndex((value, index) => value !== b[index]);
  return end === -1 ? a.length : end;
}

/** The same engine in virtual time. */
function simulate(
  requests: readonly SimRequest[],
  model: EngineModel,
): { cached: number[]; busyS: number; preemptions: number } {
  const engine = new Engine(0, model, { firstToken: () => {}, answered: () => {} });
  const flights = requests.map((request) => new Flight(request));
  for (const flight of flights) {
    while (engine.nextS <= flight.request.atS) engine.advance();
    engine.enqueue(flight, flight.request.atS);
  }
  while (engine.nextS !== Number.POSITIVE_INFINITY) engine.advance();
  const cached = flights.map(({ cachedTokens }) => cachedTokens);
  return { cached, busyS: engine.busyS, preemptions: engine.preemptions };
}
