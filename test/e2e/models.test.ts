// Routes by the model that a request asks for, and the name that backends see.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backend, BackendRequest } from "../fixtures/backend.ts";
import type { Answer } from "../fixtures/client.ts";
import { poolOf, type Scene, setUp, yamlOf } from "../fixtures/scene.ts";

const CHAT = "/v1/chat/completions";
const ROUTES = [
  {
    match: { path: "/v1", model: ["gpt-4o", "llama-*"] },
    pool: "a",
    rewrite: { model: { "gpt-4o": "llama-3" } },
  },
  { match: { path: "/v1", model: "llama-3-big" }, pool: "b" },
  { match: { path: "/v1", model: "*" }, pool: "c" },
  { match: { path: "/ollama", model: "*" }, pool: "b", rewrite: { strip_prefix: "/ollama" } },
  { match: { path: "/v2", model: "x" }, pool: "b", rewrite: { model: "y/z" } },
  { match: { path: "/v2" }, pool: "c" },
  { match: { path: "/plain" }, pool: "c" },
];

/** Pools a, b and c with a backend each, which tells what it got. */
function scene(t: TestContext, threads = 0, routes: readonly object[] = ROUTES): Promise<Scene> {
  return setUp(t, {
    count: 3,
    handler: async (request) => {
      if (request.target === "/plain") return;
      if (request.method === "POST") request.respond(200, `${request.backend.name} ${await bodyOf(request)}`);
      else request.respond(404);
    },
    yaml: (backends) => yamlOf({ threads, pools: poolsOf(backends), routes }),
  });
}

async function bodyOf(request: BackendRequest): Promise<string> {
  return (await request.body()).toString("utf8");
}

function poolsOf(backends: readonly Backend[]): Record<string, unknown> {
  return Object.fromEntries(backends.map((backend) => [backend.name, poolOf([backend])]));
}

function post(it: Scene, path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return it.request(path, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}

describe("routes by model", () => {
  for (const threads of [0, 1]) {
    it(`lead by name, pattern and alias, the most exact first, threads: ${threads}`, async (t) => {
      const it = await scene(t, threads);
      const cases: readonly [string, string][] = [
        ['{"model":"llama-7","x":1}', 'a {"model":"llama-7","x":1}'],
        ['{"model":"llama-3-big"}', 'b {"model":"llama-3-big"}'],
        [
          '{"x":[1,{"model":"no"}], "model" : "gpt-4o","y":"é"}',
          'a {"x":[1,{"model":"no"}], "model" : "llama-3","y":"é"}',
        ],
        ['{"model":"gpt-4o"}', 'a {"model":"llama-3"}'],
        ['{"model":"qwen"}', 'c {"model":"qwen"}'],
        // Of a pool that a route leads to; and of none.
        ['{"model":"llama-3-big:c"}', 'c {"model":"llama-3-big"}'],
        ['{"model":"gpt-4o:a"}', 'a {"model":"llama-3"}'],
        ['{"model":"qwen:8b"}', 'c {"model":"qwen:8b"}'],
        ['{"model":"qwen:a"}', 'c {"model":"qwen:a"}'],
      ];
      for (const [body, seen] of cases) {
        const answer = await post(it, CHAT, body);
        assert.deepEqual([answer.status, answer.body], [200, seen], body);
      }
      const ollama = await post(it, "/ollama/api/chat", '{"model":"llama3:8b","messages":[]}');
      assert.equal(ollama.body, 'b {"model":"llama3:8b","messages":[]}');
    });
  }

  it("say that there is no such model, in the words of the API", async (t) => {
    const it = await scene(t, 0, [{ match: { model: "one" }, pool: "a" }]);
    for (const [body, named] of [
      ['{"model":"two"}', '"two"'],
      ['{"x":1}', "names no model"],
      ["no json", "no model"],
    ]) {
      const answer = await post(it, CHAT, body!);
      const { error } = JSON.parse(answer.body) as {
        error: { code: string; message: string; param: string };
      };
      assert.deepEqual([answer.status, error.code, error.param], [404, "EVENER_NO_MODEL", "model"]);
      assert.ok(error.message.includes(named!), error.message);
    }
    assert.equal((await it.request("/other")).status, 404);
  });

  it("exchange a name in the path", async (t) => {
    const it = await scene(t);
    await post(it, "/v2/models/x/infer?a=1", '{"inputs":[]}');
    await post(it, "/v2/models/x/versions/2/infer", '{"inputs":[]}');
    await post(it, "/v2/models/w/infer", '{"inputs":[]}');
    const [, b, c] = it.backends;
    assert.deepEqual(
      b!.requests.map(({ target }) => target),
      ["/v2/models/y%2Fz/infer?a=1", "/v2/models/y%2Fz/versions/2/infer"],
    );
    assert.deepEqual(
      c!.requests.map(({ target }) => target),
      ["/v2/models/w/infer"],
    );
  });

  it("hold for chunks, for a client that waits for a 100, and for bodies beyond what is awaited", async (t) => {
    const it = await scene(t);
    const chunked = await it.connect();
    chunked.send(
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n`,
    );
    for (const piece of ['{"mo', 'del":"gp', 't-4o","z', '":1}']) {
      chunked.send(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      await sleep(5);
    }
    chunked.send("0\r\n\r\n");
    assert.match((await chunked.response()).body, /a \{"model":"llama-3","z":1\}/);

    const body = '{"model":"gpt-4o"}';
    const waiting = await it.connect();
    const lines = `content-length: ${body.length}\r\nexpect: 100-continue\r\ncontent-type: application/json`;
    waiting.send(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\n${lines}\r\n\r\n`);
    await waiting.until("100 Continue\r\n\r\n");
    waiting.send(body);
    await waiting.until('a {"model":"llama-3"}');

    const long = `{"model":"gpt-4o","x":"${"y".repeat(3_000_000)}"}`;
    const answer = await post(it, CHAT, long);
    assert.equal(answer.body.length, long.length + 2 + 1);
    assert.ok(answer.body.startsWith('a {"model":"llama-3","x":"yyy'));
  });

  it("keep nothing of a client that leaves before its model has come", async (t) => {
    const it = await scene(t);
    const client = await it.connect();
    client.send(`POST ${CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{"mod`);
    await sleep(20);
    client.destroy();
    await it.evener.logged(({ reason }) => reason === "client_abort");
    assert.equal(
      it.backends.reduce((sum, { requests }) => sum + requests.length, 0),
      0,
    );
  });

  it("do not make other requests wait for their bodies", async (t) => {
    const it = await scene(t);
    const client = await it.connect();
    client.send("POST /plain HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nbegin");
    await it.backends[2]!.request(0);
  });

  it("send the exchanged name again, when the first backend is gone", async (t) => {
    let seen = 0;
    const it = await setUp(t, {
      count: 2,
      handler: async (request) => {
        const body = await bodyOf(request);
        if (seen++ === 0) request.socket.destroy();
        else request.respond(200, body);
      },
      yaml: (backends) =>
        yamlOf({
          pools: { all: poolOf(backends, { retry: { attempts: 3, backoff: "1ms", backoff_max: "2ms" } }) },
          routes: [{ match: { model: "*" }, pool: "all", rewrite: { model: "a-much-longer-name" } }],
        }),
    });
    const answer = await post(it, CHAT, '{"model":"m","n":1}');
    assert.deepEqual([answer.status, answer.body], [200, '{"model":"a-much-longer-name","n":1}']);
  });
});

describe("GET /v1/models", () => {
  const lists: Record<string, string[]> = {
    a: ["llama-3", "llama-3-big", "hidden"],
    b: ["llama-3-big"],
    c: ["qwen", "llama-9"],
  };
  const tell = (request: BackendRequest): void => {
    const data = lists[request.backend.name]!.map((id) => ({
      id,
      object: "model",
      owned_by: request.backend.name,
    }));
    if (request.target === "/v1/models") request.respond(200, JSON.stringify({ object: "list", data }));
    else request.respond(404);
  };

  for (const threads of [0, 1]) {
    it(`is the union of what the client's routes lead to, by its names, threads: ${threads}`, async (t) => {
      const it = await setUp(t, {
        count: 3,
        handler: tell,
        yaml: (backends) => yamlOf({ threads, pools: poolsOf(backends), routes: ROUTES }),
      });
      const answer = await it.request("/v1/models");
      assert.equal(answer.status, 200);
      const { data } = JSON.parse(answer.body) as { data: { id: string; owned_by: string }[] };
      assert.deepEqual(
        data.map(({ id, owned_by: by }) => `${id} ${by}`),
        ["gpt-4o a", "llama-3 a", "llama-3-big b", "llama-9 c", "qwen c"],
      );
      // Asked once, however many ask.
      await Promise.all([it.request("/v1/models"), it.request("/v1/models/qwen"), it.request("/v1/models")]);
      assert.deepEqual(
        it.backends.map(({ requests }) => requests.length),
        [1, 1, 1],
      );
      assert.equal((JSON.parse((await it.request("/v1/models/gpt-4o")).body) as { id: string }).id, "gpt-4o");
      const none = await it.request("/v1/models/hidden");
      assert.equal(none.status, 404);
      assert.match(none.body, /EVENER_NO_MODEL/);
      assert.equal((await it.request("/v1/models", { method: "HEAD" })).status, 200);
    });
  }

  it("lists what the file names where backends do not tell", async (t) => {
    const it = await scene(t);
    const { data } = JSON.parse((await it.request("/v1/models")).body) as { data: { id: string }[] };
    assert.deepEqual(
      data.map(({ id }) => id),
      ["gpt-4o", "llama-3-big"],
    );
  });

  it("goes to a pool as it came where no route goes by model, or where a route is its own", async (t) => {
    const routes = [
      { match: { path: { exact: "/v1/models" } }, pool: "b" },
      { match: { model: "*" }, pool: "a" },
    ];
    const own = await setUp(t, {
      count: 3,
      handler: tell,
      yaml: (backends) => yamlOf({ pools: poolsOf(backends), routes }),
    });
    assert.match((await own.request("/v1/models")).body, /"owned_by":"b"/);
    const plain = await setUp(t, { count: 1, handler: tell });
    const answer = await plain.request("/v1/models");
    assert.equal(answer.headers["x-evener-backend"], plain.backend.url.replace("http://", ""));
  });
});
