import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { ApartLoader } from "../../../src/config/load-apart.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/problem.ts";

const directory = mkdtempSync(path.join(tmpdir(), "evener-load-"));

function fileOf(name: string, text: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

function refusalOf(file: string): ConfigError {
  try {
    loadConfig(file);
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  return assert.fail(`${file} was not refused`);
}

const FULL = `listen: 8080
pools:
  chat: { backends: [http://127.0.0.1:1], retry: { attempts: 2 }, timeouts: { first_byte: 3s } }
  rest: { backends: [http://127.0.0.1:2] }
routes:
  - { match: { path: { regex: "^/v[0-9]+/" } }, pool: chat }
  - { match: { path: "/old" }, redirect: { host: example.com } }
  - { pool: rest }
`;

describe("reading a configuration in a thread of its own", () => {
  test("says what reading it here says, good and bad, in the order of asking", async () => {
    const loader = new ApartLoader();
    const full = fileOf("full.yaml", FULL);
    const good = fileOf("good.yaml", "listen: 8080\nbackends: [http://127.0.0.1:1]\n");
    const bad = fileOf("bad.yaml", "listen: 8080\nbackend: [http://127.0.0.1:1]\nretry: {attempts: -1}\n");
    const missing = path.join(directory, "missing.yaml");
    const files = [full, good, bad, missing, good];
    const answers = await Promise.allSettled(files.map((file) => loader.load(file)));
    for (const [i, answer] of answers.entries()) {
      const file = files[i]!;
      if (answer.status === "fulfilled") {
        assert.deepEqual(answer.value, loadConfig(file));
        continue;
      }
      const { code, message, problems } = refusalOf(file);
      assert.ok(answer.reason instanceof ConfigError);
      assert.equal(answer.reason.code, code);
      assert.equal(answer.reason.message, message);
      assert.deepEqual(answer.reason.problems, problems);
    }
    assert.deepEqual(
      answers.map(({ status }) => status),
      ["fulfilled", "fulfilled", "rejected", "rejected", "fulfilled"],
    );
  });

  test("a pipe is refused: whoever reads it would wait for a writer", async () => {
    const pipe = path.join(directory, "pipe");
    execFileSync("mkfifo", [pipe]);
    const refused = { code: "EVENER_CONFIG_UNREADABLE", message: /it is no regular file/ };
    await assert.rejects(new ApartLoader().load(pipe), refused);
  });

  test("a file that is too much for the thread is read all the same, and the next one in a thread again", async () => {
    const loader = new ApartLoader();
    const backends = Array.from(
      { length: 20_000 },
      (_, i) => `http://10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:1`,
    );
    const huge = fileOf("huge.yaml", JSON.stringify({ listen: 8080, backends }));
    const config = await loader.load(huge);
    assert.equal(config.pools[0]!.backends.length, backends.length);
    const small = fileOf("small.yaml", "listen: 8080\nbackends: [http://127.0.0.1:1]\n");
    assert.equal((await loader.load(small)).pools[0]!.backends.length, 1);
  });
});
