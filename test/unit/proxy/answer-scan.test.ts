import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { type AnswerForm, answerForm, AnswerScan } from "../../../src/proxy/describe/answer-scan.ts";
import * as streams from "../../fixtures/answer-streams.ts";

const UNKNOWN = Number.NaN;

test("status, type and encoding say how an answer is read", () => {
  assert.equal(answerForm(200, "text/event-stream; charset=utf-8", null), "sse");
  assert.equal(answerForm(200, "Text/Event-Stream", "identity"), "sse");
  assert.equal(answerForm(200, "application/x-ndjson", ""), "ndjson");
  assert.equal(answerForm(200, "application/json", null), "json");
  assert.equal(answerForm(500, "application/json", null), "none");
  assert.equal(answerForm(200, "application/json", "gzip"), "none");
  assert.equal(answerForm(200, "text/html", null), "none");
  assert.equal(answerForm(200, null, null), "none");
});

describe("what the streams of engines teach", () => {
  const cases = [
    { name: "vLLM", text: streams.VLLM_CHAT, events: 7, content: 3, usage: [1042, 1024, 3], isDone: true },
    { name: "SGLang", text: streams.SGLANG_GENERATE, events: 3, content: 2, usage: [6, 5, 2], isDone: true },
    {
      name: "llama.cpp",
      text: streams.LLAMACPP_CHAT,
      events: 5,
      content: 1,
      usage: [24817, 23780, 82],
      isDone: true,
    },
    { name: "TGI", text: streams.TGI_STREAM, events: 2, content: 2, usage: [17, UNKNOWN, 2], isDone: true },
    {
      name: "Anthropic",
      text: streams.ANTHROPIC_MESSAGES,
      events: 8,
      content: 2,
      usage: [42208, 42000, 15],
      isDone: true,
    },
    {
      name: "responses",
      text: streams.OPENAI_RESPONSES,
      events: 6,
      content: 1,
      usage: [37, 32, 11],
      isDone: true,
    },
    {
      name: "Ollama",
      text: streams.OLLAMA_CHAT,
      form: "ndjson",
      events: 3,
      content: 2,
      usage: [10, UNKNOWN, 17],
      isDone: true,
    },
  ] as const;
  for (const { name, text, events, content, usage, isDone, ...other } of cases) {
    test(name, () => {
      const scan = scanned("form" in other ? other.form : "sse", text);
      assert.equal(scan.events, events);
      assert.equal(scan.contentEvents, content);
      assert.deepEqual(
        [scan.usage.promptTokens, scan.usage.cachedTokens, scan.usage.completionTokens],
        usage,
      );
      assert.equal(scan.isDone, isDone);
      assert.equal(scan.hasFailed, false);
    });
  }

  test("llama.cpp and Ollama tell their times", () => {
    const llama = scanned("sse", streams.LLAMACPP_CHAT).usage;
    assert.deepEqual([llama.prefillMs, llama.decodeMs, llama.loadMs], [253.076, 443.703, UNKNOWN]);
    const ollama = scanned("ndjson", streams.OLLAMA_CHAT).usage;
    assert.deepEqual([ollama.prefillMs, ollama.decodeMs, ollama.loadMs], [246.847, 4032.296, 63.9153]);
  });

  test("Anthropic's prompt is known before the end", () => {
    const scan = new AnswerScan();
    scan.begin("sse");
    feed(scan, streams.ANTHROPIC_MESSAGES.slice(0, 900));
    assert.equal(scan.usage.promptTokens, 42208);
  });
});

describe("a stream of status 200 that failed", () => {
  const failures = {
    vLLM: streams.VLLM_ERROR,
    "older vLLM":
      'data: {"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}\n\n',
    "SGLang, error": streams.SGLANG_ERROR,
    "SGLang, abort": streams.SGLANG_ABORT,
    "llama.cpp, old": streams.LLAMACPP_OLD_ERROR,
    TGI: streams.TGI_ERROR,
    Anthropic: streams.ANTHROPIC_ERROR,
    responses: streams.OPENAI_RESPONSES_FAILED,
    "a long message": `data: {"error": {"message": "${"x".repeat(5000)}", "code": 400}}\n\n`,
    "a name alone": "event: error\n\n",
  };
  for (const [name, text] of Object.entries(failures)) {
    test(`${name}: at once, and behind tokens`, () => {
      assert.equal(scanned("sse", text).hasFailed, true);
      assert.equal(scanned("sse", text).contentEvents, 0);
      const begun = streams.VLLM_CHAT.split("\n\n").slice(0, 3).join("\n\n");
      assert.equal(scanned("sse", begun).hasFailed, false);
      const later = scanned("sse", `${begun}\n\n${text}`);
      assert.equal(later.hasFailed, true);
      assert.equal(later.contentEvents, 2);
    });
  }

  test("Ollama, in a line behind the others", () => {
    const scan = scanned("ndjson", streams.OLLAMA_ERROR);
    assert.deepEqual([scan.hasFailed, scan.events, scan.contentEvents], [true, 2, 1]);
  });

  test("an error that is null, or only written about, is none", () => {
    const text =
      'data: {"choices":[{"delta":{"content":"{\\"error\\": {\\"code\\": 1}}"}}],"error":null}\n\n';
    assert.equal(scanned("sse", text).hasFailed, false);
  });
});

describe("times", () => {
  test("the first content and the gaps after it are those of reads with events", () => {
    const scan = new AnswerScan();
    scan.begin("sse");
    const [role, first, ...more] = streams.VLLM_CHAT.split(/(?<=\n\n)/);
    at(scan, 10, role!);
    at(scan, 11, ": keep-alive\n\n");
    assert.equal(scan.firstContentMs, UNKNOWN);
    at(scan, 100, first!.slice(0, 50));
    at(scan, 110, first!.slice(50));
    assert.equal(scan.firstContentMs, 110);
    assert.equal(scan.firstContentEvents, 2);
    at(scan, 115, ": keep-alive\n\n");
    at(scan, 130, more[0]!);
    at(scan, 160, more.slice(1).join(""));
    assert.deepEqual([scan.gaps, scan.gapMsSum, scan.gapMsMax], [2, 50, 30]);
    assert.equal(scan.events, 7);
  });

  test("a pause for the client is not counted", () => {
    const scan = new AnswerScan();
    scan.begin("ndjson");
    const lines = streams.OLLAMA_CHAT.split(/(?<=\n)/);
    at(scan, 10, lines[0]!);
    scan.skipGap();
    at(scan, 500, lines[1]!);
    at(scan, 520, lines[2]!);
    assert.deepEqual([scan.gaps, scan.gapMsSum, scan.gapMsMax], [1, 20, 20]);
  });
});

describe("bodies", () => {
  test("a small one is read as a whole", () => {
    const scan = scanned("json", streams.LLAMACPP_OLD_BODY);
    const { promptTokens, cachedTokens, completionTokens, prefillMs } = scan.usage;
    assert.deepEqual([promptTokens, cachedTokens, completionTokens, prefillMs], [2143, 2126, 4, 98.626]);
    assert.equal(scan.isDone, true);
    assert.equal(scanned("json", '{"error":"model not found"}').hasFailed, true);
  });

  test("of a large one the end is enough", () => {
    const numbers = Array.from({ length: 4096 }, (_, i) => i / 7);
    const text =
      `{"object":"list","data":[{"object":"embedding","embedding":${JSON.stringify(numbers)}}],"model":"e",` +
      '"usage":{"prompt_tokens":8,"total_tokens":8,"prompt_tokens_details":null}}';
    const { usage } = scanned("json", text);
    assert.deepEqual([usage.promptTokens, usage.cachedTokens, usage.completionTokens], [8, UNKNOWN, UNKNOWN]);
  });

  test("Ollama's and SGLang's figures are found behind long arrays", () => {
    const context = JSON.stringify(Array.from({ length: 5000 }, (_, i) => i));
    const ollama = `{"model":"m","done":true,"context":${context},"load_duration":2000000,"prompt_eval_count":7,"eval_count":9}`;
    const { promptTokens, completionTokens, loadMs } = scanned("json", ollama).usage;
    assert.deepEqual([promptTokens, completionTokens, loadMs], [7, 9, 2]);
    const sglang = `data: {"text":"${"x".repeat(9000)}","meta_info":{"prompt_tokens":6,"completion_tokens":2,"cached_tokens":5}}\n\n`;
    const { usage } = scanned("sse", `${sglang}data: [DONE]\n\n`);
    assert.deepEqual([usage.promptTokens, usage.cachedTokens, usage.completionTokens], [6, 5, 2]);
  });

  test("text that speaks of usage is no usage", () => {
    const text = `{"content":"${"x".repeat(9000)} \\"usage\\":{\\"prompt_tokens\\":1}"}`;
    assert.equal(scanned("json", text).usage.promptTokens, UNKNOWN);
  });

  test("what is none of a model's is not looked at", () => {
    const scan = scanned("none", streams.VLLM_CHAT);
    assert.deepEqual([scan.events, scan.usage.promptTokens, scan.cut], [0, UNKNOWN, null]);
  });
});

test("one scan serves one answer after the other", () => {
  const scan = new AnswerScan();
  scan.begin("sse");
  feed(scan, streams.VLLM_ERROR);
  scan.finish();
  scan.begin("sse");
  feed(scan, streams.VLLM_CHAT);
  scan.finish();
  assert.deepEqual([scan.hasFailed, scan.events, scan.contentEvents], [false, 7, 3]);
  scan.begin("none");
  assert.deepEqual([scan.events, scan.isDone, scan.usage.promptTokens], [0, false, UNKNOWN]);
});

function scanned(form: AnswerForm, text: string): AnswerScan {
  const scan = new AnswerScan();
  scan.begin(form);
  feed(scan, text);
  scan.finish();
  return scan;
}

function feed(scan: AnswerScan, text: string): void {
  const bytes = Buffer.from(text);
  scan.take(bytes, 0, bytes.length);
}

function at(scan: AnswerScan, nowMs: number, text: string): void {
  feed(scan, text);
  scan.readEnd(nowMs);
}
