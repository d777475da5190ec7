/**
 * The clients of the streams bench, a program of its own: `node stream-client.ts URL STREAMS SECONDS PID`.
 * Opens the streams, waits until all flow, counts for so long while it watches the CPU time of process PID,
 * and prints one line of JSON: a {@link StreamReport}. Every event has to arrive once, whole and in order.
 */
import { type ClientRequest, request } from "node:http";

import { readCpu } from "../measure/cpu.ts";
import { quantile } from "../measure/statistics.ts";
import { EVENT_BYTES, monotonicUs, readEvent, STREAM_REQUEST } from "./payload.ts";

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
const ERRORS_MAX = 5;

const [url = "", streamsText, secondsText, pidText] = process.argv.slice(2);
const streamCount = Number(streamsText);
const pid = Number(pidText);

let isMeasuring = false;
let isOver = false;
let events = 0;
let reads = 0;
let flowing = 0;
const allFlow = Promise.withResolvers<void>();
const delaysUs: number[] = [];
const errors: string[] = [];

const requests = Array.from({ length: streamCount }, openStream);
await waitUntilFlowing();
await pause(SETTLE_MS);
const before = readCpu(pid);
const startedAtUs = monotonicUs();
isMeasuring = true;
await pause(Number(secondsText) * 1000);
isMeasuring = false;
const elapsedUs = monotonicUs() - startedAtUs;
const after = readCpu(pid);
isOver = true;
for (const each of requests) each.destroy();

delaysUs.sort((a, b) => a - b);
const report: StreamReport = {
  events,
  reads,
  userUs: after.userUs - before.userUs,
  systemUs: after.systemUs - before.systemUs,
  elapsedUs,
  p50Ms: quantile(delaysUs, 0.5) / 1000,
  p99Ms: quantile(delaysUs, 0.99) / 1000,
  errors: errors.join("; "),
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());

function openStream(): ClientRequest {
  let sequence = 0;
  let rest = "";
  const headers = { "content-type": "application/json", "content-length": STREAM_REQUEST.length };
  const outgoing = request(url, { agent: false, method: "POST", headers }, (response) => {
    if (response.statusCode !== 200) note(`status ${response.statusCode}`);
    response.setEncoding("latin1");
    response.on("data", (chunk: string) => {
      rest += chunk;
      let at = 0;
      for (; rest.length - at >= EVENT_BYTES; at += EVENT_BYTES) {
        const event = readEvent(rest.slice(at, at + EVENT_BYTES));
        if (event?.sequence !== sequence + 1) note(`event ${event?.sequence ?? "broken"} after ${sequence}`);
        if (sequence++ === 0 && ++flowing === streamCount) allFlow.resolve();
        if (!isMeasuring || event === undefined) continue;
        events++;
        delaysUs.push(monotonicUs() - event.sentAtUs);
      }
      rest = rest.slice(at);
    });
    response.on("close", () => note("a stream ended early"));
    response.on("error", (error) => note(error.message));
  });
  outgoing.on("socket", (socket) => {
    socket.on("data", () => {
      if (isMeasuring) reads++;
    });
  });
  outgoing.on("error", (error) => note(error.message));
  outgoing.end(STREAM_REQUEST);
  return outgoing;
}

async function waitUntilFlowing(): Promise<void> {
  await Promise.race([allFlow.promise, pause(FLOWING_MS_MAX)]);
  if (flowing < streamCount) note(`${flowing} of ${streamCount} streams flow after ${FLOWING_MS_MAX} ms`);
}

function note(error: string): void {
  if (!isOver && errors.length < ERRORS_MAX) errors.push(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
