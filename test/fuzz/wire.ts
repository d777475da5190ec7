// One connection of a target that listens: what is sent, and what must come back.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { within } from "../fixtures/until.ts";
import { type Message, readStream } from "./stream.ts";

/**
 * Sends latin1 `bytes` in pieces that end at `cuts` and returns all that comes until the close. Its own side it
 * ends when every whole request has its answer: a client that leaves before is another matter.
 */
export async function exchange(port: number, bytes: string, cuts: readonly number[]): Promise<string> {
  const asked = askedIn(bytes);
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
  let received = "";
  const endWhenAnswered = (): void => {
    if (collect(received, asked).answers.length >= asked.whole) socket.end();
  };
  socket.on("data", (data) => {
    received += data.toString("latin1");
    // It would go on forever.
    if (received.includes(EVENT_STREAM)) socket.destroy();
    else if (isSent) endWhenAnswered();
  });
  socket.on("end", () => socket.end());
  socket.on("error", () => {});
  const closed = once(socket, "close").catch(() => {});
  let from = 0;
  let isSent = false;
  for (const to of [...cuts, bytes.length]) {
    socket.write(Buffer.from(bytes.slice(from, to), "latin1"));
    from = to;
    if (cuts.length > 0) await turn();
  }
  isSent = true;
  endWhenAnswered();
  try {
    await within(closed, () => `the end of a connection; received ${JSON.stringify(received.slice(-300))}`);
  } finally {
    socket.destroy();
  }
  return received;
}

/**
 * The final answers to `sent`, read by our own strict parser; a stream of events is none. Throws where
 * `received` is anything but whole answers.
 */
export function answersIn(received: string, sent: string): Message[] {
  const { answers, rest, code } = collect(received, askedIn(sent));
  assert.equal(rest, "", `not HTTP: ${code ?? "cut off"}`);
  return answers;
}

/**
 * Whether `sent` ends in the middle of a request's body, or goes on behind an offer to switch protocols: its
 * last request may have an answer or not.
 */
export function isCutOff(sent: string): boolean {
  const { methods, whole } = askedIn(sent);
  return methods.at(-1) !== "" || methods.length - 1 > whole;
}

interface Asked {
  /** One for each request that has begun. */
  readonly methods: readonly string[];
  /** Requests that are complete. */
  readonly whole: number;
}

function askedIn(sent: string): Asked {
  const { messages, begun } = readStream(sent, { isResponse: false, method: "" }, DEFAULT_LIMITS, []);
  // What is behind a request that may switch protocols is held, and may never be read as one.
  const upgrade = messages.findIndex(offersProtocol);
  const lines = [...messages.map(({ startLine }) => startLine), begun ?? ""];
  return {
    methods: lines.map((line) => line.split(" ", 1)[0]!),
    whole: upgrade < 0 ? messages.length : upgrade + 1,
  };
}

function offersProtocol({ fields }: Message): boolean {
  const has = (name: RegExp, value: RegExp): boolean =>
    fields.some((field) => name.test(field[0]) && value.test(field[1]));
  return has(/^upgrade$/i, /./) && has(/^connection$/i, /(?:^|[\s,])upgrade(?:$|[\s,])/i);
}

function collect(
  received: string,
  { methods }: Asked,
): { answers: Message[]; rest: string; code: string | null } {
  const answers: Message[] = [];
  let rest = beforeEvents(received);
  while (rest !== "") {
    const side = { isResponse: true, method: methods[answers.length] ?? "" };
    const { messages, code } = readStream(rest, side, DEFAULT_LIMITS, []);
    const [first] = messages;
    if (first === undefined) return { answers, rest, code };
    if (!INTERIM.test(first.startLine)) answers.push(first);
    rest = rest.slice(first.end);
  }
  return { answers, rest, code: null };
}

function beforeEvents(received: string): string {
  const at = received.indexOf(EVENT_STREAM);
  return at < 0 ? received : received.slice(0, received.lastIndexOf("HTTP/1.1 ", at));
}

/** Status of an answer. */
export function statusOf({ startLine }: Message): number {
  return Number(startLine.slice(9, 12));
}

const INTERIM = /^HTTP\/1\.1 1(?!01)/;
const EVENT_STREAM = "content-type: text/event-stream";
