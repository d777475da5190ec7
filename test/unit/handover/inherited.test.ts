import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { listeningSockets } from "../../../src/handover/descriptors.ts";
import { InheritedSockets } from "../../../src/handover/inherited.ts";
import { adminKey } from "../../../src/handover/messages.ts";
import { addressText } from "../../../src/http1/address.ts";

describe("the listening sockets of this process", () => {
  it("are found with their addresses, whatever they are", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "evener sockets-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "a b.sock");
    const places = [{ host: "127.0.0.1" }, { host: "::1" }, { host: "0.0.0.0" }, { host: "::" }, { path }];
    const servers = await Promise.all(
      places.map(async (place) => {
        const server = net.createServer().listen("path" in place ? place : { ...place, port: 0 });
        t.after(() => server.close());
        await once(server, "listening");
        return server;
      }),
    );
    const found = listeningSockets();
    for (const server of servers) {
      const address = server.address();
      const text =
        typeof address === "string"
          ? `unix:${address}`
          : addressText({ host: address!.address, port: address!.port });
      const mine = found.filter((socket) => addressText(socket.address) === text);
      assert.equal(mine.length, 1, text);
      assert.deepEqual(listeningSockets([mine[0]!.descriptor]), mine);
    }
  });
});

describe("inherited sockets", () => {
  const tcp = (descriptor: number, host: string, port: number): object => ({
    descriptor,
    address: { host, port },
  });
  const make = (...sockets: object[]): InheritedSockets => new InheritedSockets(sockets as never);

  it("go to the listener of their address, each once", async () => {
    const sockets = make(tcp(3, "127.0.0.1", 80), tcp(4, "127.0.0.1", 81), tcp(5, "127.0.0.1", 80));
    const listener = { host: "127.0.0.1", port: 80 };
    assert.deepEqual((await sockets.take(listener, [listener]))?.descriptors, [3, 5]);
    assert.equal(await sockets.take(listener, [listener]), null);
  });

  it("of all IPv6 do for all IPv4, unless there is a listener for these", async () => {
    const ipv4 = { host: "0.0.0.0", port: 80 };
    const ipv6 = { host: "::", port: 80 };
    assert.deepEqual((await make(tcp(3, "::", 80)).take(ipv4, [ipv4]))?.descriptors, [3]);
    assert.equal(await make(tcp(3, "::", 80)).take(ipv4, [ipv4, ipv6]), null);
  });

  it("are found by the name of this machine, and by IPv6 in any form", async () => {
    const local = { host: "localhost", port: 80 };
    const long = { host: "0:0:0:0:0:0:0:1", port: 81 };
    const sockets = make(tcp(3, "127.0.0.1", 80), tcp(4, "::1", 81));
    assert.deepEqual((await sockets.take(local, [local]))?.descriptors, [3]);
    assert.deepEqual((await sockets.take(long, [long]))?.descriptors, [4]);
  });

  it("of the process before go by what the listener was called there", async () => {
    const any = { host: "127.0.0.1", port: 0 };
    const known = [
      { key: "127.0.0.1:0", address: { host: "127.0.0.1", port: 4001 }, ownsFile: true },
      { key: adminKey(any), address: { host: "127.0.0.1", port: 4002 }, ownsFile: true },
    ];
    const sockets = [tcp(3, "127.0.0.1", 4001), tcp(4, "127.0.0.1", 4002)] as never;
    const inherited = new InheritedSockets(sockets, known);
    assert.deepEqual((await inherited.take(any, [any], adminKey(any)))?.descriptors, [4]);
    assert.deepEqual(await inherited.take(any, [any]), { descriptors: [3], ownsFile: true, port: 4001 });
  });

  it("of systemd are taken out of the environment, and only by whom they are for", () => {
    const warnings: string[] = [];
    const warn = (_facts: object, text: string): void => void warnings.push(text);
    for (const [LISTEN_FDS, LISTEN_PID, isFor] of [
      ["1", "7", true],
      ["1", "8", false],
      ["0", "7", false],
      ["x", "7", false],
    ] as const) {
      const environment = { LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES: "a", PATH: "/" };
      const found = InheritedSockets.fromSystemd(environment, 7, warn);
      assert.equal(found !== null, isFor);
      assert.deepEqual(environment, { PATH: "/" });
    }
    assert.deepEqual(warnings.length, 1);
    assert.equal(InheritedSockets.fromSystemd({}, 7, warn), null);
  });
});
