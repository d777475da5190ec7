// Unix sockets on both sides, and what stands in logs and headers where there is no address.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, lstatSync, readdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Backend, startBackend } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { configOf, type Scene, setUp } from "../fixtures/scene.ts";
import { folderOf } from "../fixtures/tls-scene.ts";
import { until, within } from "../fixtures/until.ts";

async function setUpUnix(
  t: TestContext,
  more: Readonly<Record<string, unknown>> = {},
  folder = folderOf(t),
): Promise<Scene & { path: string; folder: string; connectUnix: () => Promise<RawClient> }> {
  const path = join(folder, "evener.sock");
  const scene = await setUp(t, {
    backend: { socketPath: join(folderOf(t), "backend.sock") },
    rest: { listeners: [{ bind: `unix:${path}`, ...more }] },
  });
  const connectUnix = async (): Promise<RawClient> => {
    const socket = net.connect({ path, allowHalfOpen: true });
    const client = new RawClient(socket);
    t.after(() => client.destroy());
    await within(once(socket, "connect"), "the connection");
    return client;
  };
  return { ...scene, path, folder, connectUnix };
}

describe("unix sockets", () => {
  it("carry requests on both sides, one connection after the other", async (t) => {
    const { backend, connectUnix, evener, path: socketPath } = await setUpUnix(t);
    const client = await connectUnix();
    for (const path of ["/a", "/b"]) {
      client.send(rawRequest(`GET ${path}`));
      const answer = await client.response();
      assert.equal(answer.body, "hello from a");
      assert.equal(answer.headers.get("x-evener-backend"), backend.url);
    }
    assert.equal(backend.used, 1);
    const { headers } = backend.requests[0]!;
    // RFC 7239 section 6.2: the one way to say that there is no address.
    assert.equal(headers.get("x-forwarded-for"), "unknown");
    assert.equal(headers.get("x-forwarded-proto"), "http");
    const line = await evener.logged(({ target }) => target === "/b");
    assert.deepEqual([line["client"], line.backend], ["unix:", backend.url]);
    assert.match(line.backend, /^unix:\//);
    assert.equal(evener.server.addresses()[0]?.socketPath, socketPath);
  });

  it("a backend that is gone is refused like a port where nobody listens", async (t) => {
    const { backend, connectUnix, evener } = await setUpUnix(t);
    await backend.stop();
    const client = await connectUnix();
    client.send(rawRequest("GET /"));
    assert.equal((await client.response()).status, 502);
    const line = await evener.logged(({ target }) => target === "/");
    assert.deepEqual([line.reason, line["detail"]], ["connect_failed", "ENOENT"]);
  });

  it("are probed with a Host that any server takes", async (t) => {
    const folder = folderOf(t);
    const backend: Backend = await startBackend({ socketPath: join(folder, "b.sock") });
    t.after(() => backend.stop());
    const { evener } = await setUp(t, {
      pool: {
        backends: [`http+unix://${backend.url.slice(5)}`],
        health: { path: "/health", interval: "100ms" },
      },
    });
    await until(() => backend.probes > 1, "two probes");
    const { health } = evener.server.fleet.list()[0]!.pool.members.get(backend.url)!;
    await until(
      () => JSON.stringify(health.probe).includes('"up"'),
      () => JSON.stringify(health.probe),
    );
  });

  it("have the mode that was asked for, and go with the listener", async (t) => {
    const { path, evener, backends } = await setUpUnix(t, { socket_mode: "600" });
    const mode = (): string => (lstatSync(path).mode & 0o777).toString(8);
    assert.equal(mode(), "600");
    const listeners = [{ bind: `unix:${path}`, socket_mode: "666" }];
    await evener.reload(configOf(backends, {}, { listeners }));
    assert.equal(mode(), "666");
    await evener.reload(configOf(backends, {}, { listeners: [{ bind: "127.0.0.1:0" }] }));
    assert.equal(existsSync(path), false);
  });

  it("660 is the mode where none is written", async (t) => {
    const { path } = await setUpUnix(t);
    assert.equal((lstatSync(path).mode & 0o777).toString(8), "660");
  });

  it("a file that a dead process left is taken over", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "evener.sock");
    leaveStale(path);
    assert.ok(lstatSync(path).isSocket());
    const { connectUnix } = await setUpUnix(t, {}, folder);
    const client = await connectUnix();
    client.send(rawRequest("GET /"));
    assert.equal((await client.response()).status, 200);
  });

  it("a living listener and other files are left alone", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "evener.sock");
    const server = net.createServer((socket) => socket.destroy()).listen({ path });
    await once(server, "listening");
    t.after(() => server.close());
    await assert.rejects(setUpUnix(t, {}, folder), /EVENER_LISTEN_FAILED|another program listens there/);
    server.close();
    await once(server, "close");
    writeFileSync(path, "precious");
    await assert.rejects(setUpUnix(t, {}, folder), /a file that is no socket/);
    assert.deepEqual(readdirSync(folder), ["evener.sock"]);
    await assert.rejects(
      setUp(t, { rest: { listeners: [{ bind: `unix:${folder}/nowhere/evener.sock` }] } }),
      /the directory does not exist/,
    );
  });

  it("a reload whose listener can not be opened changes nothing", async (t) => {
    const { evener, backends, path, connectUnix } = await setUpUnix(t, { socket_mode: "600" });
    const listeners = [{ bind: `unix:${path}`, socket_mode: "666" }, { bind: "unix:/nowhere/evener.sock" }];
    await assert.rejects(
      evener.reload(configOf(backends, {}, { listeners })),
      /the directory does not exist/,
    );
    assert.equal((lstatSync(path).mode & 0o777).toString(8), "600");
    const client = await connectUnix();
    client.send(rawRequest("GET /"));
    assert.equal((await client.response()).status, 200);
  });
});

/** What a process that was killed leaves behind: the file of a socket on which nobody listens. */
function leaveStale(path: string): void {
  const listen = `require("node:net").createServer().listen(${JSON.stringify(path)}`;
  spawnSync(process.execPath, ["-e", `${listen}, () => process.kill(process.pid, "SIGKILL"))`]);
}
