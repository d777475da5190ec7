// C5: a backend answers in the middle of a body and is gone. What it said before it went reaches the client.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import type { RawClient } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const PIECE = Buffer.alloc(64 * 1024, 0x62);
const BODY_BYTES = 4 * 1024 * 1024;
const HEAD = `POST /up HTTP/1.1\r\nhost: test\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`;
/** Which of the two sockets is looked at first is not ours to say. */
const ROUNDS = 20;

/** Both are in the kernel when Evener looks: more of the body, and an answer with a reset behind it. */
function sendAndAnswer(client: RawClient, request: BackendRequest, answer: () => void): void {
  client.socket.write(PIECE);
  request.socket.pause();
  answer();
}

async function upload(scene: Scene, answer: (request: BackendRequest) => void): Promise<RawClient> {
  const client = await scene.connect();
  const index = scene.backend.requests.length;
  client.send(HEAD);
  const request = await scene.backend.request(index);
  sendAndAnswer(client, request, () => answer(request));
  return client;
}

describe("C5 a backend that answers in mid-body and goes", () => {
  const ways: Readonly<Record<string, (request: BackendRequest) => void>> = {
    "resets the connection": (request) => request.reset(),
    "closes with something unread": (request) => void request.socket.destroy(),
    "closes, and resets what still comes": (request) => {
      request.socket.resume();
      request.close();
    },
  };
  for (const [way, go] of Object.entries(ways)) {
    it(`${way}: the whole answer arrives`, async (t) => {
      const scene = await setUp(t, { handler: () => {} });
      for (let round = 0; round < ROUNDS; round++) {
        const client = await upload(scene, (request) => {
          request.respond(413, "too large", { connection: "close" });
          go(request);
        });
        const response = await client.response();
        assert.equal(response.status, 413, `round ${round}`);
        assert.equal(response.body, "too large");
        assert.equal(response.headers.get("connection"), "close");
        client.end();
        await client.closed();
        assert.equal(client.error, null);
      }
      await scene.evener.idle();
      await until(() => scene.evener.server.connections === 0, "no connection");
    });
  }

  it("resets in an answer that ends with the connection: it is not taken for complete", async (t) => {
    const scene = await setUp(t, { handler: () => {} });
    for (let round = 0; round < ROUNDS; round++) {
      const client = await upload(scene, (request) => {
        request.write("HTTP/1.1 413 Whatever\r\nx-round: 1\r\n\r\npart");
        request.reset();
      });
      await client.until("part");
      await client.closed();
      assert.doesNotMatch(client.received, /\r\n0\r\n\r\n$/, "the last chunk");
    }
    await scene.evener.idle();
  });

  it("resets before it answers: 502, at once", async (t) => {
    const scene = await setUp(t, { handler: () => {} });
    for (let round = 0; round < ROUNDS; round++) {
      const client = await upload(scene, (request) => request.reset());
      const response = await client.response();
      assert.equal(response.status, 502);
      assert.match(response.body, /EVENER_BACKEND_RESET/);
      client.destroy();
    }
    await scene.evener.idle();
  });
});
