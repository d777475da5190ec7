// systemd: its units, its sockets, and what it is told. Its own programs are used where they are installed.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { once } from "node:events";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startBackend } from "../fixtures/backend.ts";
import { RawClient, rawRequest, request } from "../fixtures/client.ts";
import { Processes } from "../fixtures/processes.ts";
import { poolOf } from "../fixtures/scene.ts";
import { SteadyTraffic } from "../fixtures/steady-traffic.ts";
import { until } from "../fixtures/until.ts";

const UNITS = ["deploy/systemd/evener.service", "deploy/systemd/evener.socket"];

function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

async function configOf(
  t: TestContext,
  rest: Readonly<Record<string, unknown>>,
): Promise<{ config: Record<string, unknown>; backend: Awaited<ReturnType<typeof startBackend>> }> {
  const backend = await startBackend();
  t.after(() => backend.stop());
  return { config: { pools: { default: poolOf([backend]) }, ...rest }, backend };
}

describe("the units", () => {
  if (isInstalled("systemd-analyze")) {
    it("are valid", () => {
      const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", ...UNITS], {
        encoding: "utf8",
      });
      assert.deepEqual([status, stdout, stderr], [0, "", ""]);
    });
  }

  it("let the notes of all processes of the service count", () => {
    assert.match(readFileSync(UNITS[0]!, "utf8"), /^Type=notify$[^]*^NotifyAccess=all$/m);
  });
});

describe("LISTEN_FDS", () => {
  if (isInstalled("systemd-socket-activate")) {
    for (const threads of [0, 2]) {
      it(`of systemd-socket-activate, handed on to the next process (${threads} threads)`, async (t) => {
        const port = await freePort();
        const folder = folderOf(t);
        const path = join(folder, "evener.sock");
        const listeners = [{ bind: `127.0.0.1:${port}` }, { bind: `unix:${path}` }];
        const { config, backend } = await configOf(t, { listeners, threads });
        const under = ["systemd-socket-activate", "-l", `127.0.0.1:${port}`, "-l", path];
        const evener = await Processes.start(t, config, { under, isAwaited: false });
        await until(() => existsSync(path), "the sockets");
        // It is started by this connection, which waits meanwhile.
        const first = await RawClient.connect(port);
        t.after(() => first.destroy());
        first.send(rawRequest("GET /", { connection: "close" }));
        assert.equal((await first.response()).status, 200);
        const traffic = new SteadyTraffic(t, port);
        const old = evener.pid;
        await evener.handOver();
        await evener.ended(old);
        const unix = new RawClient(net.connect({ path }));
        t.after(() => unix.destroy());
        unix.send(rawRequest("GET /", { connection: "close" }));
        assert.equal((await unix.response()).status, 200);
        assert.deepEqual(await traffic.end([backend]), []);
        evener.signal("SIGTERM");
        await evener.ended(evener.pid);
        assert.ok(existsSync(path), "the file is systemd's");
        const isShort = threads === 2;
        assert.equal(evener.count("accepts nothing there") > 0, isShort);
      });
    }
  }

  for (const threads of [1, 3]) {
    it(`two sockets of one port are accepted on by ${threads} threads, whatever is passed on`, async (t) => {
      const { config, backend } = await configOf(t, { listen: "127.0.0.1:0", threads });
      const folder = folderOf(t);
      const portFile = join(folder, "port");
      const program = spawnPython("listen-fds", LISTEN_TWICE);
      const evener = await Processes.start(
        t,
        { ...config, listen: "127.0.0.1:${LISTEN_PORT}" },
        { under: [...program, portFile] },
      );
      const port = Number(readFileSync(portFile, "utf8"));
      assert.equal(evener.port, port);
      const traffic = new SteadyTraffic(t, port, { fresh: 12, kept: 0 });
      for (let i = 0; i < 2; i++) {
        const { answered } = traffic;
        await until(() => traffic.answered > answered + 60, "traffic");
        const old = evener.pid;
        await evener.handOver();
        await evener.ended(old);
      }
      assert.deepEqual(await traffic.end([backend]), []);
      assert.equal(evener.count("accepts nothing there"), 0);
    });
  }

  it("of another process, or that nobody wants, are not used", async (t) => {
    const { config } = await configOf(t, {});
    const portFile = join(folderOf(t), "port");
    const evener = await Processes.start(t, config, {
      under: [...spawnPython("listen-fds", LISTEN_TWICE), portFile],
    });
    const port = Number(readFileSync(portFile, "utf8"));
    await evener.said("no listener wants these inherited sockets: closed");
    await assert.rejects(RawClient.connect(port));
    const env = { LISTEN_FDS: "1", LISTEN_PID: "1" };
    const other = await Processes.start(t, config, { env });
    await other.said("LISTEN_FDS is for another process");
    assert.equal((await request(other.port, "/")).status, 200);
  });
});

if (isInstalled("systemd-notify")) {
  it("systemd is told of start, reload, handover and stop, and of nothing else", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "notify.sock");
    const [program, ...args] = [...spawnPython("notify", RECEIVER), path];
    const receiver = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(async () => {
      const gone = once(receiver, "exit");
      receiver.kill();
      await gone;
    });
    let heard = "";
    receiver.stdout.on("data", (bytes: Buffer) => (heard += bytes.toString()));
    await until(() => existsSync(path), "the receiver");
    const { config } = await configOf(t, {});
    const evener = await Processes.start(t, config, { env: { NOTIFY_SOCKET: path } });
    const hears = (what: string): Promise<void> =>
      until(
        () => heard.includes(what),
        () => `${what}; heard ${heard}`,
      );
    const old = evener.pid;
    await hears(`READY=1 MAINPID=${old} STATUS=takes requests on 127.0.0.1:${evener.port}`);
    heard = "";
    evener.signal("SIGHUP");
    await hears("READY=1");
    assert.match(heard, /RELOADING=1 MONOTONIC_USEC=\d+.*READY=1/s);
    // It has systemd as its parent from the start, so it is not a child that is watched and ended here.
    evener.write({ pools: {} });
    evener.signal("SIGUSR2");
    await evener.said("no handover; this process goes on");
    assert.equal((await request(evener.port, "/")).status, 200);
    evener.write(config);
    await evener.said("configuration reloaded");
    heard = "";
    await evener.handOver();
    const stat = readFileSync(`/proc/${evener.pid}/stat`, "utf8");
    assert.notEqual(stat.slice(stat.lastIndexOf(")")).split(" ")[2], String(old));
    await hears(`READY=1 MAINPID=${evener.pid}`);
    await evener.ended(old);
    assert.ok(!heard.includes("STOPPING"), heard);
    evener.signal("SIGTERM");
    await hears("STOPPING=1");
    await evener.ended(evener.pid);
  });
}

it("a systemd-notify that is not there is a warning", async (t) => {
  const { config } = await configOf(t, {});
  const env = { NOTIFY_SOCKET: "/nowhere", PATH: "/nowhere" };
  const evener = await Processes.start(t, config, { env });
  await evener.said("systemd-notify failed");
  assert.equal((await request(evener.port, "/")).status, 200);
});

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "evener-systemd-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function spawnPython(name: string, text: string): string[] {
  return ["python3", "-c", `# ${name}\n${text}`];
}

/** Passes two sockets of one port on to the rest of its arguments, as systemd does with `ReusePort=yes`. */
const LISTEN_TWICE = `
import os, socket, sys
port = 0
for descriptor in (3, 4):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port))
    one.listen(4096)
    port = one.getsockname()[1]
    os.dup2(one.fileno(), descriptor + 20, True)
for descriptor in (3, 4):
    os.dup2(descriptor + 20, descriptor, True)
    os.close(descriptor + 20)
with open(sys.argv[1], "w") as file:
    file.write(str(port))
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_PORT=str(port))
os.execvp(sys.argv[2], sys.argv[2:])
`;

/** Prints what comes to a socket, a line a datagram. */
const RECEIVER = `
import socket, sys
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.bind(sys.argv[1])
while True:
    print(one.recv(4096).decode().replace("\\n", " ").strip(), flush=True)
`;
