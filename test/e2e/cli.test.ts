import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const folder = mkdtempSync(join(tmpdir(), "evener-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function evener(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["bin/evener.js", ...args], { encoding: "utf8", timeout: 30_000 });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("check accepts the two-line file", () => {
  const { status, stdout } = evener("check", "examples/minimal/evener.yaml");
  assert.equal(status, 0);
  assert.match(stdout, /valid/);
});

test("check names line, column and the nearest key", () => {
  const path = file("bad.yaml", "listen: 8080\nbackend: [http://127.0.0.1:8000]\n");
  const { status, stderr } = evener("check", path);
  assert.equal(status, 1);
  assert.match(stderr, /bad\.yaml:2:1/);
  assert.match(stderr, /did you mean "backends"/);
  assert.match(stderr, /EVENER_CONFIG_INVALID/);
});

test("check of a file that is not there says so", () => {
  const { status, stderr } = evener("check", join(folder, "missing.yaml"));
  assert.equal(status, 1);
  assert.match(stderr, /EVENER_CONFIG_UNREADABLE/);
});

test("schema prints a JSON Schema", () => {
  const { status, stdout } = evener("schema");
  assert.equal(status, 0);
  assert.equal((JSON.parse(stdout) as { type: string }).type, "object");
});

test("wrong usage exits 2, --version and --help exit 0", () => {
  assert.equal(evener("check", "--no-such-flag").status, 2);
  assert.equal(evener("serve", "a", "b").status, 2);
  assert.equal(evener("--version").status, 0);
  assert.match(evener("--version").stdout, /^\d+\.\d+\.\d+/);
  assert.match(evener("--help").stdout, /check/);
});

test("a Node that is too old gets an explanation, not a stack trace", () => {
  const old = 'Object.defineProperty(process.versions, "node", { value: "20.19.0" });';
  const args = ["--import", `data:text/javascript,${encodeURIComponent(old)}`, "bin/evener.js", "--version"];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /EVENER_NODE_TOO_OLD/);
  assert.match(stderr, /npm ci/);
  assert.doesNotMatch(stderr, /\n {4}at /);
});

test("a port in use is a clear error", async () => {
  const taken = http.createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const path = file(
    "taken.yaml",
    `listen: "127.0.0.1:${port}"\nbackends: [http://127.0.0.1:9]\nadmin: off\n`,
  );
  const { status, stderr } = evener(path);
  taken.close();
  assert.equal(status, 1);
  assert.match(stderr, /EVENER_LISTEN_FAILED.*another program listens there/);
});

test("serve: reloads on save, keeps the old on a bad file, drains on SIGTERM through npm and exits 0", async () => {
  const backend = http.createServer((_request, response) => response.end("first")).listen(0, "127.0.0.1");
  const other = http.createServer((_request, response) => response.end("second")).listen(0, "127.0.0.1");
  await Promise.all([once(backend, "listening"), once(other, "listening")]);
  const text = (server: http.Server): string =>
    `listen: "127.0.0.1:0"\nbackends: [http://127.0.0.1:${(server.address() as AddressInfo).port}]\n` +
    "admin: off\naccess_log: off\n";
  const path = file("serve.yaml", text(backend));
  const child = spawn("npm", ["run", "-s", "evener", "--", "serve", path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = new LogReader(child);
  try {
    const { port } = (await log.find("listening")) as { port: number };
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "first");
    writeFileSync(path, "listen: [");
    await log.find("configuration not reloaded; the one before stays");
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "first");
    writeFileSync(path, text(other));
    await log.find("configuration reloaded");
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "second");
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number | null];
    assert.equal(code, 0);
  } finally {
    child.kill("SIGKILL");
    backend.close();
    other.close();
  }
});

/** Reads the JSON lines that the product writes to stderr. */
class LogReader {
  #text = "";
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.setEncoding("utf8").on("data", (part: string) => (this.#text += part));
  }

  /** The first line with that message; fails with all that was written when none comes. */
  async find(message: string): Promise<unknown> {
    for (let round = 0; round < 300 && this.#child.exitCode === null; round++) {
      for (const line of this.#text.split("\n")) {
        if (line.includes(`"msg":"${message}"`)) return JSON.parse(line);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return assert.fail(`no line says "${message}" in:\n${this.#text}`);
  }
}
