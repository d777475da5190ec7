// C4: a connection that closes with something unread closes so that the answer arrives all the same.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RawClient } from "../fixtures/client.ts";
import { type SceneOptions, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

/** Like a client that sends all it has before it looks for an answer: nothing is read until it has left. */
async function sendAll(client: RawClient, head: string, bodyBytes: number): Promise<void> {
  client.socket.pause();
  let isDone = false;
  client.socket.once("close", () => (isDone = true));
  client.send(head);
  client.socket.write(Buffer.alloc(bodyBytes, 0x62), () => (isDone = true));
  await until(
    () => isDone,
    () => `the body to leave; ${client.socket.writableLength} bytes have not`,
  );
  client.socket.resume();
}

const post = (path: string, bodyBytes: number, more = ""): string =>
  `POST ${path} HTTP/1.1\r\nhost: test\r\n${more}content-length: ${bodyBytes}\r\n\r\n`;

const BODY_BYTES = 8 * 1024 * 1024;
const routes = (backends: readonly { readonly url: string }[]): string =>
  `pools: { default: { health: off, backends: ["${backends[0]!.url}"] } }\n` +
  `routes: [{ match: { path: /known }, pool: default }]\n`;

describe("C4 an answer before the body is read arrives, and no reset eats it", () => {
  const cases: readonly [string, number, string, SceneOptions][] = [
    ["no route", 404, "/nowhere", { yaml: routes }],
    ["body too large", 413, "/", { rest: { limits: { body_bytes: "1KiB" } } }],
    ["an early answer of the backend", 507, "/", { handler: (request) => request.respond(507, "full") }],
    ["a backend that can not be reached", 502, "/", { yaml: () => 'backends: ["http://127.0.0.1:1"]\n' }],
    ["a malformed head", 400, "/", {}],
  ];
  for (const [what, status, path, options] of cases) {
    it(`${what}: ${status}`, async (t) => {
      const scene = await setUp(t, options);
      const client = await scene.connect();
      const more = status === 400 ? "bad line\r\n" : "";
      await sendAll(client, post(path, BODY_BYTES, more), BODY_BYTES);
      const response = await client.response();
      assert.equal(response.status, status);
      assert.equal(response.headers.get("connection"), "close");
      await client.closed();
      assert.equal(client.error, null);
      client.end();
      await until(() => scene.evener.server.connections === 0, "the connection to close");
    });
  }

  it("what comes behind the body is not taken for a request", async (t) => {
    const scene = await setUp(t, { yaml: routes });
    const client = await scene.connect();
    client.send(`${post("/nowhere", 10)}12345678`);
    assert.equal((await client.response()).status, 404);
    client.send("90GET /known HTTP/1.1\r\nhost: test\r\n\r\n");
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(client.error, null);
    assert.equal(scene.backend.requests.length, 0);
  });
});
