// A prompt whose first token is late leaves its backend for one that is expected to be sooner; else it stays.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "node:test";
import type { Backend, BackendRequest } from "../fixtures/backend.ts";
import { type RawClient, rawRequest } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const CHAT = "POST /v1/chat/completions";
const RETRY = { attempts: 2, first_token: "300ms" };

describe("a prompt whose first token is late", () => {
  for (const threads of [0, 2]) {
    for (const [how, begin] of [
      ["sends a head and nothing more", (asked: BackendRequest): void => asked.sse()],
      ["sends nothing at all", (): void => {}],
    ] as const) {
      it(`leaves a backend that ${how}, threads: ${threads}`, async (t) => {
        const scene = await warmedUp(t, RETRY, { threads });
        const hung = hang(scene, begin);
        const client = await sendPrompt(scene);
        const [first] = await hung;
        await first!.closed;
        const { status, headers, body } = await client.response();
        assert.deepEqual([status, body.includes("hello")], [200, true]);
        assert.match(
          headers.get("x-evener-reason")!,
          /^moved from [\d.:]+, late after \d\.\d s; policy; .* tokens cached/,
        );
        const line = await scene.evener.logged(({ attempts }) => attempts === 2);
        assert.deepEqual([line.why, line.reason], ["moved", "ok"]);
        assert.equal(line.failed, `${first!.backend.id}:late`);
        await scene.evener.idle();
      });
    }
  }

  it("leaves it of its own accord after two seconds and twice the forecast", async (t) => {
    const scene = await warmedUp(t, { attempts: 2 });
    const hung = hang(scene, (asked) => asked.sse());
    const beganMs = performance.now();
    const client = await sendPrompt(scene);
    assert.match((await client.response()).body, /hello/);
    const tookMs = performance.now() - beganMs;
    assert.ok(tookMs > 2_000 && tookMs < 4_000, `${tookMs} ms`);
    assert.equal((await hung).length, 1);
  });

  it("leaves it, too, where it wants a whole answer whose length is known", async (t) => {
    const scene = await warmedUp(t, RETRY);
    const hung = hang(scene, () => {});
    const client = await scene.connect();
    client.send(rawRequest("POST /v1/embeddings", {}, JSON.stringify({ model: "m", input: "a word" })));
    assert.equal((await client.response()).status, 200);
    const line = await scene.evener.logged(({ target }) => target === "/v1/embeddings");
    assert.deepEqual([line.why, line.failed], ["moved", `${(await hung)[0]!.backend.id}:late`]);
  });

  it("leaves it though the time that was written is far shorter than the forecast", async (t) => {
    const scene = await warmedUp(t, { ...RETRY, first_token: "100ms" });
    const hung = hang(scene, (asked) => asked.sse());
    // Some 0.5 s by the warm-up's speed.
    const client = await sendPrompt(scene, { text: "long ".repeat(3_000) });
    assert.match((await client.response()).body, /hello/);
    assert.equal((await hung).length, 1);
  });

  it("counts as slow there, not as failed, and the move counts", async (t) => {
    const scene = await warmedUp(t, RETRY, { admin: { bind: "127.0.0.1:0" } });
    const { ledger, members } = scene.evener.server.fleet.find("default")!;
    const before = [...ledger.latencyMs];
    const hung = hang(scene, (asked) => asked.sse());
    await (await sendPrompt(scene)).response();
    const { slot } = members.get((await hung)[0]!.backend.id)!;
    assert.ok(ledger.latencyMs[slot]! > before[slot]!);
    // What hangs looks idle: nobody else is to be lost there.
    assert.ok(ledger.restUntilMs[slot]! > performance.now());
    assert.deepEqual([ledger.failures[slot], ledger.aborts[slot]], [0, 0]);
    const metrics = await (await fetch(`http://127.0.0.1:${scene.evener.adminPort}/metrics`)).text();
    assert.match(metrics, /^evener_moves_total\{pool="default"\} 1$/m);
  });

  for (const [what, retry, stream] of [
    ["the budget is empty", { ...RETRY, budget: "0%", budget_min_per_second: 0 }, true],
    ["it is switched off", { attempts: 2, first_token: "off" }, true],
    ["it has had all its tries", { ...RETRY, attempts: 1 }, true],
    ["its answer comes as a whole, of a length that nobody knows", RETRY, false],
  ] as const) {
    it(`stays where ${what}`, async (t) => {
      const scene = await warmedUp(t, retry);
      const hung = hang(scene, () => {});
      const client = await sendPrompt(scene, { stream });
      const [first] = await hung;
      await sleep(1_000);
      assert.equal(first!.isClosed, false);
      answer(first!);
      assert.equal((await client.response()).status, 200);
      assert.equal((await hung).length, 1);
    });
  }

  it("stays where the others have more to do than it has waited", async (t) => {
    const scene = await warmedUp(t, { ...RETRY, first_token: "200ms" });
    const asked: BackendRequest[] = [];
    for (const backend of scene.backends) backend.handler = (request): void => void asked.push(request);
    // One long prompt for each of the two, and a short one.
    for (let i = 0; i < 2; i++) await sendPrompt(scene, { text: `${i}`.repeat(400_000) });
    await until(() => asked.length === 2, "the long ones");
    assert.notEqual(asked[0]!.backend, asked[1]!.backend);
    await sendPrompt(scene);
    await until(() => asked.length === 3, "the short one");
    await sleep(1_000);
    assert.equal(asked.length, 3);
  });
});

interface Retry {
  readonly attempts: number;
  readonly first_token?: string;
  readonly budget?: string;
  readonly budget_min_per_second?: number;
}

/** Two backends whose speed is known: some 20 ms for a short prompt. */
async function warmedUp(
  t: Parameters<typeof setUp>[0],
  retry: Retry,
  rest: Readonly<Record<string, unknown>> = {},
): Promise<Scene> {
  const handler = async (asked: BackendRequest): Promise<void> => {
    await asked.body();
    await sleep(20);
    answer(asked);
  };
  const scene = await setUp(t, { count: 2, handler, pool: { policy: "auto", retry }, rest });
  for (let i = 0; i < 12; i++) await (await sendPrompt(scene, { text: `warm up ${i}` })).response();
  return scene;
}

/** The first backend that is asked from now on only does as it is told; resolves to all that it is asked. */
function hang({ backends }: Scene, begin: (asked: BackendRequest) => void): Promise<BackendRequest[]> {
  const { promise, resolve } = Promise.withResolvers<BackendRequest[]>();
  let hung: Backend | null = null;
  const asked: BackendRequest[] = [];
  for (const backend of backends) {
    const { handler } = backend;
    backend.handler = (request): void => {
      hung ??= backend;
      if (hung !== backend) return void handler(request);
      asked.push(request);
      begin(request);
      resolve(asked);
    };
  }
  return promise;
}

function answer(asked: BackendRequest): void {
  asked.sse();
  asked.event('{"choices":[{"delta":{"content":"hello"}}]}');
  asked.event("[DONE]");
  asked.lastChunk();
}

async function sendPrompt(
  { connect }: Scene,
  { text = "hi", stream = true }: { readonly text?: string; readonly stream?: boolean } = {},
): Promise<RawClient> {
  const client = await connect();
  const messages = [{ role: "user", content: text }];
  const body = JSON.stringify({ model: "m", stream, messages });
  client.send(rawRequest(CHAT, { "content-type": "application/json" }, body));
  return client;
}
