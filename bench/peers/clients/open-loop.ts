/**
 * An open-loop client, a program of its own: `node open-loop.ts URL RATE SECONDS`. Small GETs at the random
 * times of a Poisson process, whether or not earlier ones were answered: what a request waits for because
 * others are slow counts. Prints one line of JSON: an {@link OpenLoopReport}.
 */
import { connect, type Socket } from "node:net";
import { constants, setPriority } from "node:os";

import { quantile } from "../../measure/statistics.ts";
import { monotonicUs, SMALL_BODY } from "../payload.ts";
import { Complaints, finish } from "./client.ts";

/** Times from when this client let a request go, even if it then waited for a connection. */
export interface OpenLoopReport {
  requests: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  /** How late this client let them go itself: about as late it may have read the answers. */
  lateP99Ms: number;
  errors: string;
}

const CONNECTIONS_FIRST = 64;
/** A proxy that falls behind gets this many at a time; the others wait in here, and their time counts. */
const CONNECTIONS_MAX = 1024;
const SETTLE_MS = 300;
const DRAIN_MS = 5000;
const SLEEP_US = 1500;

const [url = "", rateText, secondsText] = process.argv.slice(2);
const meanGapUs = 1e6 / Number(rateText);
const { port, host } = new URL(url);
const REQUEST = Buffer.from(`GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
const complaints = new Complaints();
const idle: Connection[] = [];
const all: Connection[] = [];
const waitingSinceUs: number[] = [];
let waitingAt = 0;
const latenciesUs: number[] = [];
const latesUs: number[] = [];

interface Connection {
  socket: Socket;
  /** When its request was let go; 0: it has none. */
  sinceUs: number;
  text: string;
}

// The backends share this core: they come first, for this client's waiting is busy.
setPriority(constants.priority.PRIORITY_LOW);
for (let i = 0; i < CONNECTIONS_FIRST; i++) idle.push(open());
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
const endsAtUs = monotonicUs() + Number(secondsText) * 1e6;
let nextDueUs = monotonicUs();
let endDrainUs = Number.POSITIVE_INFINITY;
tick();

/** Sends all that is due. Sleeps only when the next is far: a timer is a millisecond late. */
function tick(): void {
  let nowUs = monotonicUs();
  while (nextDueUs <= nowUs && nextDueUs < endsAtUs) {
    latesUs.push(nowUs - nextDueUs);
    send(nowUs);
    nowUs = monotonicUs();
    nextDueUs += -Math.log(1 - Math.random()) * meanGapUs;
  }
  if (nextDueUs < endsAtUs) {
    if (nextDueUs - nowUs > SLEEP_US) setTimeout(tick, 1);
    else setImmediate(tick);
    return;
  }
  endDrainUs = Math.min(endDrainUs, nowUs + DRAIN_MS * 1000);
  const open =
    all.filter((connection) => connection.sinceUs !== 0).length + waitingSinceUs.length - waitingAt;
  if (open > 0 && nowUs < endDrainUs && complaints.toString() === "") setTimeout(tick, 10);
  else end(open);
}

function send(sinceUs: number): void {
  const connection = idle.pop() ?? (all.length < CONNECTIONS_MAX ? open() : undefined);
  if (connection === undefined) {
    waitingSinceUs.push(sinceUs);
    return;
  }
  connection.sinceUs = sinceUs;
  connection.socket.write(REQUEST);
}

function open(): Connection {
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
  const connection: Connection = { socket, sinceUs: 0, text: "" };
  all.push(connection);
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    connection.text += chunk;
    if (!connection.text.endsWith(SMALL_BODY)) return;
    if (!connection.text.startsWith("HTTP/1.1 200")) complaints.add(connection.text.slice(0, 100));
    connection.text = "";
    latenciesUs.push(monotonicUs() - connection.sinceUs);
    connection.sinceUs = 0;
    idle.push(connection);
    if (waitingAt < waitingSinceUs.length) send(waitingSinceUs[waitingAt++]!);
  });
  socket.on("error", (error) => complaints.add(error.message));
  socket.on("close", () => complaints.add("a connection was closed"));
  return connection;
}

function end(unanswered: number): void {
  if (unanswered > 0) complaints.add(`${unanswered} requests without an answer`);
  complaints.isOver = true;
  latenciesUs.sort((a, b) => a - b);
  latesUs.sort((a, b) => a - b);
  const ms = (sorted: number[], share: number): number => quantile(sorted, share) / 1000;
  const report: OpenLoopReport = {
    requests: latenciesUs.length,
    p50Ms: ms(latenciesUs, 0.5),
    p99Ms: ms(latenciesUs, 0.99),
    p999Ms: ms(latenciesUs, 0.999),
    lateP99Ms: ms(latesUs, 0.99),
    errors: complaints.toString(),
  };
  finish(report);
}
