// Protocol upgrades: rules P12 and C8, CVE classes 3, 14 and 18, and what RFC 6455 asks of a handshake.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { BackendHandler, BackendRequest } from "../fixtures/backend.ts";
import type { RawClient, RawResponse } from "../fixtures/client.ts";
import { poolOf, type Scene, settled, setUp, yamlOf } from "../fixtures/scene.ts";
import { ACCEPT, acceptWebSocket, handshake, KEY } from "../fixtures/websocket.ts";

const NEXT = "GET /next HTTP/1.1\r\nhost: test\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n";

/** Sends raw bytes to a scene of its own. */
async function send(
  t: TestContext,
  raw: string,
  handler: BackendHandler = (request) => request.respond(200, "ok"),
): Promise<{ scene: Scene; client: RawClient; response: RawResponse }> {
  const scene = await setUp(t, { handler });
  const client = await scene.connect();
  client.send(raw);
  return { scene, client, response: await client.response() };
}

describe("an offer to switch to WebSocket", () => {
  it("P12 goes to the backend with Connection and Upgrade of ours, its own fields untouched", async (t) => {
    const raw = handshake("/chat", {
      connection: "keep-alive, x-secret, Upgrade, sec-websocket-key",
      upgrade: "h2c, WebSocket",
      "x-secret": "1",
      "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
      "sec-websocket-protocol": "a, b",
    });
    const { scene, response, client } = await send(t, raw, (request) => void acceptWebSocket(request));
    const { rawHead, headers } = scene.backend.requests[0]!;
    const lines = rawHead.split("\r\n");
    assert.deepEqual(
      lines.filter((line) => /^(?:connection|upgrade):/i.test(line)),
      ["connection: upgrade", "upgrade: websocket"],
    );
    assert.equal(headers.get("x-secret"), undefined);
    assert.equal(headers.get("sec-websocket-key"), KEY);
    assert.equal(headers.get("sec-websocket-version"), "13");
    assert.equal(headers.get("sec-websocket-extensions"), "permessage-deflate; client_max_window_bits");
    assert.equal(headers.get("sec-websocket-protocol"), "a, b");
    assert.equal(headers.get("x-forwarded-for"), "127.0.0.1");
    assert.equal(response.status, 101);
    assert.equal(response.headers.get("connection"), "upgrade");
    assert.equal(response.headers.get("upgrade"), "websocket");
    assert.equal(response.headers.get("sec-websocket-accept"), ACCEPT);
    assert.equal(response.headers.get("x-evener-backend"), scene.backend.id);
    assert.notEqual(response.headers.get("x-request-id"), undefined);
    client.reset();
    await scene.evener.idle();
  });

  const ignored: Readonly<Record<string, string>> = {
    "in HTTP/1.0": handshake().replace("HTTP/1.1", "HTTP/1.0"),
    "that Connection does not name": handshake("/", { connection: "keep-alive" }),
    "with an empty Upgrade": handshake("/", { upgrade: " , " }),
  };
  for (const [name, raw] of Object.entries(ignored)) {
    it(`P12 ${name} is ignored`, async (t) => {
      const { scene, response } = await send(t, raw);
      assert.equal(response.status, 200);
      assert.equal(scene.backend.requests[0]!.headers.get("upgrade"), undefined);
      assert.equal(scene.backend.requests[0]!.headers.get("connection"), undefined);
    });
  }

  const post = handshake("/", { "content-length": "5" }).replace("GET", "POST");
  const bad: Readonly<Record<string, readonly [string, number]>> = {
    "with a body of known length": [`${handshake("/", { "content-length": "5" })}hello`, 400],
    "with a body in chunks": [`${handshake("/", { "transfer-encoding": "chunked" })}0\r\n\r\n`, 400],
    "by POST, with a body": [`${post}hello`, 400],
    "by POST": [handshake("/", { "content-length": "0" }).replace("GET", "POST"), 400],
    "without a key": [handshake("/", { "sec-websocket-key": null }), 400],
    "with a key that is too short": [handshake("/", { "sec-websocket-key": "YWJj" }), 400],
    "with a key that is no base64": [handshake("/", { "sec-websocket-key": "!!!!HNhbXBsZSBub25jZQ==" }), 400],
    "with two keys": [handshake("/", { "Sec-WebSocket-Key": KEY }), 400],
    "without a version": [handshake("/", { "sec-websocket-version": null }), 426],
    "of an old version": [handshake("/", { "sec-websocket-version": "8" }), 426],
    "of two versions": [handshake("/", { "Sec-WebSocket-Version": "13" }), 426],
  };
  for (const [name, [raw, status]] of Object.entries(bad)) {
    it(`P12 RFC 6455 4.2: ${name}: ${status}, and no backend sees it`, async (t) => {
      const { scene, client, response } = await send(t, raw);
      assert.equal(response.status, status);
      assert.match(response.body, /EVENER_BAD_UPGRADE/);
      if (status === 426) {
        assert.equal(response.headers.get("sec-websocket-version"), "13");
        assert.equal(response.headers.get("upgrade"), "websocket");
      }
      client.reset();
      await scene.evener.idle();
      assert.equal(scene.backend.requests.length, 0);
      const line = await scene.evener.logged(() => true);
      assert.equal(line.reason, "bad_request");
      assert.equal(line.status, status);
    });
  }

  it("class 3: what stands behind a refused offer is never a request: the connection closes", async (t) => {
    const raw = handshake("/", { "sec-websocket-version": "8" }) + NEXT;
    const { scene, client, response } = await send(t, raw);
    assert.equal(response.status, 426);
    assert.match(response.headers.get("connection")!, /close/);
    await client.closed();
    assert.equal(client.received, "");
    assert.equal(scene.backend.requests.length, 0);
  });

  it("class 18: takes the same way as any request: routes, limits, Via", async (t) => {
    const scene = await setUp(t, {
      count: 2,
      yaml: ([open, closed]) =>
        yamlOf({
          pools: { open: poolOf([open!]), closed: poolOf([closed!]) },
          routes: [
            { match: { path: "/ws" }, pool: "open" },
            { match: { path: "/", host: "closed.example" }, pool: "closed", upgrades: [] },
          ],
        }),
      handler: (request) =>
        request.headers.has("upgrade") ? void acceptWebSocket(request) : request.respond(200),
    });
    const status = async (raw: string): Promise<number> => {
      const client = await scene.connect();
      client.send(raw);
      const { status: code } = await client.response();
      client.reset();
      return code;
    };
    assert.equal(await status(handshake("/ws/x")), 101);
    assert.equal(await status(handshake("/other")), 404);
    assert.equal(await status(handshake("/ws/../other")), 400);
    assert.equal(await status(handshake("http://169.254.169.254/ws")), 101);
    const via = scene.backends[0]!.requests[0]!.headers.get("via")!;
    assert.equal(await status(handshake("/ws", { via })), 508);
    // There the protocol is not on the list: the request is served without it.
    assert.equal(await status(handshake("/", { host: "closed.example" })), 200);
    assert.equal(scene.backends[1]!.requests[0]!.headers.get("upgrade"), undefined);
    await scene.evener.idle();
  });
});

describe("other protocols", () => {
  const set = { rest: { upgrades: ["websocket", "SPDY/3.1"] } };

  it("P12 pass when the list has them, by any method, as they are written there", async (t) => {
    const scene = await setUp(t, { ...set, handler: (request) => void request.switchProtocols() });
    const client = await scene.connect();
    client.send("POST /exec HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: x, spdy/3.1\r\n\r\n");
    const response = await client.response();
    assert.equal(response.status, 101);
    assert.equal(response.headers.get("upgrade"), "SPDY/3.1");
    assert.equal(scene.backend.requests[0]!.headers.get("upgrade"), "SPDY/3.1");
    client.reset();
    await scene.evener.idle();
  });

  it("class 3: with a body: 400", async (t) => {
    const scene = await setUp(t, set);
    const client = await scene.connect();
    const fields = "connection: upgrade\r\nupgrade: SPDY/3.1\r\ncontent-length: 5\r\n";
    client.send(`POST /exec HTTP/1.1\r\nhost: test\r\n${fields}\r\nhello`);
    assert.equal((await client.response()).status, 400);
    assert.equal(scene.backend.requests.length, 0);
  });
});

describe("the backend's answer to an offer", () => {
  const wrong: Readonly<Record<string, string>> = {
    "without Upgrade": `${SWITCH}\r\n`,
    "to another protocol": `${SWITCH}upgrade: h2c\r\n\r\n`,
    "to two protocols": `${SWITCH}upgrade: websocket, h2c\r\n\r\n`,
    "with two Upgrade lines": `${SWITCH}upgrade: websocket\r\nupgrade: websocket\r\n\r\n`,
    "in HTTP/1.0": `${SWITCH.replace("1.1", "1.0")}upgrade: websocket\r\n\r\n`,
  };
  for (const [name, raw] of Object.entries(wrong)) {
    it(`P12 a 101 ${name} is a 502, and nothing behind it reaches the client`, async (t) => {
      const { scene, client, response } = await send(t, handshake(), (request) =>
        request.write(`${raw}raw bytes`),
      );
      assert.equal(response.status, 502);
      assert.doesNotMatch(response.body, /raw bytes/);
      await scene.backend.requests[0]!.closed;
      assert.equal(client.received, "");
      await scene.evener.idle();
    });
  }

  for (const offer of ["", "connection: upgrade\r\nupgrade: h2c\r\n", "upgrade: websocket\r\n"]) {
    it(`P12 a 101 that nobody asked for is a 502 (${offer.trim() || "no Upgrade"})`, async (t) => {
      const raw = `GET / HTTP/1.1\r\nhost: test\r\n${offer}\r\n`;
      const upgrade = offer.includes("h2c") ? "h2c" : "websocket";
      const { response } = await send(t, raw, (request) =>
        request.write(`${SWITCH}upgrade: ${upgrade}\r\n\r\nraw`),
      );
      assert.equal(response.status, 502);
    });
  }

  it("P12 a 101 loses what belongs to the backend's connection, lengths and our own names", async (t) => {
    const fields =
      "upgrade: WebSocket\r\ncontent-length: 3\r\nx-evener-backend: evil\r\nkeep-alive: 5\r\nx-kept: 1\r\n";
    const { client, response } = await send(t, handshake(), (request) => {
      request.letGo();
      request.write(`${SWITCH}${fields}\r\nabcdef`);
    });
    assert.equal(response.status, 101);
    assert.equal(response.headers.get("content-length"), undefined);
    assert.equal(response.headers.get("keep-alive"), undefined);
    assert.equal(response.headers.get("x-kept"), "1");
    assert.doesNotMatch(response.rawHead, /evil/);
    await client.until("abcdef");
  });

  it("P12 interim answers may come before the 101", async (t) => {
    const { client, response } = await send(t, handshake(), (request) => {
      request.write("HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n");
      acceptWebSocket(request);
    });
    assert.equal(response.status, 103);
    assert.equal((await client.response()).status, 101);
  });

  it("P12 that refuses it is an answer as any other: the next request is served", async (t) => {
    const { scene, client, response } = await send(t, handshake(), (request) => {
      if (request.headers.has("upgrade")) request.respond(403, "no");
      else request.respond(200, "yes");
    });
    assert.equal(response.status, 403);
    assert.equal(response.headers.get("connection"), undefined);
    assert.equal(response.body, "no");
    client.send(NEXT);
    assert.equal((await client.response()).body, "yes");
    // The backend might think that it has switched: the next one went over another connection.
    assert.equal(scene.backend.used, 2);
    assert.equal(scene.backend.requests[1]!.nth, 0);
  });

  for (const status of [200, 426]) {
    it(`class 3: where bytes stood behind the offer, a ${status} closes, and they are no request`, async (t) => {
      const { scene, client, response } = await send(t, handshake() + NEXT, (request) =>
        request.respond(status, "no"),
      );
      assert.equal(response.status, status);
      assert.equal(response.headers.get("connection"), "close");
      await client.closed();
      assert.equal(client.received, "");
      assert.equal(await settled(() => scene.backend.requests.length), 1);
      assert.equal(scene.backend.requests[0]!.bodySoFar(), "");
    });
  }

  it("class 3: bytes behind the offer reach the backend only after its 101, all of them", async (t) => {
    const scene = await setUp(t, { handler: () => {} });
    const client = await scene.connect();
    const early = NEXT.repeat(100);
    client.send(handshake());
    const request = await scene.backend.request(0);
    client.send(early);
    await settled(() => request.socket.bytesRead);
    assert.equal(request.socket.bytesRead, request.rawHead.length + 4);
    const tunnel = acceptWebSocket(request);
    await tunnel.until((received) => received.length >= early.length);
    assert.equal(tunnel.received, early);
    assert.equal(scene.backend.requests.length, 1);
  });

  it("a try that failed is repeated elsewhere before anything is switched, early bytes and all", async (t) => {
    const tunnels: RawClient[] = [];
    const scene = await setUp(t, {
      count: 2,
      handler: (request: BackendRequest) => {
        if (request.backend.name === "a") request.respond(503);
        else tunnels.push(acceptWebSocket(request));
      },
    });
    const client = await scene.connect();
    client.send(`${handshake()}early`);
    const response = await client.response();
    assert.equal(response.status, 101);
    await tunnels[0]!.until("early");
    assert.equal(tunnels[0]!.received, "early");
    client.reset();
    await scene.evener.idle();
  });
});
