// The whole product with data threads: certificates that are replaced on the disk, and what threads share.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type tls from "node:tls";
import { type Authority, makeAuthority, makeCertificate } from "../fixtures/certificates.ts";
import { startBackend } from "../fixtures/backend.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { LogReader } from "../fixtures/log-reader.ts";
import { folderOf, save } from "../fixtures/tls-scene.ts";
import { until, within } from "../fixtures/until.ts";

interface Running {
  readonly log: LogReader;
  readonly port: number;
  readonly folder: string;
  readonly ca: Authority;
  readonly socketPath: string;
  readonly reload: () => void;
  readonly connect: (options?: tls.ConnectionOptions) => Promise<RawClient>;
}

/** `evener serve` with two data threads, a TLS listener and a unix socket. */
async function serve(t: TestContext): Promise<Running> {
  const folder = folderOf(t);
  const ca = makeAuthority();
  const backend = await startBackend({ tls: makeCertificate({ by: ca }) });
  const { cert, key } = save(folder, "own", makeCertificate({ by: ca, names: ["first.test"] }));
  const socketPath = join(folder, "evener.sock");
  const path = join(folder, "evener.yaml");
  const lines = [
    `listeners: [{ bind: "127.0.0.1:0", tls: { cert: ${cert}, key: ${key} } }, { bind: "unix:${socketPath}" }]`,
    "threads: 2",
    "admin: off",
    "access_log: off",
    `pools: { default: { backends: ["${backend.url}"], tls: { ca: ${save(folder, "ca", ca).cert} } } }`,
  ];
  writeFileSync(path, `${lines.join("\n")}\n`);
  const child = spawn(process.execPath, ["bin/evener.js", path], { stdio: ["ignore", "ignore", "pipe"] });
  t.after(async () => {
    child.kill("SIGKILL");
    await backend.stop();
  });
  const log = new LogReader(child);
  const { port } = (await log.find("listening")) as { port: number };
  const connect = async (options: tls.ConnectionOptions = {}): Promise<RawClient> => {
    const client = await RawClient.connectTls({ port, ca: ca.cert, servername: "first.test", ...options });
    t.after(() => client.destroy());
    return client;
  };
  return { log, port, folder, ca, socketPath, reload: () => child.kill("SIGHUP"), connect };
}

it("a certificate that is replaced is used at once; a bad one changes nothing and is told", async (t) => {
  const { log, ca, folder, connect, reload } = await serve(t);
  const before = await connect();
  // As certbot and Kubernetes do it: new files take the place of the old ones.
  const replace = (name: string): void => {
    const pair = save(folder, "new", makeCertificate({ by: ca, names: [name] }));
    renameSync(pair.key, join(folder, "own.key.pem"));
    renameSync(pair.cert, join(folder, "own.pem"));
  };
  // Where the two files are seen one by one, a reload in between is refused; the next one is not.
  const comes = async (name: string): Promise<void> => {
    for (let round = 0; round < 500; round++) {
      try {
        return void (await connect({ servername: name }));
      } catch {
        await sleep(20);
      }
    }
    assert.fail(`no certificate for ${name} in time`);
  };
  replace("second.test");
  await comes("second.test");
  const { change } = (await log.find("configuration reloaded")) as { change: string };
  assert.match(change, /^listeners ~127\.0\.0\.1:0$/);
  before.send(rawRequest("GET /"));
  assert.equal((await before.response()).status, 200);

  writeFileSync(join(folder, "own.pem"), makeCertificate({ by: ca, names: ["third.test"] }).cert);
  await log.find(
    "configuration not reloaded; the one before stays",
    /tls\.key: is not the key of the certificate for third\.test/,
  );
  await connect({ servername: "second.test" });

  replace("fourth.test");
  reload();
  await comes("fourth.test");
});

it("a session is resumed by whichever thread the client comes to", async (t) => {
  const { connect } = await serve(t);
  const first = await connect();
  let session: Buffer | undefined;
  (first.socket as tls.TLSSocket).on("session", (told: Buffer) => (session = told));
  first.send(rawRequest("GET /"));
  await first.response();
  await until(() => session !== undefined, "a session");
  // Twelve connections are on one thread alone once in two thousand times.
  for (let i = 0; i < 12; i++) {
    const again = await connect({ session });
    assert.equal((again.socket as tls.TLSSocket).isSessionReused(), true);
  }
});

it("one thread has the unix socket", async (t) => {
  const { socketPath, log } = await serve(t);
  const { address } = (await log.find("listening", /unix:/)) as { address: string };
  assert.equal(address, `unix:${socketPath}`);
  const socket = net.connect({ path: socketPath, allowHalfOpen: true });
  const client = new RawClient(socket);
  t.after(() => client.destroy());
  await within(once(socket, "connect"), "the connection");
  client.send(rawRequest("GET /"));
  assert.equal((await client.response()).status, 200);
});
