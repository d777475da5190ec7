/**
 * The load generator, a program of its own: `node load.ts URL FILE`. FILE has the requests (a list of
 * `SimRequest` as JSON). Each is sent at its time, whether or not earlier ones were answered; answers are
 * read as streams. The last line of the output is a {@link LoadReport}.
 */
import { readFileSync } from "node:fs";
import { Agent, type IncomingMessage, request as send } from "node:http";

import type { SimRequest } from "../../src/sim/router.ts";
import { finish } from "../peers/clients/client.ts";
import { MODEL_NAME } from "./engines/completion.ts";
import { API_KEY, DRAIN_S } from "./places.ts";
import { promptText } from "./prompt-text.ts";
import type { AnswerRecord, LoadReport } from "./records.ts";
import { StreamedText } from "./streamed-text.ts";

const [url = "", file = ""] = process.argv.slice(2);
const requests = JSON.parse(readFileSync(file, "utf8")) as SimRequest[];
// A connection for each: one that was kept might be closed just as it is used again, which is nobody's fault.
const agent = new Agent({ keepAlive: false });
const records: AnswerRecord[] = [];
const open = new Map<SimRequest, (problem: string) => void>();
const FIRST_AFTER_MS = 500;
/** So long before it is due a prompt is made: not in the time that counts, and not all at once. */
const PREPARED_MS = 100;
const startMs = performance.now() + FIRST_AFTER_MS;

for (const request of requests) schedule(request);

function nowS(): number {
  return (performance.now() - startMs) / 1000;
}

function schedule(request: SimRequest): void {
  const dueMs = startMs + request.atS * 1000;
  setTimeout(
    () => {
      const body = bodyOf(request);
      setTimeout(() => ask(request, body), Math.max(0, dueMs - performance.now()));
    },
    Math.max(0, dueMs - performance.now() - PREPARED_MS),
  );
}

function ask(request: SimRequest, body: string): void {
  const sentS = nowS();
  const text = new StreamedText(request.outputTokens);
  let firstS = -1;
  let lastS = -1;
  const close = (problem: string): void => {
    if (!open.delete(request)) return;
    records.push({ id: request.id, sentS, firstS, lastS, cachedTokens: text.cachedTokens, problem });
    if (records.length === requests.length) end();
  };
  open.set(request, close);
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    authorization: `Bearer ${API_KEY}`,
  };
  const outgoing = send(`${url}/v1/chat/completions`, { agent, method: "POST", headers }, (response) => {
    read(response, (chunk) => {
      if (!text.read(chunk)) return;
      lastS = nowS();
      if (firstS < 0) firstS = lastS;
    });
    response.once("close", () => {
      if (response.statusCode !== 200) return close(`status ${response.statusCode}`);
      close(response.complete ? text.problem : "cut off");
    });
  });
  outgoing.once("error", (error) => close(error.message));
  outgoing.end(body);
}

function read(response: IncomingMessage, take: (text: string) => void): void {
  response.setEncoding("utf8");
  response.on("data", take);
  response.on("error", () => {});
}

function bodyOf(request: SimRequest): string {
  return JSON.stringify({
    model: MODEL_NAME,
    messages: [{ role: "user", content: promptText(request) }],
    stream: true,
    stream_options: { include_usage: true },
    // The engines say so much; no router reads it.
    seed: request.outputTokens,
  });
}

const lastS = requests.at(-1)?.atS ?? 0;
setTimeout(
  () => {
    for (const close of open.values()) close("no answer in time");
  },
  FIRST_AFTER_MS + (lastS + DRAIN_S) * 1000,
);

function end(): void {
  const report: LoadReport = { records, errors: "" };
  finish(report);
}
