// A prompt that is larger than what is kept of it: placed by its beginning, sent on as it comes, never twice.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { rawRequest } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const CHAT = "POST /v1/chat/completions";
const RETRY = { attempts: 3, backoff: "1ms", backoff_max: "2ms" };
const POOL = { policy: "auto", retry: RETRY };
const MIB = 1024 * 1024;

describe("a prompt larger than what is kept of it", () => {
  it("is placed by what was seen of it, before all of it has come", async (t) => {
    const { backends, connect } = await setUp(t, {
      count: 3,
      pool: POOL,
      handler: async (request) => {
        await request.body();
        request.respond(200, "told");
      },
    });
    const begin = `a story: ${"lore ipsum dolor ".repeat(90_000)}`;
    const homes: string[] = [];
    for (const turn of ["first", "second", "third"]) {
      const client = await connect();
      const body = promptOf(`${begin}${turn} ${"more ".repeat(100_000)}`);
      const head = `${CHAT} HTTP/1.1\r\nhost: test\r\ncontent-length: ${body.length}\r\n\r\n`;
      const before = backends.map(({ requests }) => requests.length);
      client.send(head + body.slice(0, 1.25 * MIB));
      const hasCome = (): number => backends.findIndex(({ requests }, i) => requests.length > before[i]!);
      await until(() => hasCome() >= 0, "it to be sent on");
      const asked = backends[hasCome()]!.requests.at(-1)!;
      client.send(body.slice(1.25 * MIB));
      assert.equal((await asked.body()).length, body.length);
      const { status, headers } = await client.response();
      assert.equal(status, 200);
      homes.push(headers.get("x-evener-backend")!);
      const [, cached] = /^policy; (\d+) of \d+ tokens cached/.exec(headers.get("x-evener-reason")!)!;
      assert.equal(Number(cached) > 100_000, turn !== "first", `${turn}: ${cached} cached`);
    }
    assert.equal(new Set(homes).size, 1, homes.join(", "));
  });

  for (const [size, body_max, deliveries] of [
    [2 * MIB, "1MiB", 1],
    // All of it has come when it is placed; beyond the limit it is let go then.
    [0.2 * MIB, "64KiB", 1],
    [0.2 * MIB, "1MiB", 2],
  ] as const) {
    it(`of ${size / MIB} MiB, ${body_max} kept, is sent ${deliveries} times when its backend dies`, async (t) => {
      const asked: BackendRequest[] = [];
      const scene = await setUp(t, {
        count: 2,
        pool: { ...POOL, retry: { ...RETRY, body_max } },
        handler: async (request) => {
          asked.push(request);
          await request.body();
          if (asked.length === 1) request.reset();
          else request.respond(200, "saved");
        },
      });
      const client = await scene.connect();
      client.send(rawRequest(CHAT, {}, promptOf("x".repeat(size))));
      const { status, headers, body } = await client.response();
      if (deliveries === 1) {
        assert.equal(status, 502);
        assert.match(body, /EVENER_BACKEND_RESET/);
      } else assert.deepEqual([status, body], [200, "saved"]);
      assert.equal(headers.get("x-evener-attempts"), String(deliveries));
      assert.equal(asked.length, deliveries);
      await scene.evener.idle();
    });
  }
});

function promptOf(content: string): string {
  return JSON.stringify({ model: "m", messages: [{ role: "user", content }] });
}
