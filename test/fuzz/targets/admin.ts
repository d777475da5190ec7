// The admin listener, with a token: whatever comes, it answers, and only the token changes anything.
import assert from "node:assert/strict";
import { type Admin, startAdmin } from "../../../src/admin/admin.ts";
import { ENDPOINTS } from "../../../src/admin/routes.ts";
import { hashText } from "../../../src/core/kit/hash.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { Deadlines } from "../../../src/http1/deadlines.ts";
import { FakeSource } from "../../unit/admin/fake-source.ts";
import { cutsOf, mutated, once, pick } from "../mutation.ts";
import { INSERTS, type Parts, requestOf, STREAMS } from "../requests.ts";
import type { Target } from "../target.ts";
import { answersIn, exchange, statusOf } from "../wire.ts";

/** A listener of its own, before pools of its own. */
export const admin: Target = {
  name: "admin",
  about: "the admin listener, with and without its token",
  make,
  check,
  open: async () => {
    scene = await begin();
  },
  close: async () => {
    await scene?.admin.close();
    scene?.deadlines.close();
    scene = null;
  },
};

interface Scene {
  readonly source: FakeSource;
  readonly admin: Admin;
  readonly deadlines: Deadlines;
  readonly changes: string[];
  readonly mistakes: unknown[];
}

let scene: Scene | null = null;

async function begin(): Promise<Scene> {
  const source = new FakeSource();
  source.add(POOL, [BACKEND, "b<i>"]);
  source.add("a/b", ["127.0.0.1:1"]);
  const deadlines = new Deadlines();
  const changes: string[] = [];
  const mistakes: unknown[] = [];
  const started = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    token: TOKEN,
    source,
    deadlines,
    onChange: (who, what) => changes.push(`${who}: ${what}`),
    onMistake: (error) => mistakes.push(error),
  });
  return { source, admin: started, deadlines, changes, mistakes };
}

async function check(input: string): Promise<string> {
  const { source, admin: listener, changes, mistakes } = scene!;
  reset(scene!);
  const before = stateOf(source);
  const random = new Random(hashText(input));
  const received = await exchange(listener.port, input, once(3, random) ? cutsOf(input.length, random) : []);
  assert.deepEqual(mistakes, [], "a mistake of ours");
  const statuses = answersIn(received, input).map(statusOf);
  for (const status of statuses) assert(status < 500 || PARSER_STATUSES.has(status), `an answer ${status}`);
  assert(!received.includes(TOKEN) || input.includes(TOKEN), "the token is told");
  const after = stateOf(source);
  if (!showsToken(input)) {
    assert.deepEqual([after, changes], [before, []], "changed without the token");
    assert(!received.includes(BACKEND) && !received.includes("b<i>"), "a backend is named without the token");
  }
  assert(
    after.operator === before.operator || changes.length > 0,
    "a change without a line in the audit log",
  );
  for (const line of changes) assert.match(line, /^[ -~]*$/, "an audit line");
  if (!statuses.includes(200)) assert.deepEqual(after, before, "changed by what was refused");
  const reported = after.vitals === before.vitals ? "" : "reported ";
  return `${changes.length > 0 ? "changed " : ""}${reported}${[...new Set(statuses)].sort((a, b) => a - b).join(" ")}`;
}

function showsToken(input: string): boolean {
  if (input.replaceAll(LONGER_TOKEN, "").includes(TOKEN)) return true;
  // As a password, whoever the user is.
  const words = input.match(/[A-Za-z0-9+/]{8,}={0,2}/g) ?? [];
  return words.some((word) => Buffer.from(word, "base64").toString("latin1").endsWith(TOKEN));
}

/** As if nothing had been asked yet. */
function reset({ source, changes, mistakes }: Scene): void {
  changes.length = 0;
  mistakes.length = 0;
  for (const { pool } of source.list) {
    for (const endpoint of pool.members.list) {
      endpoint.weightOverride = null;
      endpoint.limitOverride = null;
      pool.wish(endpoint.id, "ready");
      pool.reported(endpoint, Number.NaN, Number.NaN, Number.NaN);
    }
  }
}

/** What can be changed from outside. */
function stateOf({ list, ledger }: FakeSource): { operator: string; vitals: string } {
  const endpoints = list.flatMap(({ pool }) => pool.members.list);
  return {
    operator: JSON.stringify(
      endpoints.map(({ weightOverride, limitOverride, health }) => [
        weightOverride,
        limitOverride,
        health.operator,
      ]),
    ),
    vitals: JSON.stringify(
      endpoints.map(({ slot }) => [ledger.cpu[slot], ledger.memory[slot], ledger.gpu[slot]]),
    ),
  };
}

function make(random: Random): string {
  // Half of the connections do not know the token at all.
  const parts = once(2, random) ? PARTS : WITH_TOKEN;
  let text = requestOf(parts, random);
  while (once(4, random)) text += requestOf(parts, random);
  if (once(12, random)) text = pick(STREAMS, random);
  return once(2, random) ? text : mutated(text, STREAMS, INSERTS, random);
}

const TOKEN = "0123456789abcdef-token";
const LONGER_TOKEN = `${TOKEN}x`;
const BASIC = Buffer.from(`any:${TOKEN}`).toString("base64");
const POOL = "chat";
const BACKEND = "127.0.0.1:8000";
/** What the parser answers to what it does not serve. */
const PARSER_STATUSES: ReadonlySet<number> = new Set([501, 505]);

const BACKEND_PATH = `/api/v1/pools/${POOL}/backends/${BACKEND}`;
const PARTS: Parts = {
  methods: ["GET", "GET", "PUT", "PUT", "PUT", "HEAD", "POST", "DELETE", "OPTIONS", "get", "CONNECT"],
  targets: [
    ...ENDPOINTS.map(({ path }) => path.replace("{pool}", POOL).replace("{id}", BACKEND)),
    ...Array.from({ length: 12 }, () => BACKEND_PATH),
    `${BACKEND_PATH}/vitals`,
    `${BACKEND_PATH}/vitals`,
    "/api/v1/pools/a%2Fb/backends/127.0.0.1:1",
    "/api/v1/pools/a%2fb",
    "/api/v1/pools/chat/backends/b%3Ci%3E",
    "/api/v1/pools/%ff",
    "/api/v1/pools/__proto__",
    "/api/v1/events?since=1&max=3",
    "/api/v1/events?since=-1",
    "/api/v1/events?max=%00",
    "//healthz",
    "/healthz?x",
    "http://127.0.0.1/api/v1/pools",
    "*",
    "/../healthz",
    "/healthz/../metrics",
    "/api/v1/pools/chat/backends/",
  ],
  fields: [
    "content-type: application/json",
    "content-type: application/json",
    "Content-Type: text/plain",
    "accept: */*",
    "accept: text/event-stream",
    "last-event-id: 1",
    "last-event-id: 99999999999999999",
    "origin: null",
    "origin: http://a",
    "expect: 100-continue",
    "connection: close",
    "authorization: Bearer",
    "authorization: Basic Og==",
    `authorization: Bearer ${TOKEN.slice(0, -1)}`,
    `authorization: Bearer ${LONGER_TOKEN}`,
    "authorization: Bearer \xff",
    `authorization: Bearer ${TOKEN.toUpperCase()}`,
    `authorization: Basic ${btoa("a:b")}`,
    "authorization: ",
  ],
  bodies: [
    '{"state":"drain"}',
    '{"weight":2}',
    '{"limit":3}',
    '{"state":"down","weight":0.5,"limit":null}',
    '{"cpu":0.5}',
    '{"cpu":1,"memory":0,"gpu":null}',
    '{"weight":-1}',
    '{"weight":1e999}',
    '{"limit":1.5}',
    '{"state":"DRAIN"}',
    "",
    "{}",
    "[]",
    "null",
    "1",
    '"x"',
    "{",
    '{"__proto__":{"state":"drain"}}',
    '{"state":"drain","x":1}',
    '{"gpu":2}',
    '{"weight":2,"weight":3}',
    "\xff",
    `"${"x".repeat(5_000)}"`,
    "[".repeat(10_000),
    '{"constructor":1}',
  ],
};
const JSON_LINE = "\r\ncontent-type: application/json";
const WITH_TOKEN: Parts = {
  ...PARTS,
  fields: PARTS.fields.filter((line) => !/^(?:auth|content)/i.test(line)),
  always: [
    `authorization: Bearer ${TOKEN}${JSON_LINE}`,
    `Authorization: bearer ${TOKEN}`,
    `authorization: Basic ${BASIC}${JSON_LINE}`,
  ],
};
