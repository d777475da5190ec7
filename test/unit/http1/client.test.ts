import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, describe, test } from "node:test";
import { fetchOnce, tcpCheck } from "../../../src/http1/client.ts";

const BOUNDS = { host: "127.0.0.1", timeoutMs: 5000, bodyBytesMax: 1000 };
const sockets = new Set<net.Socket>();
const servers: net.Server[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A server that answers the first bytes of each connection with `answer`, then ends if asked to. */
async function serve(answer: string, isEnding = false): Promise<{ port: number; requests: string[] }> {
  const requests: string[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => {
      requests.push(bytes.toString("latin1"));
      if (isEnding) socket.end(answer, "latin1");
      else socket.write(answer, "latin1");
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as net.AddressInfo).port, requests };
}

describe("fetchOnce", () => {
  test("sends one request and reads one answer of each framing", async () => {
    for (const [answer, isEnding] of [
      ["HTTP/1.1 200 OK\r\nA: b\r\na: c\r\nContent-Length: 5\r\n\r\nhello", false],
      ["HTTP/1.1 200 OK\r\nA: b, c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false],
      ["HTTP/1.0 200 OK\r\nA: b, c\r\n\r\nhello", true],
      ["HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nA: b, c\r\nContent-Length: 5\r\n\r\nhello", false],
    ] as const) {
      const { port, requests } = await serve(answer, isEnding);
      const response = await fetchOnce({ ...BOUNDS, port, path: "/p?q", headers: { "X-A": "b\r\nc" } });
      assert.equal(response.status, 200);
      assert.equal(response.body.toString(), "hello");
      assert.equal(response.headers.get("a"), "b, c");
      const fields = `host: 127.0.0.1:${port}\r\nX-A: b%0D%0Ac\r\nconnection: close\r\n`;
      assert.deepEqual(requests, [`GET /p?q HTTP/1.1\r\n${fields}\r\n`]);
    }
  });

  test("sends a body with its length", async () => {
    const { port, requests } = await serve("HTTP/1.1 204 No Content\r\n\r\n");
    const { status, body } = await fetchOnce({
      ...BOUNDS,
      port,
      method: "POST",
      body: "é",
      headers: { host: "h" },
    });
    assert.deepEqual([status, body.length], [204, 0]);
    assert.match(
      requests[0]!,
      /^POST \/ HTTP\/1\.1\r\nhost: h\r\ncontent-length: 2\r\nconnection: close\r\n\r\n/u,
    );
  });

  test("HEAD has no body", async () => {
    const { port } = await serve("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert.equal((await fetchOnce({ ...BOUNDS, port, method: "HEAD" })).body.length, 0);
  });

  test("says what went wrong", async () => {
    const free = await serve("");
    servers.at(-1)!.close();
    await assert.rejects(fetchOnce({ ...BOUNDS, port: free.port }), { code: "ECONNREFUSED" });
    for (const [answer, isEnding, code] of [
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true, "ERESPONSE"],
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true, "ERESPONSE"],
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", false, "ERESPONSE"],
      ["SSH-2.0-OpenSSH", false, "ERESPONSE"],
      ["HTTP/1.1 200 OK\r\nContent-Len", true, "ERESPONSE"],
      ["", true, "ERESPONSE"],
      [`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(1001)}`, false, "ETOOLONG"],
    ] as const) {
      const { port } = await serve(answer, isEnding);
      await assert.rejects(fetchOnce({ ...BOUNDS, port }), {
        code,
        message: new RegExp(`^127.0.0.1:${port}: `, "u"),
      });
    }
    await assert.rejects(fetchOnce({ ...BOUNDS, port: 1, path: "/a b" }), { code: "EREQUEST" });
  });

  test("a server that says nothing is left after the timeout, or when the caller leaves", async () => {
    const { port } = await serve("HTTP/1.1 200 OK\r\n");
    await assert.rejects(fetchOnce({ ...BOUNDS, port, timeoutMs: 20 }), { code: "ETIMEDOUT" });
    const controller = new AbortController();
    const pending = fetchOnce({ ...BOUNDS, port, signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(pending, { code: "EABORTED" });
    await assert.rejects(fetchOnce({ ...BOUNDS, port, signal: AbortSignal.abort() }), { code: "EABORTED" });
  });
});

describe("tcpCheck", () => {
  test("an open port, a closed port, a caller that has left", async () => {
    const { port } = await serve("");
    await tcpCheck({ host: "127.0.0.1", port, timeoutMs: 5000 });
    servers.at(-1)!.close();
    await assert.rejects(tcpCheck({ host: "127.0.0.1", port, timeoutMs: 5000 }), { code: "ECONNREFUSED" });
    const signal = AbortSignal.abort();
    await assert.rejects(tcpCheck({ host: "127.0.0.1", port, timeoutMs: 5000, signal }), {
      code: "EABORTED",
    });
  });
});
