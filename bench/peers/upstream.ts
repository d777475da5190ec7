/**
 * A model server in small, a program of its own: `node upstream.ts PORT...`. GET gets a small body,
 * a chat with a whole answer, a chat with `"stream":true` with one event every 5 ms until the client goes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import { CHAT_ANSWER, monotonicUs, SMALL_BODY, writeEvent } from "./payload.ts";

const EVENT_EVERY_US = 5000;
const BODY_BYTES_MAX = 65_536;
const STREAMS_MAX = 4096;
/** It ends by itself even if whoever started it was killed. */
const LIFE_MS = 30 * 60_000;

interface Stream {
  response: ServerResponse;
  sequence: number;
  nextAtUs: number;
}

const streams = new Set<Stream>();

for (const port of process.argv.slice(2)) {
  const server = createServer(answer);
  server.keepAliveTimeout = LIFE_MS;
  server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });
}
setInterval(sendDueEvents, 1);
setTimeout(() => process.exit(1), LIFE_MS);

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/plain");
    response.end(SMALL_BODY);
    return;
  }
  let body = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => {
    body += chunk;
    if (body.length > BODY_BYTES_MAX) request.destroy();
  });
  request.on("end", () => {
    if (body.includes('"stream":true')) openStream(response);
    else response.setHeader("content-type", "application/json").end(CHAT_ANSWER);
  });
}

function openStream(response: ServerResponse): void {
  if (streams.size >= STREAMS_MAX) {
    response.writeHead(503).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  // Streams of real engines do not tick together: the first event is at a random point of the period.
  const stream = { response, sequence: 0, nextAtUs: monotonicUs() + Math.random() * EVENT_EVERY_US };
  streams.add(stream);
  response.on("close", () => streams.delete(stream));
}

/** An event that is late is not followed by a burst: each is a write of its own, as tokens are. */
function sendDueEvents(): void {
  const nowUs = monotonicUs();
  for (const stream of streams) {
    if (stream.nextAtUs > nowUs) continue;
    stream.sequence++;
    stream.response.write(writeEvent(stream.sequence, monotonicUs()));
    stream.nextAtUs = Math.max(stream.nextAtUs + EVENT_EVERY_US, nowUs + EVENT_EVERY_US / 2);
  }
}
