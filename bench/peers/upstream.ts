/**
 * A model server in small, a program of its own: `node upstream.ts PORT...`. GET gets a small body or a
 * large one, a chat a whole answer or the stream of events that it asks for.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

import {
  CHAT_ANSWER,
  LARGE_BODY,
  LARGE_PATH,
  monotonicUs,
  readStreamWish,
  SMALL_BODY,
  type StreamWish,
  writeEvent,
} from "./payload.ts";

const BODY_BYTES_MAX = 65_536;
const STREAMS_MAX = 4096;
const FIRST_WITHIN_US = 5000;
/** It ends by itself even if whoever started it was killed. */
const LIFE_MS = 30 * 60_000;

interface Stream {
  response: ServerResponse;
  wish: StreamWish;
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
    response.end(request.url === LARGE_PATH ? LARGE_BODY : SMALL_BODY);
    return;
  }
  let body = "";
  request.setEncoding("latin1");
  request.on("data", (chunk: string) => {
    body += chunk;
    if (body.length > BODY_BYTES_MAX) request.destroy();
  });
  request.on("end", () => {
    const wish = readStreamWish(body);
    if (wish !== undefined) openStream(response, wish);
    else response.setHeader("content-type", "application/json").end(CHAT_ANSWER);
  });
}

function openStream(response: ServerResponse, wish: StreamWish): void {
  if (streams.size >= STREAMS_MAX) {
    response.writeHead(503).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  // Streams of real engines do not tick together: the first event is at a random point of the period.
  const delayUs = Math.random() * Math.min(wish.everyUs, FIRST_WITHIN_US);
  const stream = { response, wish, sequence: 0, nextAtUs: monotonicUs() + delayUs };
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
    const { events, everyUs } = stream.wish;
    stream.nextAtUs = Math.max(stream.nextAtUs + everyUs, nowUs + everyUs / 2);
    if (stream.sequence !== events) continue;
    streams.delete(stream);
    stream.response.end();
  }
}
