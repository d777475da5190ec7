// Answers of backends are judged as strictly as requests (CVE class 4): a generated corpus that is read
// twice, by Evener and by corpus/reference.ts. The client gets what was answered, a 502, or an end that it
// can not take for a whole answer; never a second answer, and the next request is not touched.
import assert from "node:assert/strict";
import type net from "node:net";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Random } from "../../src/core/kit/random.ts";
import { startEvener } from "../fixtures/evener.ts";
import { rawRequest } from "../fixtures/client.ts";
import { setUp, yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";
import { readResponse, statusOf } from "./corpus/reference.ts";
import { type ResponseCase, responseCorpus } from "./corpus/responses.ts";
import { cut, exchange, type Received, RecordingBackend } from "./corpus/wire.ts";

const MUTATIONS = 1000;
/** As in src/proxy/upstream.ts; one more is a flood. */
const INTERIMS_MAX = 16;

describe("the corpus of answers", () => {
  const seed = Number(process.env["EVENER_CORPUS_SEED"] ?? 20_260_801);
  const cases = responseCorpus(new Random(seed), MUTATIONS);

  it(`${cases.length} answers: the client gets them whole, as 502 or visibly broken (seed ${seed})`, async (t) => {
    const random = new Random(seed);
    const backend = new RecordingBackend(({ method, target }, socket) => {
      const number = Number(target.split("/")[2]);
      if (target.startsWith("/sentinel/")) return answerSentinel(target, socket);
      assert.equal(method, cases[number]!.method);
      void answerCase(cases[number]!, socket, random);
    });
    await backend.listen();
    const calm = { health: "off", outlier: "off", slowdown: "off" };
    const pools = { default: { ...calm, backends: [`http://127.0.0.1:${backend.port}`] } };
    // Sent once, whatever happens: a case is answered by its own bytes, or not at all.
    const routes = [{ match: { path: "/" }, pool: "default", replay: "never" }];
    const evener = await startEvener(yamlOf({ pools, routes }));
    t.after(async () => {
      await evener.stop();
      backend.close();
    });
    const expectedLog: string[] = [];
    const counts = { whole: 0, refused: 0, broken: 0 };
    for (const [number, each] of cases.entries()) {
      const isOld = random.below(8) === 0;
      const bytes = JSON.stringify(each.bytes.slice(0, 3000));
      const label = `EVENER_CORPUS_SEED=${seed}, case ${number}${isOld ? " to 1.0" : ""}, ${each.name}: ${bytes}`;
      const prediction = predict(each);
      const received = await exchange(evener.port, [requestsOf(each.method, number, isOld)], label);
      checkAnswer(received, each.method, prediction, isOld ? "" : `GET /sentinel/${number}`, label);
      counts[prediction.kind]++;
      expectedLog.push(`/answer/${number} ${prediction.kind}`);
      if (!isOld && prediction.kind !== "broken") expectedLog.push(`/sentinel/${number} whole`);
    }
    assert.deepEqual(backend.violations, []);
    await evener.idle();
    await until(
      () => backend.connections <= 1,
      () => `all connections but an idle one to close; there are ${backend.connections}`,
    );
    await until(
      () => evener.log.length >= expectedLog.length,
      () => `the log; it has ${evener.log.length} lines`,
    );
    assert.deepEqual(
      evener.log.map(({ target, reason }) => `${target} ${KINDS[reason]}`),
      expectedLog,
    );
    for (const [kind, count] of Object.entries(counts)) assert.ok(count > 100, `${kind}: ${count}`);
  });
});

describe("answers that do not come to an end", () => {
  it("a head that drips in has no more time than timeouts.first_byte: 504", async (t) => {
    const scene = await setUp(t, {
      pool: { timeouts: { first_byte: "300ms" }, retry: "off" },
      handler: (request) => {
        request.write("HTTP/1.1 200 OK\r\n");
        const drip = setInterval(() => request.write("x-a: b\r\n"), 20);
        void request.closed.then(() => clearInterval(drip));
      },
    });
    const client = await scene.connect();
    client.send(rawRequest("POST /"));
    assert.equal((await client.response()).status, 504);
    await scene.backend.requests[0]!.closed;
  });
});

/** What the reason in the log says about the answer. */
const KINDS: Readonly<Record<string, Prediction["kind"]>> = {
  ok: "whole",
  backend_protocol: "refused",
  backend_reset: "refused",
  backend_died: "broken",
};

/** Statuses of the interim responses that are passed on; then the answer, a 502, or an end in its middle. */
interface Prediction {
  readonly kind: "whole" | "refused" | "broken";
  readonly interims: readonly number[];
  readonly status: number;
  readonly body: string;
  /** Bytes follow the answer. */
  readonly hasMore: boolean;
  /** The backend must close for the answer to have an end. */
  readonly needsEnd: boolean;
}

function predict({ bytes, method }: ResponseCase): Prediction {
  const interims: number[] = [];
  let count = 0;
  for (let at = 0; ;) {
    const passed = interims.filter((status) => status !== 100);
    const nothing = { interims: passed, status: 502, body: "", hasMore: false };
    const open = readResponse(bytes, at, method, false);
    const needsEnd = open.kind === "incomplete";
    if (open.kind !== "message" && open.startLine === "") return { ...nothing, kind: "refused", needsEnd };
    const reading = readResponse(bytes, at, method, true);
    const status = statusOf(reading.startLine);
    if (reading.kind !== "message") return { ...nothing, kind: "broken", needsEnd, status };
    if (status >= 200) {
      const hasMore = bytes.length > reading.end;
      return { kind: "whole", interims: passed, status, body: reading.body, hasMore, needsEnd };
    }
    if (status === 101 || ++count > INTERIMS_MAX) return { ...nothing, kind: "refused", needsEnd: false };
    interims.push(status);
    at = reading.end;
  }
}

async function answerCase(each: ResponseCase, socket: net.Socket, random: Random): Promise<void> {
  const { hasMore, needsEnd } = predict(each);
  // Bytes that come later, when the next request is under way, can not be told from its answer.
  const pieces = hasMore ? [each.bytes] : cut(each.bytes, random);
  for (const piece of pieces) {
    socket.write(Buffer.from(piece, "latin1"));
    if (pieces.length > 1) await turn();
  }
  if (needsEnd) socket.end();
}

function answerSentinel(target: string, socket: net.Socket): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\n\r\n${target}`);
}

/** The request of a case and, of a client of today, a pipelined one behind it. */
function requestsOf(method: string, number: number, isOld: boolean): string {
  const body = method === "POST" ? "content-length: 2\r\n\r\nhi" : "\r\n";
  if (isOld) return `${method} /answer/${number} HTTP/1.0\r\n${body}`;
  const sentinel = `GET /sentinel/${number} HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n`;
  return `${method} /answer/${number} HTTP/1.1\r\nhost: a\r\n${body}${sentinel}`;
}

/** `sentinel` is the line of the request that follows; "": the client speaks HTTP/1.0, and none follows. */
function checkAnswer(
  received: Received,
  method: string,
  it: Prediction,
  sentinel: string,
  label: string,
): void {
  const { text, error } = received;
  const isOld = sentinel === "";
  let at = 0;
  for (const status of isOld ? [] : it.interims) {
    const interim = readResponse(text, at, method, false);
    assert.ok(interim.kind === "message", `no interim ${status}: ${JSON.stringify(text)}\n${label}`);
    assert.equal(statusOf(interim.startLine), status, label);
    at = interim.end;
  }
  const answer = readResponse(text, at, method, isOld && error === "");
  if (it.kind === "broken") {
    assert.notEqual(
      answer.kind,
      "message",
      `the client takes it for whole: ${JSON.stringify(text)}\n${label}`,
    );
    return;
  }
  assert.ok(answer.kind === "message", `${answer.kind} ${error}: ${JSON.stringify(text)}\n${label}`);
  assert.equal(statusOf(answer.startLine), it.status, label);
  if (it.kind === "whole") assert.equal(answer.body, it.body, label);
  at = answer.end;
  if (!isOld) {
    const next = readResponse(text, at, "GET", false);
    assert.ok(next.kind === "message", `no sentinel: ${JSON.stringify(text)}\n${label}`);
    assert.equal(next.body, sentinel.split(" ")[1], label);
    at = next.end;
  }
  assert.equal(text.slice(at), "", `nothing behind the last answer: ${label}`);
  assert.equal(error, "", label);
}
