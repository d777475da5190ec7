// IPv6 on both sides; addresses as logs and headers show them.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { it, type TestContext } from "node:test";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import { within } from "../fixtures/until.ts";

const setUpOn = (t: TestContext, ...binds: readonly string[]): Promise<Scene> =>
  setUp(t, { backend: { host: "::1" }, rest: { listeners: binds.map((bind) => ({ bind })) } });

async function connect(t: TestContext, host: string, port: number): Promise<RawClient> {
  const socket = net.connect({ host, port, allowHalfOpen: true });
  const client = new RawClient(socket);
  t.after(() => client.destroy());
  await within(once(socket, "connect"), "the connection");
  return client;
}

it("a listener and a backend on ::1", async (t) => {
  const { evener, backend } = await setUpOn(t, "[::1]:0");
  assert.equal(evener.server.addresses()[0]?.host, "::1");
  assert.equal(backend.url, `http://[::1]:${backend.port}`);
  const client = await connect(t, "::1", evener.port);
  client.send(rawRequest("GET /", { host: `[::1]:${evener.port}` }));
  const answer = await client.response();
  assert.equal(answer.body, "hello from a");
  assert.equal(answer.headers.get("x-evener-backend"), `[::1]:${backend.port}`);
  const { headers } = backend.requests[0]!;
  assert.equal(headers.get("host"), `[::1]:${evener.port}`);
  assert.equal(headers.get("x-forwarded-for"), "::1");
  const line = await evener.logged(({ target }) => target === "/");
  assert.deepEqual([line["client"], line.backend], ["::1", `[::1]:${backend.port}`]);
});

it("clients that come by IPv4 to a socket for both are known by their IPv4 address", async (t) => {
  const { evener, backend } = await setUpOn(t, "[::]:0");
  for (const [host, address] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
  ] as const) {
    const client = await connect(t, host, evener.port);
    client.send(rawRequest("GET /"));
    await client.response();
    assert.equal(backend.requests.at(-1)!.headers.get("x-forwarded-for"), address);
  }
});

it("0.0.0.0 and :: share a port, each with its own family", async (t) => {
  // A port that is free now; should somebody take it meanwhile, another one is tried.
  for (let round = 0; ; round++) {
    const probe = net.createServer().listen(0, "::");
    await once(probe, "listening");
    const { port } = probe.address() as net.AddressInfo;
    probe.close();
    await once(probe, "close");
    try {
      const { evener, backend } = await setUpOn(t, `0.0.0.0:${port}`, `[::]:${port}`);
      assert.equal(evener.server.addresses().length, 2);
      for (const host of ["127.0.0.1", "::1"]) {
        const client = await connect(t, host, port);
        client.send(rawRequest("GET /"));
        await client.response();
        assert.equal(backend.requests.at(-1)!.headers.get("x-forwarded-for"), host);
      }
      return;
    } catch (error) {
      if (round >= 5 || !String(error).includes("another program listens there")) throw error;
    }
  }
});
