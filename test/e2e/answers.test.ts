// What answers tell, in the words of each engine: into the access log, the speeds, and the next choice.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ANTHROPIC_MESSAGES, LLAMACPP_CHAT, OLLAMA_CHAT, VLLM_CHAT } from "../fixtures/answer-streams.ts";
import type { BackendHandler, BackendRequest } from "../fixtures/backend.ts";
import type { LogLine } from "../fixtures/evener.ts";
import { setUp } from "../fixtures/scene.ts";
import { parseRecording } from "../../src/sim/workloads/recording.ts";

const POOL = { policy: "auto", retry: { attempts: 3, backoff: "1ms", backoff_max: "2ms" } };
const SSE = "text/event-stream";
const NDJSON = "application/x-ndjson";
const JSON_TYPE = "application/json";

const OLLAMA_CACHED = OLLAMA_CHAT.replace(
  '"prompt_eval_count":10,',
  '"prompt_eval_count":10,"prompt_eval_cached_count":8,',
);

/** Ollama, `/api/generate` without a stream: the example of its documentation, with other times. */
function ollamaAnswer(loadMs: number, decodeMs: number): string {
  return JSON.stringify({
    model: "gemma3",
    created_at: "2025-10-17T23:14:07.414671Z",
    response: "Hello! How can I help you today?",
    done: true,
    done_reason: "stop",
    total_duration: 174560334,
    load_duration: loadMs * 1e6,
    prompt_eval_count: 2_000,
    prompt_eval_duration: 13074791,
    eval_count: 18,
    eval_duration: decodeMs * 1e6,
  });
}

/** llama.cpp, chat without a stream. */
function llamaAnswer(decodeMs: number): string {
  return JSON.stringify({
    choices: [{ finish_reason: "stop", index: 0, message: { role: "assistant", content: "Yes." } }],
    object: "chat.completion",
    usage: { completion_tokens: 18, prompt_tokens: 2_000, total_tokens: 2_018 },
    timings: { cache_n: 0, prompt_n: 2_000, prompt_ms: 98.626, predicted_n: 18, predicted_ms: decodeMs },
  });
}

describe("tokens stand in the access log as each engine tells them", () => {
  const cases: readonly [string, string, string, string, (number | null)[]][] = [
    ["vLLM", "/v1/chat/completions", SSE, VLLM_CHAT, [1_042, 1_024, 3]],
    ["llama.cpp", "/v1/chat/completions", SSE, LLAMACPP_CHAT, [24_817, 23_780, 82]],
    ["llama.cpp, whole", "/v1/chat/completions", JSON_TYPE, llamaAnswer(50), [2_000, 0, 18]],
    ["Ollama", "/api/chat", NDJSON, OLLAMA_CHAT, [10, null, 17]],
    ["Ollama that tells its cache", "/api/chat", NDJSON, OLLAMA_CACHED, [10, 8, 17]],
    ["Ollama, whole", "/api/generate", JSON_TYPE, ollamaAnswer(0, 50), [2_000, null, 18]],
    ["Anthropic", "/v1/messages", SSE, ANTHROPIC_MESSAGES, [42_208, 42_000, 15]],
  ];
  for (const [engine, path, type, text, expected] of cases) {
    it(engine, async (t) => {
      const { evener, request } = await setUp(t, { handler: answering(type, text), pool: POOL });
      assert.equal((await request(path, prompt(path, type !== JSON_TYPE))).body, text);
      const line = await evener.logged(({ status }) => status === 200);
      assert.deepEqual([line["prompt_tokens"], line["cached_tokens"], line["output_tokens"]], expected);
      assert.equal("output_tokens_counted" in line, false);
    });
  }

  it("and are counted where a stream tells none, which is said", async (t) => {
    const text = VLLM_CHAT.replace(/data: \{[^\n]*"choices":\[\],[^\n]*\n\n/, "");
    assert.ok(text.length < VLLM_CHAT.length);
    const { evener, request } = await setUp(t, { handler: answering(SSE, text), pool: POOL });
    await request("/v1/chat/completions", prompt("/v1/chat/completions", true));
    const line: LogLine = await evener.logged(({ status }) => status === 200);
    assert.deepEqual(
      [line["output_tokens"], line["output_tokens_counted"], line["cached_tokens"]],
      [3, true, null],
    );
    // `evener simulate --record` has something to replay, then.
    const { requests, skipped } = parseRecording(`${JSON.stringify(line)}\n`);
    assert.deepEqual([requests[0]!.outputTokens, skipped.without_tokens], [3, 0]);
  });
});

describe("an answer that comes as a whole teaches how long its prompt took", () => {
  const WHOLE_MS = 300;
  const cases: readonly [string, string, string, string][] = [
    ["llama.cpp", "/v1/chat/completions", llamaAnswer(280), llamaAnswer(20)],
    ["Ollama", "/api/generate", ollamaAnswer(0, 280), ollamaAnswer(0, 20)],
    ["Ollama that loads its model", "/api/generate", ollamaAnswer(200, 80), ollamaAnswer(0, 20)],
  ];
  for (const [engine, path, shortPrompt, longPrompt] of cases) {
    it(`${engine}: what the engine says of its tokens is not its prompt's`, async (t) => {
      const expectedS = await Promise.all(
        [shortPrompt, longPrompt].map(async (text) => {
          const { request } = await setUp(t, { handler: answering(JSON_TYPE, text, WHOLE_MS), pool: POOL });
          let reason = "";
          for (let i = 0; i < 3; i++) {
            reason = String((await request(path, prompt(path, false, i))).headers["x-evener-reason"]);
          }
          return Number(/first token in about ([\d.]+) s/.exec(reason)![1]);
        }),
      );
      const [short, long] = expectedS;
      assert.ok(short! < long! / 2, `${short} s and ${long} s`);
    });
  }
});

describe("a model server that is too busy", () => {
  for (const status of [429, 503]) {
    it(`is left alone as long as its Retry-After says: ${status}`, async (t) => {
      const { backends, request } = await setUp(t, { count: 2, pool: { ...POOL, retry: "off" } });
      const [tired, other] = backends;
      const path = "/v1/chat/completions";
      const error = '{"error":{"message":"Too many requests","type":"rate_limit","code":429}}';
      tired!.handler = answering(JSON_TYPE, error, 0, status, { "retry-after": "60" });
      other!.handler = answering(JSON_TYPE, llamaAnswer(1));
      for (let i = 0; tired!.requests.length === 0; i++) await request(path, prompt(path, false, i));
      const before = other!.requests.length;
      for (let i = 0; i < 20; i++) {
        assert.equal((await request(path, prompt(path, false, 1_000 + i))).status, 200);
      }
      assert.deepEqual([tired!.requests.length, other!.requests.length - before], [1, 20]);
    });
  }
});

describe("what a backend keeps is not sent twice", () => {
  const cases: readonly [string, object, string, number][] = [
    ["/v1/responses", { store: false }, "is repeated", 2],
    ["/v1/responses", {}, "is stored unless it says no", 1],
    ["/v1/responses", { store: true }, "is stored", 1],
    ["/v1/chat/completions", {}, "is repeated", 2],
    ["/v1/chat/completions", { store: true }, "is stored", 1],
  ];
  for (const [path, rest, what, deliveries] of cases) {
    it(`${path} with ${JSON.stringify(rest)} ${what}`, async (t) => {
      const handler: BackendHandler = async (asked) => {
        await asked.body();
        asked.respond(503, "");
      };
      const scene = await setUp(t, { count: 2, handler, pool: POOL });
      const body = JSON.stringify({
        model: "m",
        input: "hi",
        messages: [{ role: "user", content: "hi" }],
        ...rest,
      });
      const answer = await scene.request(path, { method: "POST", body, headers: { "x-test-id": "one" } });
      assert.equal(answer.status, 503);
      assert.equal(scene.deliveries("one"), deliveries);
    });
  }

  it("what the route says is not asked of the body", async (t) => {
    const yaml = { replay: "always", match: { path: "/" }, pool: "default" };
    const scene = await setUp(t, {
      count: 2,
      handler: async (asked) => {
        await asked.body();
        asked.respond(503, "");
      },
      pool: POOL,
      rest: { routes: [yaml] },
    });
    const body = JSON.stringify({ model: "m", input: "hi", store: true });
    await scene.request("/v1/responses", { method: "POST", body, headers: { "x-test-id": "one" } });
    assert.equal(scene.deliveries("one"), 2);
  });
});

/** 8,000 letters that no other number has. */
function prompt(path: string, stream: boolean, number = 0): { method: string; body: string } {
  const text = `${number} ${"word ".repeat(1_600)}`;
  const said = path === "/api/generate" ? { prompt: text } : { messages: [{ role: "user", content: text }] };
  return { method: "POST", body: JSON.stringify({ model: "m", stream, ...said }) };
}

function answering(
  type: string,
  text: string,
  afterMs = 0,
  status = 200,
  fields: Readonly<Record<string, string>> = {},
): BackendHandler {
  return async (asked: BackendRequest) => {
    await asked.body();
    await sleep(afterMs);
    asked.respond(status, text, { "content-type": type, ...fields });
  };
}
