// What `evener check --explain` says is what the data plane does.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain, type Explanation, explanationText } from "../../../src/commands/explain.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { EvenerError } from "../../../src/errors.ts";
import { rawRequest } from "../../fixtures/client.ts";
import { poolOf, setUp, yamlOf } from "../../fixtures/scene.ts";

const FILE = `
listen: 1
pools:
  chat: { backends: [a:1], session: cookie, policy: { name: hash, key: "header:x-user" } }
  canary: { backends: [b:1], retry: off, timeouts: { first_byte: 2s } }
routes:
  - match: { path: /v1, header: { x-tier: gold } }
    pool: canary
    mirror: { pool: chat, share: 10% }
    body_max: 1KiB
  - match: { host: api.test, path: { exact: /ping } }
    answer: { body: pong }
  - match: { path: { regex: '/v1/models/[^/]+' }, method: [POST, PUT] }
    pool: chat
    rewrite: { strip_prefix: /v1 }
    request_headers: { set: { authorization: "Bearer secret-of-the-file" } }
  - match: { path: /old }
    redirect: { scheme: https }
  - match: { path: /v1 }
    split: { chat: 3, canary: 1 }
`;

function ask(url: string, rest: { method?: string; headers?: string[] } = {}): Explanation {
  const config = parseConfig(FILE, { path: "evener.yaml", env: {}, readFile: () => "" });
  return explain(config, { url, method: "GET", headers: [], model: null, ...rest });
}

describe("an explanation", () => {
  it("says which route takes the request, and why those before it did not", () => {
    const { passed, taken } = ask("http://api.test/v1/models/llama?x=1", { headers: ["X-Tier: iron"] });
    assert.deepEqual(
      passed.map(({ route, why }) => `${route}: ${why}`),
      ["1: another path", "2: another method", "3: another path", '0: asks for header x-tier = "gold"'],
    );
    assert.deepEqual([taken?.route, taken?.target], [4, "75 % pool chat, 25 % pool canary"]);
  });

  it("says what backends get; secrets are masked", () => {
    const { pool, text } = ask("/v1/models/llama?x=1", {
      method: "PUT",
      headers: ["Host: me.test", "Cookie: a=1"],
    });
    assert.equal(pool, "chat");
    assert.equal(text[0], "PUT /models/llama?x=1 HTTP/1.1");
    assert.ok(text.includes("host: me.test"));
    assert.ok(text.includes("x-forwarded-prefix: /v1"));
    assert.ok(text.includes("authorization: ***"));
    assert.ok(text.includes("cookie: ***"));
  });

  it("goes by the model, and says under which name backends get it", () => {
    const config = parseConfig(
      `
listen: 1
pools: { a: { backends: [a:1] }, b: { backends: [b:1] } }
routes:
  - { match: { model: [gpt, "llama-*"] }, pool: a, rewrite: { model: { gpt: llama-3 } } }
  - { match: { model: "*" }, pool: b }
`,
      { path: "evener.yaml", env: {}, readFile: () => "" },
    );
    const asked = (model: string): string => {
      const request = { url: "/v1/chat/completions", method: "POST", headers: [], model };
      const { taken, passed, pool, rules } = explain(config, request);
      const why = passed.map((route) => `${route.route}: ${route.why}; `).join("");
      return `${why}${taken?.route} ${pool}${rules.replace(/^.*any body/, "")}`;
    };
    assert.equal(asked("gpt"), "0 a, model gpt as llama-3");
    assert.equal(asked("qwen"), "0: asks for model gpt or llama-*; 1 b");
    assert.equal(asked("llama-3:b"), "0: leads elsewhere than to pool b; 1 b, model llama-3:b as llama-3");
    const list = explain(config, { url: "/v1/models", method: "GET", headers: [], model: null });
    assert.deepEqual(list.text, ["Evener answers with the models of pool a, b"]);
  });

  it("says the rules that hold and where copies go", () => {
    const { pool, mirror, rules } = ask("/v1/x", { headers: ["x-tier: gold"] });
    assert.equal(pool, "canary");
    assert.equal(mirror, "pool chat, 10 % of the requests");
    assert.equal(rules, "first byte within 2s, idle 1m, no retries, body up to 1KiB");
  });

  it("says Evener's own answers", () => {
    const ping = ask("http://api.test:8080/ping");
    assert.equal(ping.pool, null);
    assert.equal(ping.text[0], "HTTP/1.1 200 OK");
    assert.equal(ping.text.at(-1), "pong");
    assert.ok(
      ask("/old?x", { headers: ["host: a.test:80"] }).text.includes("location: https://a.test/old?x"),
    );
  });

  it("says what is refused, before a route is asked or because none takes it", () => {
    const ambiguous = ask("/v1/%2e%2e/x");
    assert.match(ambiguous.text.join("\n"), /EVENER_AMBIGUOUS_PATH/);
    assert.match(explanationText(ambiguous), /^no route is asked\n/);
    assert.match(
      ask("/v1/x", { headers: ["content-length: 1", "content-length: 2"] }).text.join(),
      /EVENER_BAD_REQUEST/,
    );
    const lost = ask("/nowhere");
    assert.equal(lost.passed.length, 5);
    assert.match(explanationText(lost), /no route takes it\nanswered by Evener:\n {2}HTTP\/1\.1 404 /);
  });

  it("refuses what is no URL and no header", () => {
    for (const url of ["v1", "ftp://a/b", "http:///x", "/a#b"])
      assert.throws(() => ask(url), EvenerError, url);
    for (const line of ["x", "a b: c", "a: b\r\nc: d"])
      assert.throws(() => ask("/", { headers: [line] }), EvenerError);
  });

  it("is what happens", async (t) => {
    const { backends, connect, evener } = await setUp(t, {
      count: 2,
      yaml: ([a, b]) =>
        yamlOf({
          pools: { a: poolOf([a!]), b: poolOf([b!]) },
          routes: [
            {
              match: { path: "/a", query: { q: "1" } },
              pool: "a",
              rewrite: { strip_prefix: "/a", host: "in.test" },
            },
            {
              match: { path: { regex: "/[ab]/.*" } },
              pool: "b",
              request_headers: { remove: ["x-a"], add: { x: "1" } },
            },
            { pool: "a" },
          ],
        }),
    });
    const client = await connect();
    for (const path of ["/a/x?q=1", "/b/x", "/a/x", "/c", "/a?q=1"]) {
      client.send(rawRequest(`GET ${path}`, { "x-a": "1", "x-request-id": "fixed" }));
      await client.response();
      const it = explain(evener.server.config, {
        url: `http://test${path}`,
        method: "GET",
        headers: ["x-a: 1", "x-request-id: fixed"],
        model: null,
      });
      const received = backends.flatMap(({ requests }) => requests.splice(0));
      assert.equal(received.length, 1);
      assert.equal(received[0]!.backend.name, it.pool, path);
      assert.deepEqual(
        it.text.map(withoutChance),
        received[0]!.rawHead.split("\r\n").map(withoutChance),
        path,
      );
    }
  });
});

function withoutChance(line: string): string {
  return line.replace(/^traceparent: .*$/, "traceparent").replace(/^(via: 1\.1 evener).*$/, "$1");
}
