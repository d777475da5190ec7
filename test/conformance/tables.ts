// Tables of messages that are refused or accepted, by rule. Each row is one test: on the parser, whole and
// byte by byte, then over sockets through a running Evener with a backend behind it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { RequestHead, ResponseHead } from "../../src/http1/head.ts";
import { FAILED, NEED_MORE, RequestParser, ResponseParser } from "../../src/http1/parser.ts";
import { RawClient } from "../fixtures/client.ts";
import { type Scene, setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

/** Rule, head, status. */
export type RefusedRequest = readonly [rule: string, text: string, status: number];
/** Rule, head, what it must give. */
export type AcceptedRequest = readonly [rule: string, text: string, expected: Partial<RequestHead>];
/** Rule, head; all are 502. */
export type RefusedResponse = readonly [rule: string, text: string];
/** Rule, method of the request, head, what it must give. */
export type AcceptedResponse = readonly [
  rule: string,
  method: string,
  text: string,
  expected: Partial<ResponseHead>,
];

const SENTINEL = "GET /sentinel HTTP/1.1\r\nHost: a\r\n\r\n";

/** Answered with that status and closed; what follows is not read, and no backend sees anything. */
export function refuseRequests(rows: readonly RefusedRequest[]): void {
  describe("refused requests", () => {
    const scene = sharedScene();
    for (const [rule, text, status] of rows) {
      test(rule, async () => {
        for (const parser of refusals(text, () => new RequestParser())) {
          assert.equal(parser.error?.status, status, parser.error?.code);
          assert.equal(parser.parse(Buffer.from(SENTINEL), 0), FAILED, "stays failed");
        }
        const { backend, evener } = scene();
        backend.requests.length = 0;
        const client = await RawClient.connect(evener.port);
        client.send(text + SENTINEL);
        const response = await client.response();
        assert.equal(response.status, status);
        assert.equal(response.headers.get("connection"), "close");
        await client.closed();
        client.destroy();
        assert.equal(client.received, "", "one answer, and no other behind it");
        assert.equal(backend.requests.length, 0);
      });
    }
  });
}

/** The backend gets method and target as they were read; CONNECT is read, but not served. */
export function acceptRequests(rows: readonly AcceptedRequest[]): void {
  describe("accepted requests", () => {
    const scene = sharedScene();
    for (const [rule, text, expected] of rows) {
      test(rule, async () => {
        const heads = acceptances(text, () => new RequestParser());
        for (const head of heads) assertHas(head, expected);
        const { backend, evener } = scene();
        backend.requests.length = 0;
        const client = await RawClient.connect(evener.port);
        client.send(text);
        const { method, originTarget } = heads[0]!;
        if (method === "CONNECT") assert.equal((await client.response()).status, 405);
        else {
          const request = await backend.request(0);
          assert.deepEqual([request.method, request.target], [method, originTarget]);
          assert.ok((await client.until(/\r\n\r\n/)).startsWith("HTTP/1.1 200 OK\r\n"));
        }
        client.destroy();
      });
    }
  });
}

/** The client gets a 502, and the backend's connection is closed. */
export function refuseResponses(rows: readonly RefusedResponse[]): void {
  describe("refused responses", () => {
    const scene = sharedScene();
    for (const [rule, text] of rows) {
      test(rule, async () => {
        for (const parser of refusals(text, () => new ResponseParser())) {
          assert.equal(parser.error?.status, 502);
        }
        const { backend, evener } = scene();
        backend.requests.length = 0;
        backend.handler = (request): void => {
          if (request.target === "/sentinel") request.respond(200, "sentinel");
          else request.write(text);
        };
        const client = await RawClient.connect(evener.port);
        client.send(`POST / HTTP/1.1\r\nHost: a\r\n\r\n${SENTINEL}`);
        assert.equal((await client.response()).status, 502);
        await backend.requests[0]!.closed;
        assert.equal((await client.response()).body, "sentinel");
        client.destroy();
      });
    }
  });
}

/** The client gets the status; interim ones and answers to CONNECT are left to the parser's part. */
export function acceptResponses(rows: readonly AcceptedResponse[]): void {
  describe("accepted responses", () => {
    const scene = sharedScene();
    for (const [rule, requestMethod, text, expected] of rows) {
      test(rule, async () => {
        const create = (): ResponseParser => Object.assign(new ResponseParser(), { requestMethod });
        const heads = acceptances(text, create);
        for (const head of heads) assertHas(head, expected);
        const { status } = heads[0]!;
        if (status < 200 || requestMethod === "CONNECT") return;
        const { backend, evener } = scene();
        backend.requests.length = 0;
        backend.handler = (request): void => request.write(text);
        const client = await RawClient.connect(evener.port);
        client.send(`${requestMethod} / HTTP/1.1\r\nHost: a\r\n\r\n`);
        assert.ok((await client.until("\r\n\r\n")).startsWith(`HTTP/1.1 ${status} `));
        client.destroy();
        for (const request of backend.requests) request.reset();
        await until(() => backend.sockets.size === 0, "the backend's connections to close");
      });
    }
  });
}

/** One Evener with one backend for all tests of a suite. */
function sharedScene(): () => Scene {
  let scene: Scene | null = null;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    scene = await setUp({ after: (end) => ends.push(end) });
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return () => scene!;
}

type AnyParser = RequestParser | ResponseParser;

/** Parsers that have seen the text whole, and byte by byte: all must have failed, for the same reason. */
function refusals<P extends AnyParser>(text: string, create: () => P): P[] {
  const bytes = Buffer.from(text, "latin1");
  const whole = create();
  assert.equal(whole.parse(bytes, 0), FAILED);
  const dripped = create();
  let last = NEED_MORE;
  for (let i = 0; i < bytes.length && last === NEED_MORE; i++)
    last = dripped.parse(bytes.subarray(i, i + 1), 0);
  assert.equal(last, FAILED);
  assert.equal(dripped.error?.code, whole.error?.code);
  return [whole, dripped];
}

function acceptances<P extends AnyParser>(text: string, create: () => P): P["head"][] {
  const bytes = Buffer.from(text, "latin1");
  const whole = create();
  assert.equal(whole.parse(bytes, 0), bytes.length, whole.error?.code);
  const dripped = create();
  for (let i = 0; i < bytes.length; i++) {
    const expected = i === bytes.length - 1 ? 1 : NEED_MORE;
    assert.equal(dripped.parse(bytes.subarray(i, i + 1), 0), expected, dripped.error?.code);
  }
  const again = create();
  for (let i = 0; i < 2; i++) assert.equal(again.parse(bytes, 0), bytes.length, "twice on one connection");
  return [whole.head, dripped.head, again.head];
}

function assertHas(head: RequestHead | ResponseHead, expected: object): void {
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual((head as unknown as Record<string, unknown>)[key], value, key);
  }
}
