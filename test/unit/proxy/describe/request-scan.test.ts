import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { hashText } from "../../../../src/core/kit/hash.ts";
import { NO_KEY } from "../../../../src/core/work.ts";
import { BLOCK_BYTES, BLOCKS_MAX } from "../../../../src/proxy/describe/block-chain.ts";
import { DEPTH_MAX } from "../../../../src/proxy/describe/json-scan.ts";
import { MEDIA_TOKENS } from "../../../../src/proxy/describe/prompt-sections.ts";
import { recogniseApi } from "../../../../src/proxy/describe/recognise.ts";
import type { RequestFacts } from "../../../../src/proxy/describe/request-facts.ts";
import { RequestScan } from "../../../../src/proxy/describe/request-scan.ts";

const CHAT = "/v1/chat/completions";

function scan(path: string, body: unknown, tenant = NO_KEY): RequestFacts {
  const scanner = new RequestScan();
  scanner.begin(recogniseApi("POST", path)!, "");
  scanner.push(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));
  return scanner.finish(4, tenant);
}

function firstHashes(facts: RequestFacts, count: number): string {
  return facts.blocks.subarray(0, 2 * count).join();
}

describe("what is read", () => {
  test("of a chat request", () => {
    const facts = scan(CHAT, {
      model: "llama",
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      stream_options: { include_usage: true },
      max_completion_tokens: 100,
      max_tokens: 200,
      n: 2,
      user: "u",
      prompt_cache_key: "p",
      conversation: { id: "c" },
      metadata: { user_id: "m" },
      priority: -3,
      store: false,
      lora_path: "adapter",
    });
    assert.equal(facts.state, "complete");
    assert.equal(facts.model, "llama");
    assert.deepEqual([facts.modelStart, facts.modelEnd], [9, 16]);
    assert.deepEqual([facts.isStreamed, facts.includesUsage], [true, true]);
    assert.deepEqual([facts.outputTokensMax, facts.choices, facts.priority], [100, 2, -3]);
    assert.deepEqual([facts.store, facts.adapter], [false, "adapter"]);
    assert.deepEqual(
      [facts.user, facts.cacheKey, facts.conversation, facts.metadataUser, facts.session],
      [hashText("u"), hashText("p"), hashText("c"), hashText("m"), NO_KEY],
    );
    assert.equal(facts.promptBytes, '{"role":"user","content":"Hello"}'.length);
    assert.equal(facts.promptTokens, 9);
    assert.equal(facts.blockCount, 0);
  });

  test("Ollama streams unless it is told not to", () => {
    assert.equal(scan("/api/chat", { model: "m" }).isStreamed, true);
    assert.equal(scan("/api/chat", { stream: false }).isStreamed, false);
    assert.equal(scan("/generate_stream", { stream: false }).isStreamed, true);
    assert.equal(scan("/v1/embeddings", { stream: true }).isStreamed, false);
  });

  test("limits that are none count as nothing said", () => {
    const limitOf = (value: unknown): number =>
      scan("/api/chat", { options: { num_predict: value } }).outputTokensMax;
    assert.deepEqual([-1, -2, 0, null, "7", 7.9, 1e300].map(limitOf), [0, 0, 0, 0, 0, 7, 2 ** 31 - 1]);
  });

  test("images weigh as tokens, not as base64, and are told apart", () => {
    const turn = (data: string): unknown => ({
      messages: [
        {
          role: "user",
          content: [{ type: "image", source: { type: "base64", media_type: "image/png", data } }],
        },
      ],
    });
    const one = scan("/v1/messages", turn("A".repeat(100_000)));
    assert.equal(one.mediaParts, 1);
    assert.ok(one.promptBytes < 200);
    assert.equal(one.promptTokens, Math.ceil(one.promptBytes / 4) + MEDIA_TOKENS);
    assert.equal(one.blockCount, Math.floor((4 * MEDIA_TOKENS + one.promptBytes) / BLOCK_BYTES));
    const other = scan("/v1/messages", turn(`${"A".repeat(99_999)}B`));
    assert.notEqual(firstHashes(one, 1), firstHashes(other, 1));
  });

  test("a document in plain text is text", () => {
    const source = { type: "text", media_type: "text/plain", data: "The bar is even. ".repeat(10) };
    const facts = scan("/v1/messages", {
      messages: [{ role: "user", content: [{ type: "document", source }] }],
    });
    assert.equal(facts.mediaParts, 0);
    assert.ok(facts.promptBytes > 170);
  });

  test("token ids are counted, in one prompt or several", () => {
    for (const prompt of [[1, 22, 333, 4444], [[1, 22], [333], [4444]], "[1, 22 ,\n333,4444]"]) {
      const list = typeof prompt === "string" ? prompt : JSON.stringify(prompt);
      const facts = scan("/v1/completions", `{"prompt":${list}}`);
      assert.deepEqual([facts.tokenIds, facts.promptBytes, facts.promptTokens], [4, 0, 4]);
    }
  });

  test("a long system text before a short question has blocks of its own", () => {
    const ask = (system: string, question: string): RequestFacts =>
      scan("/v1/messages", { system, messages: [{ role: "user", content: question }] });
    const system = "You weigh loads. ".repeat(200);
    const [one, two, other] = [ask(system, "left?"), ask(system, "right?"), ask(`${system}.`, "left?")];
    assert.equal(one.blockCount, Math.floor(system.length / BLOCK_BYTES));
    assert.equal(firstHashes(one, one.blockCount), firstHashes(two, one.blockCount));
    assert.notEqual(firstHashes(one, 1), firstHashes(other, 1));
    assert.ok(Math.abs(one.blockTokens - BLOCK_BYTES / 4) < 1);
  });
});

describe("odd bodies", () => {
  test("the last of two values counts, also when it is of another kind", () => {
    const facts = scan(
      CHAT,
      '{"model":"a","n":3,"messages":[{"content":"long, long"}],"stream_options":{"include_usage":true},' +
        '"n":"x","stream_options":{},"messages":[],"mod\\u0065l":"b"}',
    );
    assert.deepEqual([facts.model, facts.choices, facts.includesUsage], ["b", 1, null]);
    assert.equal(facts.promptBytes, 0);
    assert.equal(scan(CHAT, '{"model":"a","model":null}').model, "");
    assert.equal(scan(CHAT, '{"model":"a","model":null}').modelStart, -1);
  });

  test("the model that is rewritten stands where the facts say, whatever is before it", () => {
    const body = Buffer.from('{ "messages":[{"content":"mödel \\" \\\\"}], "model" :\t"a\\u002fb" , "n":1}');
    const scanner = new RequestScan();
    scanner.begin(recogniseApi("POST", CHAT)!, "");
    for (let at = 0; at < body.length; at++) scanner.push(body.subarray(at, at + 1));
    const { model, modelStart, modelEnd } = scanner.finish(4);
    assert.equal(model, "a/b");
    assert.equal(body.toString("utf8", modelStart, modelEnd), '"a\\u002fb"');
  });

  test("a model of more than 1,024 bytes is none", () => {
    assert.equal(scan(CHAT, { model: "m".repeat(1_024) }).model.length, 1_024);
    assert.equal(scan(CHAT, { model: "m".repeat(1_025) }).model, "");
  });

  test("the model of the path counts where the body names none", () => {
    const scanner = new RequestScan();
    scanner.begin(recogniseApi("POST", "/v2/models/m/infer")!, "m");
    scanner.push(Buffer.from('{"inputs":[{"name":"text","datatype":"BYTES","data":["Hello"]}]}'));
    const { model, modelStart, promptBytes } = scanner.finish(4);
    assert.deepEqual([model, modelStart], ["m", -1]);
    assert.ok(promptBytes > 40);
  });

  for (const [body, state] of [
    ["", "reading"],
    [" {} \n", "complete"],
    ["{}x", "unreadable"],
    ["[]", "unreadable"],
    ["null", "unreadable"],
    ['{"a":1,}', "unreadable"],
    ['{"a" 1}', "unreadable"],
    ['{"a":[1}', "unreadable"],
    ["\ufeff{}", "unreadable"],
    ['{"a":"', "reading"],
    ['--boundary\r\ncontent-disposition: form-data; name="model"', "unreadable"],
    ["\x1f\x8b\b", "unreadable"],
    [`{"a":${"[".repeat(DEPTH_MAX - 1)}${"]".repeat(DEPTH_MAX - 1)}}`, "complete"],
    [`{"a":${"[".repeat(DEPTH_MAX)}${"]".repeat(DEPTH_MAX)}}`, "unreadable"],
  ] as const) {
    test(`${JSON.stringify(body.slice(0, 40))} is ${state}`, () =>
      assert.equal(scan(CHAT, body).state, state));
  }

  test("what was read before a body became unreadable stays, and more is not asked for", () => {
    const scanner = new RequestScan();
    scanner.begin(recogniseApi("POST", CHAT)!, "");
    const messages = JSON.stringify([{ role: "user", content: "even ".repeat(1_000) }]);
    assert.equal(scanner.push(Buffer.from(`{"model":"m","messages":${messages}`)), true);
    assert.equal(scanner.push(Buffer.from(']"n":2}')), false);
    assert.equal(scanner.push(Buffer.from(',"n":2}')), false);
    const facts = scanner.finish(4);
    assert.deepEqual([facts.state, facts.model, facts.choices], ["unreadable", "m", 1]);
    assert.equal(facts.blockCount, Math.floor((messages.length - 2) / BLOCK_BYTES));
  });

  test("blocks are limited, lengths are not", () => {
    const content = "even ".repeat((BLOCKS_MAX * BLOCK_BYTES) / 5 + 1_000);
    const facts = scan(CHAT, { messages: [{ role: "user", content }] });
    assert.equal(facts.blockCount, BLOCKS_MAX);
    assert.ok(facts.promptBytes > content.length);
    const longer = scan(CHAT, { messages: [{ role: "user", content: `${content} and more` }] });
    assert.equal(firstHashes(longer, BLOCKS_MAX), firstHashes(facts, BLOCKS_MAX));
  });

  test("time is linear in what a stranger sends", () => {
    const size = 1_000_000;
    for (const part of ["[", '{"a":', '"\\"', "\\", "1,", " ", '{"messages":[', '"data":']) {
      const scanner = new RequestScan();
      scanner.begin(recogniseApi("POST", CHAT)!, "");
      const bytes = Buffer.from(`{"messages":["${part.repeat(size / part.length)}`);
      const fromMs = performance.now();
      for (let at = 0; at < bytes.length; at += 1_000) scanner.push(bytes.subarray(at, at + 1_000));
      scanner.finish(4);
      // A quadratic scan would take minutes.
      assert.ok(performance.now() - fromMs < 3_000, part);
    }
  });
});
