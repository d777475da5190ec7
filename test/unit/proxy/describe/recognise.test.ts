import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LLM_APIS } from "../../../../src/proxy/describe/index.ts";
import { modelOfPath, recogniseApi } from "../../../../src/proxy/describe/recognise.ts";
import { isGeneration } from "../../../../src/proxy/request-kind.ts";

describe("an LLM API", () => {
  for (const [path, name] of [
    ["/v1/chat/completions", "openai_chat"],
    ["/openai/v1/chat/completions", "openai_chat"],
    ["/v1/completions", "openai_completions"],
    ["/v1/responses", "openai_responses"],
    ["/a/b/v1/embeddings", "openai_embeddings"],
    ["/v1/rerank", "rerank"],
    ["/v2/rerank", "rerank"],
    ["/rerank", "rerank"],
    ["/v1/audio/transcriptions", "openai_audio"],
    ["/v1/images/generations", "openai_images"],
    ["/v1/messages", "anthropic_messages"],
    ["/anthropic/v1/messages/count_tokens", "anthropic_count_tokens"],
    ["/api/chat", "ollama_chat"],
    ["/api/generate", "ollama_generate"],
    ["/api/embed", "ollama_embed"],
    ["/api/embeddings", "ollama_embeddings"],
    ["/generate", "tgi_generate"],
    ["/generate_stream", "tgi_generate_stream"],
    ["/v2/models/llama/infer", "kserve_infer"],
    ["/v2/models/llama/versions/3/infer", "kserve_infer"],
    ["/triton/v2/models/llama/generate", "triton_generate"],
    ["/v2/models/llama/versions/1/generate_stream", "triton_generate_stream"],
    ["/invocations", "invocations"],
  ] as const) {
    test(`${path} is ${name}`, () => {
      assert.equal(recogniseApi("POST", path)?.name, name);
      assert.equal(recogniseApi("GET", path), null);
    });
  }

  for (const path of [
    "/",
    "",
    "/v1",
    "/v1/chat/completions/",
    "/xv1/chat/completions",
    "/chat/completions",
    "/v1/models",
    "/reports/generate",
    "/app/api/chat",
    "/my/invocations",
    "/v2/models/infer",
    "/v2/models//infer",
    "/v2/models/a/b/infer",
    "/v2/models/a/versions/infer",
    "/v2/models/a/versions//infer",
    "/v2/models/a/versions/1/2/infer",
    "/v2/models/llama/ready",
  ]) {
    test(`${path === "" ? "no path" : path} is none`, () => {
      assert.equal(recogniseApi("POST", path), null);
      assert.equal(modelOfPath(path), "");
    });
  }

  test("each path of the menu is recognised as its own", () => {
    for (const api of LLM_APIS) {
      for (const path of api.paths) assert.equal(recogniseApi("POST", path.replace("*", "m")), api, path);
    }
  });

  test("what is sent again without a body's word is what was so before", () => {
    for (const api of LLM_APIS) {
      for (const path of api.paths) {
        if (path.includes("*") || api.name === "ollama_embeddings" || path === "/v2/rerank") continue;
        assert.equal(api.replay === "safe", isGeneration("POST", path), path);
      }
    }
  });
});

describe("the model in the path", () => {
  for (const [path, model] of [
    ["/v2/models/llama-3/infer", "llama-3"],
    ["/v2/models/meta%2Fllama%203/versions/2/infer", "meta/llama 3"],
    ["/v2/models/100%/infer", "100%"],
    ["/k/v2/models/m/generate", "m"],
    ["/v1/chat/completions", ""],
  ] as const) {
    test(`of ${path} is "${model}"`, () => assert.equal(modelOfPath(path), model));
  }
});
