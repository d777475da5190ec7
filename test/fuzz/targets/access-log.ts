// The access log: whatever clients send, each request is one line of valid JSON.
import assert from "node:assert/strict";
import { hashText } from "../../../src/core/kit/hash.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { AccessLog } from "../../../src/proxy/access-log.ts";
import { END_REASONS } from "../../../src/proxy/pool-stats.ts";
import { type Backend, startBackend } from "../../fixtures/backend.ts";
import { type Evener, startEvener } from "../../fixtures/evener.ts";
import { configOf } from "../../fixtures/scene.ts";
import { cutsOf, mutated, once, pick } from "../mutation.ts";
import { INSERTS, type Parts, requestOf, STREAMS } from "../requests.ts";
import type { Target } from "../target.ts";
import { answersIn, exchange, isCutOff, statusOf } from "../wire.ts";

/** Evener before one backend; its clients are trusted, so that their forwarding fields are logged, too. */
export const accessLog: Target = {
  name: "access-log",
  about: "the lines of the access log",
  make,
  check,
  open: async () => {
    const backend = await startBackend((request) => request.respond(200, "ok"));
    const rest = { trusted_proxies: ["127.0.0.1"], routes: ROUTES };
    scene = { backend, evener: await startEvener(configOf([backend], { retry: "off" }, rest)) };
    // Lines are taken where they are made: the file has them only later.
    AccessLog.prototype.append = (line) => void lines.push(line);
  },
  close: async () => {
    Object.defineProperty(AccessLog.prototype, "append", original);
    await scene?.evener.stop();
    await scene?.backend.stop();
    scene = null;
  },
};

interface Scene {
  readonly backend: Backend;
  readonly evener: Evener;
}

let scene: Scene | null = null;
const lines: string[] = [];
const original = Object.getOwnPropertyDescriptor(AccessLog.prototype, "append")!;

async function check(input: string): Promise<string> {
  const { evener, backend } = scene!;
  lines.length = 0;
  const random = new Random(hashText(input));
  const received = await exchange(evener.port, input, once(3, random) ? cutsOf(input.length, random) : []);
  await evener.idle();
  backend.requests.length = 0;
  const answers = answersIn(received, input).map(statusOf);
  const logged = lines.map(read);
  const statuses = logged.map(({ status }) => status);
  // Whoever closes his side before he has his last answer has left: a line, and no answer.
  if (statuses.at(-1) === 499 && answers.length === statuses.length - 1) statuses.pop();
  // Who leaves in the middle of a body may get an answer or not, and has a line.
  if (isCutOff(input))
    assert(answers.length === statuses.length || answers.length === statuses.length - 1, "lines");
  assert.deepEqual(
    answers,
    isCutOff(input) ? statuses.slice(0, answers.length) : statuses,
    "one line for each answer",
  );
  return [...new Set(logged.map(({ status, reason }) => `${status} ${reason}`))].sort().join(", ");
}

interface Line {
  readonly status: number;
  readonly reason: string;
}

/** A line that is one object, with every key in its kind. */
function read(text: string): Line {
  assert.match(text, /^\{\P{Cc}*\}\n$/u, "one line");
  const line = JSON.parse(text) as Record<string, unknown>;
  const { peer, failed, ...rest } = line;
  assert.deepEqual(Object.keys(rest), Object.keys(KINDS), "keys");
  for (const [key, kind] of Object.entries(KINDS)) {
    const isRight =
      typeof line[key] === kind || (kind === "number" && key.endsWith("_ms") && line[key] === null);
    assert(isRight, `${key} is ${String(line[key])}`);
  }
  for (const optional of [peer, failed])
    assert(optional === undefined || typeof optional === "string", "words");
  assert(
    END_REASONS.some((reason) => reason === line["reason"]),
    `reason ${String(line["reason"])}`,
  );
  assert(!text.includes("s3cret"), "a secret parameter");
  return line as unknown as Line;
}

function make(random: Random): string {
  let text = requestOf(PARTS, random);
  while (once(3, random)) text += requestOf(PARTS, random);
  if (once(6, random)) text = pick(STREAMS, random);
  if (once(2, random)) return text;
  // Mutated, a secret may stand where nothing says that it is one.
  return mutated(text.replaceAll("s3cret", "shown"), STREAMS, INSERTS, random);
}

const ROUTES = [
  { pool: "default" },
  { match: { path: "/fixed" }, answer: { status: 204 } },
  { match: { path: "/moved" }, redirect: { path: "/" } },
];
const KINDS = {
  time: "string",
  id: "string",
  trace: "string",
  client: "string",
  method: "string",
  host: "string",
  target: "string",
  route: "string",
  pool: "string",
  backend: "string",
  why: "string",
  attempts: "number",
  status: "number",
  reason: "string",
  queue_ms: "number",
  connect_ms: "number",
  first_byte_ms: "number",
  total_ms: "number",
  bytes_in: "number",
  bytes_out: "number",
} as const;
const PARTS: Parts = {
  methods: ["GET", "GET", "POST", "HEAD", "OPTIONS", "CONNECT", "TRACE", '"', "M-SEARCH", "'|'"],
  targets: [
    "/",
    "/v1/chat/completions",
    "/fixed",
    "/moved?a=b",
    '/a"b',
    "/a`{|}^[]",
    "/%00",
    "/%22",
    "/..",
    "*",
    "a:1",
    "http://A.example:1/x",
    "/?key=s3cret&q=1",
    "/?api_key=s3cret",
    "/?a=b&Access_Token=s3cret&sig=s3cret",
    "/?=&&=",
    "/?\\",
    "/?password=s3cret&password=s3cret",
    "/a?b?token=shown",
    `/${"y".repeat(3_000)}`,
    "//",
    "/?x='",
  ],
  fields: [
    "x-request-id: a",
    'x-request-id: "',
    "x-request-id: a\\",
    `x-request-id: ${"i".repeat(200)}`,
    "x-request-id: \xff",
    "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    'traceparent: 00-"',
    "traceparent: \\",
    'x-forwarded-for: "',
    "x-forwarded-for: 1.2.3.4, 127.0.0.1",
    'x-forwarded-for: ::1%"',
    "x-forwarded-for: fe80::1%a",
    'forwarded: for="[::1]:1"',
    'forwarded: for="\\""',
    "forwarded: for=_a",
    'x-forwarded-host: a"b',
    "x-real-ip: \\",
    "connection: close",
    "expect: 100-continue",
    "max-forwards: 0",
    "upgrade: x\r\nconnection: upgrade",
    "x: \x80\xff",
  ],
  bodies: ["", "x", '{"model":"a"}', "\0\r\n", "z".repeat(2_000)],
};
