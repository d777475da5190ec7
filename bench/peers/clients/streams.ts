/**
 * Clients of token streams, a program of its own:
 * `node streams.ts URL CONNECTIONS SECONDS PID EVENTS EVERY_US`. Streams of so many events follow each other
 * on each connection. Waits until all flow, counts for so long while it watches the CPU time of process PID,
 * and prints one line of JSON: a {@link StreamReport}. Every event has to arrive once, whole and in order,
 * and every stream has to end after its last.
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { readCpu } from "../../measure/cpu.ts";
import { quantile } from "../../measure/statistics.ts";
import { EVENT_BYTES, monotonicUs, readEvent, streamRequest } from "../payload.ts";
import { Complaints, finish } from "./client.ts";

/** What the clients saw between the two looks at the clock. */
export interface StreamReport {
  events: number;
  /** Reads from the clients' sockets: fewer than events where a proxy holds events back and joins them. */
  reads: number;
  userUs: number;
  systemUs: number;
  elapsedUs: number;
  /** From the backend's write to the client's read. */
  p50Ms: number;
  p99Ms: number;
  /** Empty when all is well. */
  errors: string;
}

const FLOWING_MS_MAX = 5000;
const SETTLE_MS = 300;

const [url = "", ...numbers] = process.argv.slice(2);
const [connections = 0, seconds = 0, pid = 0, eventsPerStream = 0, everyUs = 0] = numbers.map(Number);

let isMeasuring = false;
let events = 0;
let reads = 0;
let flowing = 0;
const allFlow = Promise.withResolvers<void>();
const delaysUs: number[] = [];
const complaints = new Complaints();
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const watched = new WeakSet<Socket>();
const open = new Set<ClientRequest>();
const body = streamRequest({ events: eventsPerStream, everyUs });
const headers = { "content-type": "application/json", "content-length": body.length };

for (let i = 0; i < connections; i++) openStream();
await waitUntilFlowing();
await pause(SETTLE_MS);
const before = readCpu(pid);
const startedAtUs = monotonicUs();
isMeasuring = true;
await pause(seconds * 1000);
isMeasuring = false;
const elapsedUs = monotonicUs() - startedAtUs;
const after = readCpu(pid);
complaints.isOver = true;
for (const each of open) each.destroy();

delaysUs.sort((a, b) => a - b);
const report: StreamReport = {
  events,
  reads,
  userUs: after.userUs - before.userUs,
  systemUs: after.systemUs - before.systemUs,
  elapsedUs,
  p50Ms: quantile(delaysUs, 0.5) / 1000,
  p99Ms: quantile(delaysUs, 0.99) / 1000,
  errors: complaints.toString(),
};
finish(report);

/** A failed one is not followed by another: it is in the report, which ends the run. */
function openStream(isFirst = true): void {
  const outgoing = request(`${url}/v1/chat/completions`, { agent, method: "POST", headers }, (response) => {
    if (response.statusCode !== 200) complaints.add(`status ${response.statusCode}`);
    readEvents(response, isFirst);
  });
  open.add(outgoing);
  outgoing.on("socket", countReads);
  outgoing.on("close", () => open.delete(outgoing));
  outgoing.on("error", (error) => complaints.add(error.message));
  outgoing.end(body);
}

function readEvents(response: IncomingMessage, isFirst: boolean): void {
  let sequence = 0;
  let rest = "";
  response.setEncoding("latin1");
  response.on("data", (chunk: string) => {
    rest += chunk;
    let at = 0;
    for (; rest.length - at >= EVENT_BYTES; at += EVENT_BYTES) {
      const event = readEvent(rest.slice(at, at + EVENT_BYTES));
      if (event?.sequence !== sequence + 1) {
        complaints.add(`event ${event?.sequence ?? "broken"} after ${sequence}`);
      }
      if (sequence++ === 0 && isFirst && ++flowing === connections) allFlow.resolve();
      if (!isMeasuring || event === undefined) continue;
      events++;
      delaysUs.push(monotonicUs() - event.sentAtUs);
    }
    rest = rest.slice(at);
  });
  response.on("end", () => {
    if (sequence === eventsPerStream && rest === "") openStream(false);
    else complaints.add(`a stream ended after ${sequence} of ${eventsPerStream} events`);
  });
  response.on("error", (error) => complaints.add(error.message));
}

/** A connection serves many streams: it is watched once. */
function countReads(socket: Socket): void {
  if (watched.has(socket)) return;
  watched.add(socket);
  socket.on("data", () => {
    if (isMeasuring) reads++;
  });
}

async function waitUntilFlowing(): Promise<void> {
  await Promise.race([allFlow.promise, pause(FLOWING_MS_MAX)]);
  if (flowing >= connections) return;
  complaints.add(`${flowing} of ${connections} streams flow after ${FLOWING_MS_MAX} ms`);
}
