/**
 * Clients that stay, a program of its own: `node hold.ts URL COUNT KIND PID`. Opens connections, with one
 * answered GET on each (`idle`) or a stream of which one event has come (`streams`), and prints one line of
 * JSON: a {@link HoldReport} on the memory of process PID before them and with them.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

import { readRssMb } from "../../measure/cpu.ts";
import { SMALL_BODY, streamRequest } from "../payload.ts";
import { Complaints, finish } from "./client.ts";

/** Resident megabytes of the proxy. */
export interface HoldReport {
  beforeMb: number;
  withMb: number;
  errors: string;
}

/** So many are being opened at a time. */
const OPENING_MAX = 32;
const ANSWER_MS = 5000;
const SETTLE_MS = 1500;
/** Events go on while the memory is read, but hardly. */
const EVENT_EVERY_US = 20_000_000;

const [url = "", countText, kind, pidText] = process.argv.slice(2);
const count = Number(countText);
const pid = Number(pidText);
const { port, host } = new URL(url);
const complaints = new Complaints();
const wanted = kind === "idle" ? askForPage() : askForStream();
const held: Socket[] = [];
let left = count;

const beforeMb = readRssMb(pid);
await Promise.all(Array.from({ length: OPENING_MAX }, openSome));
await pause(SETTLE_MS);
const withMb = readRssMb(pid);
complaints.isOver = true;
for (const socket of held) socket.destroy();
const report: HoldReport = { beforeMb, withMb, errors: complaints.toString() };
finish(report);

async function openSome(): Promise<void> {
  while (left-- > 0 && complaints.toString() === "") await openOne();
}

/** Resolves when what marks the answer has come. */
function openOne(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
  held.push(socket);
  let text = "";
  socket.setEncoding("latin1");
  socket.setTimeout(ANSWER_MS, () => fail(`no answer within ${ANSWER_MS} ms`));
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (!text.includes(wanted.mark)) return;
    if (!text.startsWith("HTTP/1.1 200")) fail(text.slice(0, 100));
    socket.setTimeout(0);
    socket.removeAllListeners("data");
    socket.resume();
    resolve();
  });
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => fail("a held connection was closed"));
  socket.write(wanted.request);
  return promise;

  function fail(text: string): void {
    complaints.add(text);
    resolve();
  }
}

function askForPage(): { request: string; mark: string } {
  return { request: `GET / HTTP/1.1\r\nhost: ${host}\r\n\r\n`, mark: SMALL_BODY };
}

function askForStream(): { request: string; mark: string } {
  const body = streamRequest({ events: 0, everyUs: EVENT_EVERY_US });
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    `host: ${host}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
  ];
  return { request: `${head.join("\r\n")}\r\n\r\n${body}`, mark: "data: " };
}
