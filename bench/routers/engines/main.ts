/**
 * The embedded engines, a program of its own: `node main.ts PORT...`, an engine a port. OpenAI's API, what
 * vLLM and SGLang add to it that their routers ask for, and times as the simulator's engine has them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import type { SimRequest } from "../../../src/sim/router.ts";
import { PromptReader } from "../prompt-text.ts";
import { MODEL } from "../workload.ts";
import { type Ask, endEvents, MODEL_NAME, readAsk, tokensEvent, wholeAnswer } from "./completion.ts";
import { LiveEngine } from "./live-engine.ts";
import { type EngineReport, REPORT_PATH } from "./report.ts";

/** As `--stream-interval 8` of vLLM and SGLang: the first token alone, then 8 in an event. */
const TOKENS_TOGETHER = 8;
const BLOCK_TOKENS = 512;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** How often answers that are being written are looked at. */
const LOOK_MS = 4;
/** It ends by itself even if whoever started it was killed. */
const LIFE_MS = 30 * 60_000;

const startedMs = performance.now();
const engines = process.argv.slice(2).map((port, number) => {
  const engine = new LiveEngine(number, MODEL, TOKENS_TOGETHER);
  const reader = new PromptReader(BLOCK_TOKENS);
  const server = createServer((request, response) => serve(engine, reader, request, response));
  server.keepAliveTimeout = LIFE_MS;
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
  return engine;
});
let timer: NodeJS.Timeout | undefined;
let asked = 0;
setTimeout(() => process.exit(1), LIFE_MS);

function nowS(): number {
  return (performance.now() - startedMs) / 1000;
}

/** All engines do what is due; then it sleeps until the next of them has something to do. */
function turn(): void {
  clearTimeout(timer);
  const atS = nowS();
  let waitMs = Number.POSITIVE_INFINITY;
  for (const engine of engines) {
    engine.turn(atS);
    if (engine.isBusy) waitMs = Math.min(waitMs, (engine.nextS - nowS()) * 1000, LOOK_MS);
  }
  if (waitMs !== Number.POSITIVE_INFINITY) timer = setTimeout(turn, Math.max(0, waitMs));
}

function serve(
  engine: LiveEngine,
  reader: PromptReader,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = (request.url ?? "/").split("?", 1)[0]!;
  if (request.method === "GET") return tellAbout(engine, path, response);
  const isChat = path === "/v1/chat/completions";
  if (!isChat && path !== "/v1/completions") return sendJson(response, 404, { error: { message: path } });
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) request.destroy();
    else chunks.push(chunk);
  });
  request.once("end", () => {
    const ask = readAsk(isChat, Buffer.concat(chunks).toString());
    if (ask === undefined) return sendJson(response, 400, { error: { message: "no completion request" } });
    answer(engine, reader, ask, response);
  });
}

function answer(engine: LiveEngine, reader: PromptReader, ask: Ask, response: ServerResponse): void {
  const id = `${ask.isChat ? "chatcmpl" : "cmpl"}-${asked}`;
  const request: SimRequest = {
    ...reader.read(ask.prompt),
    id: asked++,
    atS: nowS(),
    outputTokens: ask.outputTokens,
    outputTokensMax: 0,
    blockTokens: BLOCK_TOKENS,
    session: -1,
  };
  if (ask.isStream) {
    // vLLM sends the head when it has read the request, long before the first token.
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.flushHeaders();
  }
  const usageWith = (cachedTokens: number): Parameters<typeof wholeAnswer>[2] => ({
    promptTokens: request.inputTokens,
    outputTokens: request.outputTokens,
    cachedTokens,
  });
  response.once("close", () => {
    if (!response.writableFinished) engine.abandoned++;
  });
  const isTaken = engine.submit(
    request,
    {
      tokens: (first, end) => {
        if (ask.isStream && !response.destroyed) response.write(tokensEvent(ask, id, first, end));
      },
      ended: (cachedTokens) => {
        if (response.destroyed) return;
        const usage = usageWith(cachedTokens);
        if (ask.isStream) response.end(endEvents(ask, id, usage));
        else sendText(response, 200, wholeAnswer(ask, id, usage));
      },
    },
    request.atS,
  );
  if (!isTaken) response.destroy();
  turn();
}

function tellAbout(engine: LiveEngine, path: string, response: ServerResponse): void {
  const about = { model_path: MODEL_NAME, served_model_name: MODEL_NAME, model_id: MODEL_NAME };
  if (path === "/v1/models") {
    return sendJson(response, 200, { object: "list", data: [{ id: MODEL_NAME, object: "model" }] });
  }
  if (path === REPORT_PATH) return sendJson(response, 200, reportOf(engine));
  if (path === "/health" || path === "/health_generate") return sendText(response, 200, "");
  if (/^\/(get_)?(model|server)_info$/.test(path)) {
    return sendJson(response, 200, { ...about, internal_states: [{}] });
  }
  sendJson(response, 404, { error: { message: `there is nothing at ${path}` } });
}

function reportOf({ busyS, finished, abandoned, promptTokens, cachedTokens }: LiveEngine): EngineReport {
  const { user, system } = process.cpuUsage();
  return {
    busyS,
    finished,
    abandoned,
    promptTokens,
    cachedTokens,
    aliveS: nowS(),
    cpuS: (user + system) / 1e6,
  };
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  sendText(response, status, JSON.stringify(value));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  response.writeHead(status, headers).end(text);
}
