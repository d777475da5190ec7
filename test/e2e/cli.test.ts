import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { LogReader } from "../fixtures/log-reader.ts";

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

test("every problem has a line that begins with its place; the code has one of its own", () => {
  const path = file("two.yaml", "lisen: 8080\nbackend: [http://127.0.0.1:8000]\n");
  const { status, stdout, stderr } = evener("check", path);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.deepEqual(stderr.split("\n"), [
    `${path}:1:1: lisen: no such key; correct or remove it (did you mean "listen"?)`,
    `${path}:2:1: backend: no such key; correct or remove it (did you mean "backends"?)`,
    "evener: EVENER_CONFIG_INVALID: the configuration is not valid",
    "",
  ]);
});

test("check --json prints problems as JSON", () => {
  const { status, stdout, stderr } = evener("check", "--json", file("json.yaml", "lisen: 8080\n"));
  const answer = JSON.parse(stdout) as { ok: boolean; code: string; problems: { line: number }[] };
  assert.deepEqual([status, answer.ok, answer.code, stderr], [1, false, "EVENER_CONFIG_INVALID", ""]);
  assert.equal(answer.problems[0]!.line, 1);
});

test("a file that can not be read: why, once, and how to make one", () => {
  const path = join(folder, "missing.yaml");
  const make = 'name another, or write one with "listen: 8080" and "backends: [http://HOST:PORT]"';
  const { status, stderr } = evener("check", path);
  assert.equal(status, 1);
  assert.equal(stderr, `evener: EVENER_CONFIG_UNREADABLE: ${path}: there is no such file; ${make}\n`);
});

test("whoever reads the output may leave early", () => {
  // Far more than a pipe holds, so that the rest is written into a closed one.
  const read = "process.stdin.once('data', () => process.exit(0))";
  const script = `"$0" bin/evener.js schema | "$0" -e "${read}"; echo "\${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath], { encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(stdout, "0\n");
});

test("schema prints a JSON Schema", () => {
  const { status, stdout } = evener("schema");
  assert.equal(status, 0);
  assert.equal((JSON.parse(stdout) as { type: string }).type, "object");
});

test("wrong usage exits 2, --version and --help exit 0", () => {
  assert.equal(evener("serve", "a", "b").status, 2);
  const { status, stdout } = evener("--version");
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+/);
});

test("wrong usage has the code of wrong usage, and says where to read on", () => {
  const told = [["check", "--no-such-flag"], ["chekc"]].map((args) => evener(...args));
  assert.deepEqual(
    told.map(({ status, stderr }) => [status, stderr]),
    [
      [2, "evener: EVENER_USAGE: unknown option '--no-such-flag'; see evener --help\n"],
      [
        2,
        'evener: EVENER_USAGE: "chekc" is neither a command nor a file; did you mean "check"? ' +
          "See evener --help\n",
      ],
    ],
  );
});

test("--help shows the short form and examples", () => {
  const { status, stdout } = evener("--help");
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: evener \[FILE\]/);
  assert.match(stdout, /\n {2}evener check evener\.yaml /);
});

test("a second signal is told of, too, and exits 1", async () => {
  const backend = http.createServer((_request, response) => response.write("x")).listen(0, "127.0.0.1");
  await once(backend, "listening");
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const path = file(
    "held.yaml",
    `listen: "127.0.0.1:0"\nbackends: ["${url}"]\nadmin: off\naccess_log: off\n`,
  );
  const child = spawn(process.execPath, ["bin/evener.js", path]);
  const log = new LogReader(child);
  // Signals close together are one: it is asked again until it goes.
  let asking: NodeJS.Timeout | undefined;
  try {
    const { port } = (await log.find("listening")) as { port: number };
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(answer.status, 200);
    asking = setInterval(() => child.kill("SIGTERM"), 200);
    const [code] = (await once(child, "exit")) as [number | null];
    assert.equal(code, 1);
    assert.match(log.text, /"msg":"stopped at once by a second signal; what was open is cut"\}\n$/);
    await answer.text().catch(() => {});
  } finally {
    clearInterval(asking);
    child.kill("SIGKILL");
    backend.closeAllConnections();
    backend.close();
  }
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
