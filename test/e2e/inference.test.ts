// Prompts: where they go, what is learned of their answers, and how long another backend can take over.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Backend, BackendHandler, BackendRequest } from "../fixtures/backend.ts";
import { rawRequest } from "../fixtures/client.ts";
import { settled, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";
import { parseRecording } from "../../src/sim/workloads/recording.ts";

const CHAT = "POST /v1/chat/completions";
/** Nothing of it is a matter of time or of dice. */
const POOL = { policy: "auto", retry: { attempts: 3, backoff: "1ms", backoff_max: "2ms", body_max: "1MiB" } };

describe("prompts", () => {
  for (const threads of [0, 2]) {
    it(`go where their beginning is cached, threads: ${threads}`, async (t) => {
      const handler = answering({ prompt_tokens: 500, completion_tokens: 3 });
      const { backends, request } = await setUp(t, { count: 3, handler, pool: POOL, rest: { threads } });
      const talks = ["alpha", "beta", "gamma"].map((name) => [`${name} ${"lore ipsum ".repeat(4_000)}`]);
      for (let turn = 0; turn < 6; turn++) {
        for (const talk of talks) {
          talk.push(`turn ${turn} ${"more ".repeat(50)}`);
          assert.equal((await request("/v1/chat/completions", chat(talk))).status, 200);
        }
      }
      for (const name of ["alpha", "beta", "gamma"]) {
        const homes = backends.filter((backend) => saw(backend, name));
        assert.equal(homes.length, 1, `${name} went to ${homes.map((home) => home.name).join(", ")}`);
      }
    });
  }

  it("say why they went there", async (t) => {
    const handler = answering({ prompt_tokens: 2_500, completion_tokens: 3 });
    const { request } = await setUp(t, { count: 2, handler, pool: POOL });
    const talk = ["word ".repeat(2_000)];
    const reasons: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const { headers } = await request("/v1/chat/completions", chat(talk));
      reasons.push(String(headers["x-evener-reason"]));
      talk.push("and", "more ".repeat(20));
    }
    assert.match(
      reasons[0]!,
      /^policy; 0 of 25\d\d tokens cached; first token in about [\d.]+ s; next best /,
    );
    assert.match(
      reasons[1]!,
      /^policy; 2\d\d\d of 25\d\d tokens cached; .*; next best .*, \d[\d.]* times the cost$/,
    );
    const plain = await request("/other");
    assert.equal(plain.headers["x-evener-reason"], "policy");
  });

  it("are not taken for cached where another tenant has sent them", async (t) => {
    const handler = answering({ prompt_tokens: 2_500, completion_tokens: 3 });
    const pool = { ...POOL, prompt_tenant: "header:x-tenant" };
    const { request } = await setUp(t, { count: 2, handler, pool });
    const cached = async (tenant: string): Promise<boolean> => {
      const options = chat(["word ".repeat(2_000)]);
      const headers = { "x-tenant": tenant };
      const answer = await request("/v1/chat/completions", { ...options, headers });
      return !/ 0 of 25\d\d tokens cached/.test(String(answer.headers["x-evener-reason"]));
    };
    assert.deepEqual(
      [await cached("a"), await cached("a"), await cached("b"), await cached("b")],
      [false, true, false, true],
    );
  });

  it("are spread by what waits: a short one does not stand behind a long one", async (t) => {
    const { evener, backends, connect } = await setUp(t, { count: 2, handler: () => {}, pool: POOL });
    const long = await connect();
    long.send(rawRequest(CHAT, JSON_FIELDS, chat(["x".repeat(400_000)]).body));
    const loaded = (await anyRequest(backends)).backend;
    for (let i = 0; i < 8; i++) {
      const short = await connect();
      short.send(rawRequest(CHAT, JSON_FIELDS, chat([`short ${i}`]).body));
    }
    await until(() => evener.inFlight() === 9, "the short ones");
    assert.equal(loaded.requests.length, 1);
  });

  it("wait for their body, however it comes, but not for more than a MiB of it", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {}, pool: POOL });
    const client = await connect();
    const { body } = chat(["hello"]);
    client.send(
      `${CHAT} HTTP/1.1\r\nhost: test\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await settled(() => backend.requests.length);
    assert.equal(backend.requests.length, 0);
    client.send(body.slice(5));
    assert.equal((await (await backend.request(0)).body()).toString(), body);
    const other = await connect();
    const large = "y".repeat(1_200_000);
    other.send(`${CHAT} HTTP/1.1\r\nhost: test\r\ncontent-length: ${large.length + 100}\r\n\r\n${large}`);
    await backend.request(1);
  });

  it("that can not be read go on as they are", async (t) => {
    const { backend, request } = await setUp(t, { pool: POOL });
    for (const body of ["not json", "", '{"messages": [', "[1,2]"]) {
      const answer = await request("/v1/chat/completions", { method: "POST", body });
      assert.deepEqual([answer.status, answer.body], [200, "hello from a"]);
    }
    assert.equal(backend.requests.length, 4);
  });
});

describe("a stream's head is held until its first token", () => {
  it("and an attempt that dies before it is repeated elsewhere, as if it had never been", async (t) => {
    const { backends, connect, evener } = await setUp(t, { count: 2, handler: () => {}, pool: POOL });
    const client = await connect();
    client.send(rawRequest(CHAT, JSON_FIELDS, chat(["hi"], { stream: true }).body));
    const first = await anyRequest(backends);
    first.sse();
    first.event('{"choices":[{"delta":{"role":"assistant"}}]}');
    await settled(() => client.receivedLength);
    assert.equal(client.receivedLength, 0);
    first.reset();
    const second = await anyRequest(backends.filter((backend) => backend !== first.backend));
    second.sse();
    second.event('{"choices":[{"delta":{"content":"hey"}}]}');
    second.event("[DONE]");
    second.lastChunk();
    const { status, body } = await client.response();
    assert.deepEqual([status, body.includes("hey"), body.includes("assistant")], [200, true, false]);
    const line = await evener.logged(({ attempts }) => attempts === 2);
    assert.match(line.failed!, /backend_reset/);
    await evener.idle();
  });

  it("and an error in place of it is repeated elsewhere; where nobody is left, the client has it", async (t) => {
    const { backends, request, evener } = await setUp(t, { count: 2, pool: POOL });
    const error = '{"error":{"message":"out of memory","code":500}}';
    for (const backend of backends) {
      backend.handler = (asked): void => {
        asked.sse();
        if (evener.inFlight() === 0 || backends[0]!.requests.length + backends[1]!.requests.length === 1) {
          asked.event(error);
        } else asked.event('{"choices":[{"delta":{"content":"saved"}}]}');
        asked.lastChunk();
      };
    }
    const saved = await request("/v1/chat/completions", chat(["one"], { stream: true }));
    assert.deepEqual(
      [saved.status, saved.body.includes("saved"), saved.body.includes("memory")],
      [200, true, false],
    );
    for (const backend of backends) {
      backend.handler = (asked): void => {
        asked.sse();
        asked.event(error);
        asked.lastChunk();
      };
    }
    const lost = await request("/v1/chat/completions", chat(["two"], { stream: true }));
    assert.deepEqual([lost.status, lost.body], [200, `data: ${error}\n\n`]);
    await evener.idle();
  });

  it("and an attempt that dies before it, with nobody left, is one 502", async (t) => {
    const { backends, connect, evener } = await setUp(t, { count: 2, handler: () => {}, pool: POOL });
    const client = await connect();
    client.send(rawRequest(CHAT, JSON_FIELDS, chat(["hi"], { stream: true }).body));
    for (let i = 0; i < 2; i++) {
      await until(() => backends.reduce((sum, { requests }) => sum + requests.length, 0) > i, "an attempt");
      const asked = backends.flatMap(({ requests }) => requests).find(({ isClosed }) => !isClosed)!;
      asked.sse();
      asked.event('{"choices":[{"delta":{"role":"assistant"}}]}');
      await settled(() => client.receivedLength);
      asked.reset();
      await asked.closed;
    }
    await client.until("EVENER_BACKEND_RESET");
    assert.equal(client.received.match(/HTTP\/1\.1/g)!.length, 1);
    assert.equal((await client.response()).status, 502);
    await evener.idle();
  });

  it("and a stop in the meantime is one 503", async (t) => {
    const { backend, connect, evener } = await setUp(t, { handler: () => {}, pool: POOL });
    const client = await connect();
    client.send(rawRequest(CHAT, JSON_FIELDS, chat(["hi"], { stream: true }).body));
    const asked = await backend.request(0);
    asked.sse();
    await settled(() => client.receivedLength);
    await evener.stop(50);
    assert.match(client.received, /^HTTP\/1\.1 503 [^]*EVENER_SHUTTING_DOWN/);
    assert.equal(client.received.match(/HTTP\/1\.1/g)!.length, 1);
  });

  it("and an error in place of it that can not be repeated comes at once, the rest as it follows", async (t) => {
    const { backend, connect } = await setUp(t, { handler: () => {}, pool: POOL });
    const client = await connect();
    client.send(rawRequest("POST /v1/responses", JSON_FIELDS, '{"input":"hi","stream":true}'));
    const asked = await backend.request(0);
    asked.sse();
    asked.event('{"type":"error","code":"oom","message":"no room"}');
    await client.until("no room");
    asked.event("[DONE]");
    asked.lastChunk();
    assert.match((await client.response()).body, /no room[^]*DONE/);
  });

  it("then its bytes pass as they are, and a death in the middle is a last event and an unclean end", async (t) => {
    const { backends, connect, evener } = await setUp(t, { count: 2, handler: () => {}, pool: POOL });
    const client = await connect();
    client.send(rawRequest(CHAT, JSON_FIELDS, chat(["hi"], { stream: true }).body));
    const asked = await anyRequest(backends);
    asked.sse();
    asked.event('{"choices":[{"delta":{"content":"he"}}]}');
    await client.until('"he"');
    asked.chunk('data: {"choices":[{"del');
    await client.until('{"del');
    asked.reset();
    await until(() => client.isClosed || client.hasEnded, "the end");
    assert.match(client.received, /"del\r\n.*\n\ndata: \{"error":\{.*EVENER_STREAM_BROKEN/s);
    assert.ok(!client.received.endsWith("0\r\n\r\n"), "an unclean end");
    await evener.idle();
  });
});

describe("what answers tell", () => {
  it("and what was asked stands in the access log, with hashes where they are wanted", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "evener-hashes-"));
    t.after(async () => rmSync(folder, { recursive: true }));
    const file = join(folder, "access.log");
    const rest = { access_log: { file, prompt_hashes: true } };
    const usage = { prompt_tokens: 900, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 512 } };
    const { request } = await setUp(t, { handler: answering(usage), pool: POOL, rest });
    await request("/v1/chat/completions", chat(["word ".repeat(1_000)]));
    await request("/elsewhere");
    const lines = (): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);
    await until(() => lines().length === 2, "two lines");
    const [prompt, other] = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    const { model, stream, prompt_tokens, cached_tokens, output_tokens, first_token_ms } = prompt!;
    assert.deepEqual([model, stream, prompt_tokens, cached_tokens], ["m", false, 900, 512]);
    assert.deepEqual([output_tokens, first_token_ms], [7, null]);
    assert.equal(Buffer.from(String(prompt!["prompt_blocks"]), "base64").length, 4 * 9);
    assert.equal("prompt_tokens" in other!, false);
    // The simulator reads what is written here.
    const { requests, skipped } = parseRecording(lines().join("\n"));
    assert.deepEqual(
      requests.map(({ inputTokens, outputTokens, cachedTokens, blocks, blockTokens }) => {
        return [inputTokens, outputTokens, cachedTokens, blocks.length, blockTokens];
      }),
      [[900, 7, 512, 9, 95]],
    );
    assert.deepEqual(skipped, { unreadable: 0, unanswered: 0, without_tokens: 1 });
  });

  it("of tokens corrects what is thought of the next prompts", async (t) => {
    const handler = answering({ prompt_tokens: 2_000, completion_tokens: 1 });
    const { evener, request } = await setUp(t, { handler, pool: POOL });
    const pool = evener.server.fleet.find("default")!;
    const before = pool.bytesPerToken!;
    // 1 byte a token, not 4.
    for (let i = 0; i < 200; i++) await request("/v1/chat/completions", chat(["z".repeat(1_950)]));
    assert.ok(pool.bytesPerToken! < before / 2, `${before}, then ${pool.bytesPerToken}`);
  });
});

const JSON_FIELDS = { "content-type": "application/json" };

function chat(messages: readonly string[], rest: object = {}): { method: string; body: string } {
  const said = messages.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content }));
  return { method: "POST", body: JSON.stringify({ model: "m", messages: said, ...rest }) };
}

function answering(usage: object): BackendHandler {
  return async (asked) => {
    await asked.body();
    const body = JSON.stringify({ choices: [{ message: { content: "ok" } }], usage });
    asked.respond(200, body, { "content-type": "application/json" });
  };
}

function saw(backend: Backend, name: string): boolean {
  return backend.requests.some((request) => request.bodySoFar().includes(name));
}

async function anyRequest(backends: readonly Backend[]): Promise<BackendRequest> {
  const find = (): BackendRequest | undefined => backends.flatMap(({ requests }) => requests).at(-1);
  await until(() => find() !== undefined, "a request");
  return find()!;
}
