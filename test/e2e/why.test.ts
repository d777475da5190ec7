// `evener why`: the real command asks a running Evener why a prompt went where it went.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { WhyStatus } from "../../src/admin/why.ts";
import type { BackendHandler } from "../fixtures/backend.ts";
import { setUp } from "../fixtures/scene.ts";

const POOL = { policy: "auto", retry: { attempts: 3, backoff: "1ms", backoff_max: "2ms", body_max: "1MiB" } };
const PATH = "/v1/chat/completions";
const TOKEN = "a-token-of-enough-length-for-tests";

describe("evener why", () => {
  for (const threads of [0, 2]) {
    it(`says what every candidate would have cost, threads: ${threads}`, async (t) => {
      const rest = { threads, admin: { bind: "127.0.0.1:0" } };
      const { request, evener } = await setUp(t, { count: 3, handler: answering, pool: POOL, rest });
      const url = ["--url", `http://127.0.0.1:${evener.adminPort}`];
      const ids: string[] = [];
      for (let turn = 0; turn < 6; turn++) {
        const { headers } = await request(PATH, chat(`${"word ".repeat(4_000)}${"more ".repeat(turn)}`));
        ids.push(headers["x-request-id"] as string);
      }
      const homes = new Set<string>();
      for (const [turn, id] of ids.entries()) {
        const { status, stdout, stderr } = await why(id, ...url, "--json");
        assert.deepEqual([status, stderr], [0, ""]);
        const { attempts } = JSON.parse(stdout) as WhyStatus;
        assert.equal(attempts.length, 1);
        const [{ candidates, backend, compared, prompt_tokens: tokens, conclusion }] = attempts as [
          WhyStatus["attempts"][number],
        ];
        homes.add(backend);
        assert.deepEqual([candidates.length, compared, tokens > 4_000], [3, 3, true]);
        assert.deepEqual(
          candidates.filter(({ chosen }) => chosen).map((each) => each.backend),
          [backend],
        );
        if (turn === 0) continue;
        assert.ok(candidates[0]!.chosen && candidates[0]!.cached_tokens > 4_000);
        assert.ok(candidates[1]!.cost_ms > candidates[0]!.cost_ms);
        assert.match(
          conclusion,
          /^chosen because [45],\d{3} of its 5,\d{3} tokens are cached there; .* dear, as /,
        );
      }
      assert.equal(homes.size, 1);
      const { stdout } = await why(ids[5]!, ...url);
      assert.match(
        stdout,
        new RegExp(`^request ${ids[5]}\n\nattempt 1 at \\d{4}-.*Z, pool default: 5,\\d{3} tokens\n`),
      );
      assert.match(
        stdout,
        /\n {2}backend +cost +waiting +prompt +surcharge +others +context +cached +in flight\n/,
      );
      assert.match(
        stdout,
        /\n> 127\.0\.0\.1:\d+ +\d\.\d{3} s .*\n {2}127\.0\.0\.1:\d+ .*\n {2}127\.0\.0\.1:\d+ /,
      );
      assert.match(stdout, /\n\nchosen because .*\n$/);
    });
  }

  it("knows every attempt", async (t) => {
    const rest = { admin: { bind: "127.0.0.1:0" } };
    let calls = 0;
    const handler: BackendHandler = async (received) => {
      if (calls++ === 0) received.reset();
      else await answering(received);
    };
    const { request, evener } = await setUp(t, { count: 2, handler, pool: POOL, rest });
    const { headers } = await request(PATH, { ...chat("hello"), headers: { "x-request-id": "mine:1" } });
    assert.equal(headers["x-request-id"], "mine:1");
    const { stdout } = await why("mine:1", "--url", `http://127.0.0.1:${evener.adminPort}`, "--json");
    const { attempts } = JSON.parse(stdout) as WhyStatus;
    assert.deepEqual(
      attempts.map(({ attempt, compared }) => [attempt, compared]),
      [
        [1, 2],
        [2, 1],
      ],
    );
    assert.match(attempts[1]!.conclusion, /^tried again: .* was the only one that could take it$/);
  });

  it("says what is wrong: an unknown request, a token, nobody there, somebody else there", async (t) => {
    const rest = { admin: { bind: "127.0.0.1:0", token: TOKEN } };
    const { request, evener } = await setUp(t, { handler: answering, pool: POOL, rest });
    const plain = await request("/other");
    const url = ["--url", `http://127.0.0.1:${evener.adminPort}`];
    const unknown = await why(plain.headers["x-request-id"] as string, ...url, "--token", TOKEN);
    assert.equal(unknown.status, 1);
    assert.match(
      unknown.stderr,
      /^evener: EVENER_NOT_FOUND: nothing is known of request ".*"; the last 1,000 /,
    );
    assert.match((await why("any", ...url)).stderr, /^evener: EVENER_UNAUTHORIZED: /);
    const nobody = await why("any", "--url", "http://127.0.0.1:1");
    assert.equal(nobody.status, 1);
    assert.match(nobody.stderr, /^evener: EVENER_ADMIN_UNREACHABLE: http:\/\/127\.0\.0\.1:1: /);
    const other = http.createServer((_, response) => response.end("<html>")).listen(0, "127.0.0.1");
    t.after(() => other.close());
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const stranger = await why("any", "--url", `http://127.0.0.1:${port}`);
    assert.match(
      stranger.stderr,
      /EVENER_ADMIN_UNREACHABLE: .*: something else answers there, with status 200;/,
    );
    assert.equal((await why("any", "--url", "9901")).status, 2);
  });
});

const answering: BackendHandler = async (asked) => {
  await asked.body();
  const usage = { prompt_tokens: 5_000, completion_tokens: 3 };
  const body = JSON.stringify({ choices: [{ message: { content: "ok" } }], usage });
  asked.respond(200, body, { "content-type": "application/json" });
};

function chat(content: string): { method: string; headers: Record<string, string>; body: string } {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content }] });
  return { method: "POST", headers: { "content-type": "application/json" }, body };
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not `spawnSync`: Evener runs in this process, and has to answer. */
function why(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ["bin/evener.js", "why", ...args], { timeout: 30_000 }, done);
    function done(_: Error | null, stdout: string, stderr: string): void {
      resolve({ status: child.exitCode ?? -1, stdout, stderr });
    }
  });
}
