import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { startModelServer } from "../../../src/demo/model-server.ts";
import { type FoundServer, largestGroup, scanLocalhost } from "../../../src/discovery/localhost-scan.ts";

const servers: http.Server[] = [];
after(() => servers.forEach((server) => server.close()));

/** A server that answers these paths with these bodies and everything else with 404. */
async function serve(
  answers: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const server = http
    .createServer((request, response) => {
      const body = answers[request.url!];
      const status = body === undefined ? 404 : body === "405" ? 405 : 200;
      response.writeHead(status, headers).end(body ?? "");
    })
    .listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A server that answers everything with 200 and this. */
async function serveAll(body: string): Promise<number> {
  const server = http.createServer((_request, response) => response.end(body)).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const models = (owner: string, id = "m"): string =>
  JSON.stringify({ object: "list", data: [{ id, object: "model", owned_by: owner }] });

test("each is asked what it is; the port says nothing", async () => {
  const expected = new Map<number, string>([
    [await serve({ "/v1/models": models("vllm") }), "vllm"],
    [await serve({ "/v1/models": models("sglang") }), "sglang"],
    [await serve({ "/v1/models": models("x"), "/get_model_info": "{}" }), "sglang"],
    [await serve({ "/v1/models": models("llamacpp") }), "llama.cpp"],
    [await serve({ "/v1/models": models("library"), "/": "Ollama is running" }), "ollama"],
    [await serve({ "/v1/models": models("organization_owner"), "/api/v0/models": "{}" }), "lm-studio"],
    [await serve({ "/v1/models": models("me") }), "openai-compatible"],
    [await serve({ "/info": '{"model_id":"m","max_total_tokens":4096}' }), "tgi"],
    [await serve({ "/info": '{"model_id":"m","model_type":{"embedding":{}}}' }), "tei"],
    [await serve({ "/ping": "", "/invocations": "405" }), "mlflow"],
  ]);
  const { servers: found, others } = await scanLocalhost([...expected.keys()]);
  assert.deepEqual(others, []);
  assert.deepEqual(new Map(found.map(({ port, engine }) => [port, engine])), expected);
});

test("others are left alone: a web server, nobody, not JSON, a balancer of our own kind", async () => {
  const own = await serve({ "/v1/models": models("vllm") }, { "x-evener-backend": "b" });
  const others = [
    await serve({ "/": "hello" }),
    await serve({ "/v1/models": "<html>" }),
    await serve({ "/v1/models": '{"data":{}}' }),
    await serve({ "/ping": "", "/invocations": "an MLflow tracking server knows no invocations" }),
    await serveAll("OK"),
  ];
  assert.deepEqual(await scanLocalhost([...others, own, 1]), { servers: [], others });
});

test("the demo's servers answer like model servers", async () => {
  const server = await startModelServer({ name: "fast" });
  const { servers: found } = await scanLocalhost([server.port]);
  await server.close();
  assert.deepEqual(
    found.map(({ models: served }) => served),
    [["demo-model"]],
  );
});

test("those that serve the same models share a pool; the largest group wins", () => {
  const server = (port: number, ...served: string[]): FoundServer => ({
    host: "127.0.0.1",
    port,
    engine: "vllm",
    models: served,
  });
  const servers = [server(1, "a"), server(2, "b", "c"), server(3, "c", "b"), server(4, "d")];
  assert.deepEqual(
    largestGroup(servers).map(({ port }) => port),
    [2, 3],
  );
  assert.deepEqual(largestGroup([]), []);
});
