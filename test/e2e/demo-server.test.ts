import assert from "node:assert/strict";
import { createServer, request as sendRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDemoFleet } from "../../src/demo/fleet.ts";
import { type ModelServer, startModelServer } from "../../src/demo/model-server.ts";
import { passageText } from "../../src/demo/passage.ts";
import { startTraffic } from "../../src/demo/traffic.ts";
import { NO_BACKEND } from "../../src/demo/traffic-tally.ts";

/** Quick steps: the tests look at shapes, not at speed. */
const QUICK = { stepBaseMs: 1, stepPerTokenMs: 0, stepPerKvTokenMs: 0 };
const WAIT_MS_MAX = 10_000;

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 5) {
    assert.ok(waitedMs < WAIT_MS_MAX, `waited too long for: ${what}`);
    await sleep(5);
  }
}

function post(url: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const headers = { "content-type": "application/json" };
  return fetch(url + path, { method: "POST", body: text, headers, ...(signal && { signal }) });
}

/** The `data:` fields of an event stream, by the rules of server-sent events. */
async function readEvents(response: Response): Promise<string[]> {
  const text = await response.text();
  assert.ok(text.endsWith("\n\n"), "the last event is whole");
  return text
    .slice(0, -2)
    .split("\n\n")
    .map((event) => {
      assert.ok(event.startsWith("data: ") && !event.includes("\n"), event);
      return event.slice("data: ".length);
    });
}

const CHAT = { model: "demo-model", messages: [{ role: "user", content: "Tell me about the bar." }] };

describe("a demo model server", () => {
  let server: ModelServer;
  before(async () => {
    server = await startModelServer({ name: "one", seed: 1, engine: QUICK });
  });
  after(() => server.close());

  it("answers a chat in one piece", async () => {
    const response = await post(server.url, "/v1/chat/completions", { ...CHAT, max_tokens: 7 });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("x-demo-server"), "one");
    const { id, created, ...rest } = (await response.json()) as Record<string, unknown>;
    assert.match(String(id), /^chatcmpl-[0-9a-f]{16}$/);
    assert.equal(typeof created, "number");
    assert.deepEqual(rest, {
      object: "chat.completion",
      model: "demo-model",
      system_fingerprint: "demo-one",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "An evener is a plain bar of", refusal: null },
          logprobs: null,
          finish_reason: "length",
        },
      ],
      usage: { prompt_tokens: 6, completion_tokens: 7, total_tokens: 13 },
    });
  });

  it("streams a chat: role, tokens, reason, usage, [DONE]", async () => {
    const stream_options = { include_usage: true };
    const response = await post(server.url, "/v1/chat/completions", {
      ...CHAT,
      stream: true,
      stream_options,
    });
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const events = await readEvents(response);
    assert.equal(events.pop(), "[DONE]");
    const chunks = events.map((event) => JSON.parse(event));
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    assert.ok(
      chunks.every((chunk) => chunk.object === "chat.completion.chunk" && chunk.model === "demo-model"),
    );
    const usage = chunks.pop();
    assert.deepEqual(usage.choices, []);
    assert.deepEqual(usage.usage, { prompt_tokens: 6, completion_tokens: 64, total_tokens: 70 });
    assert.ok(chunks.every((chunk) => chunk.usage === null));
    assert.deepEqual(chunks.pop().choices, [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }]);
    assert.deepEqual(chunks.shift().choices[0].delta, { role: "assistant", content: "" });
    assert.equal(chunks.length, 64);
    assert.ok(chunks.every((chunk) => chunk.choices[0].finish_reason === null));
    assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content).join(""), passageText(64));
  });

  it("completes a text, in one piece and streamed", async () => {
    const ask = { model: "demo-model", prompt: ["An evener", "is"], max_tokens: 3 };
    const whole = (await (await post(server.url, "/v1/completions", ask)).json()) as Record<string, unknown>;
    assert.equal(whole["object"], "text_completion");
    const choices = [{ index: 0, text: "An evener is", logprobs: null, finish_reason: "length" }];
    assert.deepEqual(whole["choices"], choices);
    const events = await readEvents(await post(server.url, "/v1/completions", { ...ask, stream: true }));
    assert.equal(events.pop(), "[DONE]");
    const chunks = events.map((event) => JSON.parse(event));
    assert.deepEqual(
      chunks.map((chunk) => [chunk.choices[0].text, chunk.choices[0].finish_reason]),
      [
        ["An", null],
        [" evener", null],
        [" is", null],
        ["", "length"],
      ],
    );
    assert.ok(chunks.every((chunk) => !("usage" in chunk)));
  });

  it("says what it is", async () => {
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    const version = (await (await fetch(`${server.url}/version`)).json()) as { version: string };
    assert.match(version.version, /demo/);
    const models = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] };
    assert.deepEqual(
      models.data.map((model) => model.id),
      ["demo-model"],
    );
    assert.equal((await fetch(`${server.url}/v1/models`, { method: "HEAD" })).status, 200);
  });

  it("shows its metrics under vLLM's names", async () => {
    await (await post(server.url, "/v1/chat/completions", { ...CHAT, max_tokens: 2 })).text();
    const response = await fetch(`${server.url}/metrics`);
    assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const labels = `engine="0",model_name="demo-model"`;
    for (const name of [
      "num_requests_running",
      "num_requests_waiting",
      "kv_cache_usage_perc",
      "gpu_cache_usage_perc",
      "prompt_tokens_total",
      "generation_tokens_total",
      "time_to_first_token_seconds_sum",
      "time_to_first_token_seconds_count",
    ]) {
      assert.match(text, new RegExp(`^vllm:${name}\\{${labels}\\} [0-9.e-]+$`, "m"));
    }
    for (const reason of ["stop", "length", "abort", "error"]) {
      assert.ok(text.includes(`vllm:request_success_total{${labels},finished_reason="${reason}"} `));
    }
    const buckets = [...text.matchAll(/^vllm:time_to_first_token_seconds_bucket\{.*\} (\d+)$/gm)].map(
      (hit) => +hit[1]!,
    );
    assert.deepEqual(
      buckets,
      buckets.toSorted((a, b) => a - b),
    );
    assert.match(text, new RegExp(`seconds_bucket\\{${labels},le="\\+Inf"\\} ${buckets.at(-1)}\n`));
    assert.match(text, /^# TYPE vllm:time_to_first_token_seconds histogram$/m);
  });

  const errors: [string, number, string | null, () => Promise<Response>][] = [
    ["a body that is not JSON", 400, null, () => post(server.url, "/v1/chat/completions", "{")],
    ["a body that is a list", 400, null, () => post(server.url, "/v1/chat/completions", "[]")],
    ["no messages", 400, null, () => post(server.url, "/v1/chat/completions", {})],
    ["empty messages", 400, null, () => post(server.url, "/v1/chat/completions", { messages: [] })],
    ["no prompt", 400, null, () => post(server.url, "/v1/completions", {})],
    ["max_tokens 0", 400, null, () => post(server.url, "/v1/chat/completions", { ...CHAT, max_tokens: 0 })],
    [
      "another model",
      404,
      "model_not_found",
      () => post(server.url, "/v1/chat/completions", { ...CHAT, model: "gpt-0" }),
    ],
    [
      "a prompt beyond the context",
      400,
      "context_length_exceeded",
      () => post(server.url, "/v1/completions", { prompt: "x".repeat(200_000) }),
    ],
    ["another path", 404, "unknown_url", () => fetch(`${server.url}/v2/models`)],
    ["another method", 405, "method_not_allowed", () => fetch(`${server.url}/v1/chat/completions`)],
    [
      "a body over 4 MiB",
      413,
      null,
      () => post(server.url, "/v1/completions", "x".repeat(4 * 1024 * 1024 + 1)),
    ],
  ];
  for (const [what, status, code, ask] of errors) {
    it(`refuses ${what} with ${status}, in the OpenAI shape`, async () => {
      const response = await ask();
      assert.equal(response.status, status);
      const { error } = (await response.json()) as { error: Record<string, unknown> };
      assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
      assert.equal(error["type"], "invalid_request_error");
      assert.equal(error["code"], code);
      assert.ok(String(error["message"]).length > 0);
    });
  }

  it("says which methods a path takes", async () => {
    const response = await fetch(`${server.url}/metrics`, { method: "DELETE" });
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  });

  it("rejects when its port is taken", async () => {
    await assert.rejects(startModelServer({ name: "two", port: server.port }), { code: "EADDRINUSE" });
  });
});

describe("clients that leave and servers that die", () => {
  it("frees the place of a client that left: running and waiting", async () => {
    const server = await startModelServer({
      name: "one",
      engine: { ...QUICK, stepBaseMs: 20, sequencesMax: 2 },
    });
    const leave = new AbortController();
    const asks = Array.from({ length: 4 }, () =>
      post(server.url, "/v1/chat/completions", { ...CHAT, stream: true, max_tokens: 2000 }, leave.signal),
    );
    const ended = Promise.allSettled(asks);
    await until(
      () => server.stats().running === 2 && server.stats().waiting === 2,
      "two running, two waiting",
    );
    leave.abort();
    await ended;
    await until(() => server.stats().aborted === 4, "four gone");
    const text = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(text, /^vllm:num_requests_running\{.*\} 0$/m);
    assert.match(text, /^vllm:num_requests_waiting\{.*\} 0$/m);
    assert.match(text, /^vllm:kv_cache_usage_perc\{.*\} 0$/m);
    assert.match(text, /finished_reason="abort"\} 4$/m);
    await server.close();
  });

  it("dies at once when killed, in mid-stream, and its port is free again", async () => {
    const server = await startModelServer({ name: "one", engine: QUICK });
    const response = await post(server.url, "/v1/chat/completions", {
      ...CHAT,
      stream: true,
      max_tokens: 2000,
    });
    assert.equal(response.status, 200);
    server.kill();
    await assert.rejects(response.text());
    const again = await startModelServer({ name: "one", port: server.port, engine: QUICK });
    assert.equal(again.port, server.port);
    await again.close();
    await again.close();
  });

  it("lets an answer end when it is closed", async () => {
    const server = await startModelServer({ name: "one", engine: QUICK });
    const response = await post(server.url, "/v1/chat/completions", {
      ...CHAT,
      stream: true,
      max_tokens: 50,
    });
    const closed = server.close();
    assert.equal((await readEvents(response)).at(-1), "[DONE]");
    await closed;
  });

  it("answers 503 with Retry-After when too many wait", async () => {
    const engine = { ...QUICK, stepBaseMs: 50, sequencesMax: 1, waitingMax: 1 };
    const server = await startModelServer({ name: "one", engine });
    const leave = new AbortController();
    const ask = { ...CHAT, max_tokens: 2000, stream: true };
    const running = await post(server.url, "/v1/chat/completions", ask, leave.signal);
    const waiting = post(server.url, "/v1/chat/completions", ask, leave.signal);
    const ended = Promise.allSettled([running.text(), waiting]);
    await until(() => server.stats().waiting === 1, "one waits");
    const refused = await post(server.url, "/v1/chat/completions", CHAT);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "1");
    leave.abort();
    await ended;
    await server.close();
  });
});

describe("failures on purpose", () => {
  /** "500", "reset" (no byte), "break" (in mid-stream) or "ok". */
  async function outcome(url: string): Promise<string> {
    const body = JSON.stringify({ ...CHAT, stream: true, max_tokens: 20 });
    const request = sendRequest(`${url}/v1/chat/completions`, { method: "POST", agent: false });
    request.end(body);
    let response: IncomingMessage;
    try {
      [response] = (await once(request, "response")) as [IncomingMessage];
    } catch {
      return "reset";
    }
    if (response.statusCode !== 200) return String(response.resume().statusCode);
    let text = "";
    try {
      for await (const chunk of response) text += String(chunk);
    } catch {
      return "break";
    }
    assert.ok(text.endsWith("data: [DONE]\n\n"));
    return "ok";
  }

  it("fails at the rate that was asked for, in all three ways, the same for a seed", async () => {
    const runs: string[][] = [];
    for (let run = 0; run < 2; run++) {
      const server = await startModelServer({ name: "flaky", failureRate: 0.5, seed: 3, engine: QUICK });
      const outcomes: string[] = [];
      for (let i = 0; i < 80; i++) outcomes.push(await outcome(server.url));
      assert.equal(server.stats().failuresMade, outcomes.filter((one) => one !== "ok").length);
      assert.equal(server.stats().running, 0);
      runs.push(outcomes);
      await server.close();
    }
    assert.deepEqual(runs[0], runs[1]);
    assert.deepEqual([...new Set(runs[0])].sort(), ["500", "break", "ok", "reset"]);
    const failed = runs[0]!.filter((one) => one !== "ok").length;
    assert.ok(failed > 25 && failed < 55, `${failed} of 80`);
    assert.ok(runs[0]!.filter((one) => one === "break").length < failed / 4);
  });
});

describe("the demo fleet", () => {
  it("is three servers, on the next free ports", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const basePort = (blocker.address() as { port: number }).port;
    const fleet = await startDemoFleet({ seed: 1, basePort });
    assert.deepEqual(
      fleet.servers.map((server) => server.name),
      ["fast", "flaky", "slow"],
    );
    const ports = fleet.servers.map((server) => server.port);
    assert.ok(
      ports.every((port, index) => port > (ports[index - 1] ?? basePort)),
      `${basePort}: ${ports.join(" ")}`,
    );
    await fleet.close();
    blocker.close();
    const socket = connect(ports[0]!, "127.0.0.1");
    await assert.rejects(once(socket, "connect"), { code: "ECONNREFUSED" });
  });
});

describe("the demo's traffic", () => {
  it("counts answers by the backend that they name", async () => {
    let answers = 0;
    const names = ["a", "a", "b", undefined];
    const server = createServer((request, response) => {
      request.resume().once("end", () => {
        const name = names[answers++ % names.length];
        if (name !== undefined) response.setHeader("x-evener-backend", name);
        response.writeHead(name === undefined ? 502 : 200);
        response.end(name === "b" ? "data: cut" : "data: {}\n\ndata: [DONE]\n\n");
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const traffic = startTraffic({ url, requestsPerSecond: 200, seed: 1 });
    await until(() => answers >= 40, "forty answers");
    await traffic.stop();
    const { overall, backends, dropped, abandoned, inFlight } = traffic.total();
    assert.deepEqual([dropped, abandoned, inFlight], [0, 0, 0]);
    assert.equal(overall.count, answers);
    const [a, b, none] = ["a", "b", NO_BACKEND].map((name) => backends.get(name)!);
    assert.deepEqual([a!.failed, b!.failed, none!.failed], [0, b!.count, none!.count]);
    assert.ok(a!.count >= b!.count + none!.count - 2);
    assert.ok(Number.isNaN(none!.p95FirstByteMs) && a!.p95FirstByteMs > 0);
    assert.equal(traffic.sample().overall.count, overall.count);
    assert.equal(traffic.sample().overall.count, 0);
    server.close();
  });

  it("does not wait for answers, and leaves those that do not come", async () => {
    const server = await startModelServer({ name: "one", engine: { ...QUICK, stepBaseMs: 60_000 } });
    const traffic = startTraffic({ url: server.url, requestsPerSecond: 500, seed: 2, drainMs: 1 });
    await until(() => server.stats().requests >= 20, "twenty requests without an answer");
    assert.ok(traffic.total().overall.p50FirstByteMs > 0, "those that wait are seen");
    assert.ok(traffic.total().inFlight >= 20);
    await traffic.stop();
    const total = traffic.total();
    assert.ok(total.abandoned >= 20 && total.inFlight === 0 && total.overall.failed === 0);
    await until(() => server.stats().running + server.stats().waiting === 0, "all places are free");
    server.kill();
  });

  it("ends with its signal, and goes to this machine only", async () => {
    const stop = new AbortController();
    const server = await startModelServer({ name: "one", engine: QUICK });
    const traffic = startTraffic({ url: server.url, requestsPerSecond: 200, seed: 3, signal: stop.signal });
    await until(() => server.stats().completed >= 3, "three answers");
    stop.abort();
    assert.equal(traffic.sample().inFlight, 0);
    await traffic.stop();
    await server.close();
    assert.throws(
      () => startTraffic({ url: "http://192.0.2.1", requestsPerSecond: 1, seed: 1 }),
      /this machine only/,
    );
  });

  it("carries more than a hundred streams at once", async () => {
    const server = await startModelServer({
      name: "one",
      engine: { ...QUICK, stepBaseMs: 5, sequencesMax: 200 },
    });
    const asks = Array.from({ length: 120 }, async () =>
      readEvents(await post(server.url, "/v1/chat/completions", { ...CHAT, stream: true, max_tokens: 40 })),
    );
    const streams = await Promise.all(asks);
    assert.ok(streams.every((events) => events.length === 43 && events.at(-1) === "[DONE]"));
    assert.equal(server.stats().completed, 120);
    await server.close();
  });
});
