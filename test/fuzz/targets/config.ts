// The configuration: any text is a Config, or a ConfigError with a place in the file for each problem.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stringify } from "yaml";
import { diffConfigs } from "../../../src/config/diff.ts";
import { type JsonNode, structure } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError, formatProblem, PROBLEMS_MAX } from "../../../src/config/problem.ts";
import type { Config } from "../../../src/config/config.ts";
import type { Random } from "../../../src/core/kit/random.ts";
import { ERRORS } from "../../../src/errors.ts";
import { mutated, once, pick } from "../mutation.ts";
import type { Target } from "../target.ts";

/** `parseConfig`. */
export const config: Target = {
  name: "config",
  about: "the configuration file",
  isText: true,
  make,
  check: (input) => {
    const result = parse(input);
    if (!(result instanceof ConfigError)) {
      assert.deepEqual(parse(input), result, "the same twice");
      assert.equal(
        diffConfigs(result, parse(input) as Config).text,
        diffConfigs(result, result).text,
        "no change",
      );
      return "a configuration";
    }
    checkProblems(input, result);
    // Where the text is not mutated, secrets stand where they belong, though in the wrong shape.
    if (input.startsWith(PLANTED)) assert.doesNotMatch(result.message, SECRETS, "no secret is told");
    const first = result.problems[0]!.message.split(/[,;:"]|found/, 1)[0]!;
    return first.slice(0, 40).replace(/\S*\d\S*/g, "N");
  },
};

function parse(text: string): Config | ConfigError {
  try {
    return parseConfig(text, { path: "/etc/evener.yaml", env: ENVIRONMENT, readFile });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

function readFile(path: string): string {
  if (path.endsWith("secret")) return `${SECRET_OF_FILE}\n`;
  if (path.endsWith("long")) return "y".repeat(70_000);
  throw new Error(`${path}: no such file`);
}

function checkProblems(input: string, { code, message, problems }: ConfigError): void {
  assert(code in ERRORS, "code");
  assert(problems.length > 0 && problems.length <= PROBLEMS_MAX, "problems");
  const lines = input.replace(/^\uFEFF/, "").split("\n");
  const written = problems.map((problem) => formatProblem("/etc/evener.yaml", problem));
  const told = message.split("\n");
  if (told.length > written.length) assert.match(told.pop()!, /: and \d+ more problems$/);
  assert.deepEqual(told, written, "one line a problem");
  for (const { line, column, message: text } of problems) {
    assert.notEqual(text, "", "words");
    assert(line >= 1 && line <= lines.length, "a line of the file");
    assert(column >= 1 && column <= lines[line - 1]!.length + 1, "a column of the line");
    assert.doesNotMatch(text, /\p{Cc}/u, "nothing that a terminal would obey");
  }
}

function make(random: Random): string {
  const isPlanted = once(2, random);
  const file = once(5, random)
    ? pick(EXAMPLES, random)
    : stringify(valueOf(structure(), "", isPlanted, random, 0));
  if (isPlanted) return PLANTED + file;
  if (once(4, random)) return file;
  return mutated(file, EXAMPLES, INSERTS, random);
}

/** Mostly what belongs there; now and then something else. */
function valueOf(node: JsonNode, key: string, isPlanted: boolean, random: Random, depth: number): unknown {
  if (isPlanted && SECRET_KEYS.has(key)) return secretOf(key, random);
  if (depth > DEPTH_MAX || once(30, random)) return wild(random, 0);
  if (node.title !== undefined || node.const !== undefined || node.enum !== undefined) {
    const likely =
      node.default ?? node.const ?? (node.enum === undefined ? undefined : pick(node.enum, random));
    return likely === undefined || once(4, random) ? pick(WORDS, random) : likely;
  }
  const forms = node.anyOf ?? node.oneOf;
  if (forms !== undefined) return valueOf(pick(forms, random), key, isPlanted, random, depth);
  const child = (inner: JsonNode, name: string): unknown =>
    valueOf(inner, name, isPlanted, random, depth + 1);
  if (node.items !== undefined) {
    const { items } = node;
    return Array.from({ length: 1 + random.below(2) }, () => child(items, key));
  }
  if (node.properties !== undefined) return mapOf(node.properties, child, random);
  const named = node.additionalProperties;
  if (typeof named !== "object") return wild(random, 0);
  return Object.fromEntries(
    Array.from({ length: random.below(3) }, () => [pick(NAMES, random), child(named, "")]),
  );
}

function mapOf(
  properties: Readonly<Record<string, JsonNode>>,
  child: (node: JsonNode, key: string) => unknown,
  random: Random,
): Record<string, unknown> {
  const map: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(properties)) {
    const isNeeded = name === "url" || name === "name" || name === "pool" || name === "bind";
    if (!isNeeded && !once(3, random)) continue;
    const typed = once(40, random) ? name.slice(0, random.below(name.length)) : name;
    map[typed] = child(inner, name);
  }
  return map;
}

function wild(random: Random, depth: number): unknown {
  if (depth < 3 && once(5, random))
    return Array.from({ length: random.below(3) }, () => wild(random, depth + 1));
  if (depth < 3 && once(5, random)) return { [pick(NAMES, random)]: wild(random, depth + 1) };
  return pick(WORDS, random);
}

/** Secrets in every shape, right and wrong. */
function secretOf(key: string, random: Random): unknown {
  const text = pick(SECRET_TEXTS, random);
  switch (random.below(8)) {
    case 0:
      return [text, pick(SECRET_TEXTS, random)];
    case 1:
      return { authorization: text, "x-b": pick(SECRET_TEXTS, random) };
    case 2:
      return [[text], { a: text }];
    case 3:
      return { a: { b: text }, c: [text] };
    case 4:
      return SECRET_NUMBER;
    case 5:
      return { [key]: text };
    default:
      return key === "session_keys" ? [text] : key === "headers" ? { authorization: text } : text;
  }
}

const PLANTED = "# secrets are planted\n";
const SECRET_OF_FILE = "hidden-in-a-file";
const SECRET_NUMBER = 918_273_645;
const ENVIRONMENT = { X: "1", HOST: "a.example", SECRET: "hidden-in-the-environment" };
const SECRETS = /hidden|918273645/;
const SECRET_KEYS: ReadonlySet<string> = new Set(["token", "session_keys", "headers"]);
const SECRET_TEXTS: readonly unknown[] = [
  "hidden",
  "hidden-of-enough-length-for-a-key",
  "hidden\r\nx: y",
  "hidden\u0000",
  "hidd\u00e9n hidden",
  "hidden: a",
  "${SECRET}",
  "a${SECRET}",
  "${SECRET} ${MISSING}",
  "hidden".repeat(2000),
  "hidden${",
  " hidden ",
  { file: "secret" },
  { file: "missing" },
  { file: "long" },
  SECRET_NUMBER,
];
const WORDS: readonly unknown[] = [
  "off",
  "auto",
  "8080",
  "2s",
  "20%",
  "1MiB",
  "cookie",
  "a",
  "default",
  "",
  "/",
  "/a",
  "GET",
  "200-299",
  "http://a:1",
  "http://127.0.0.1:8000",
  "127.0.0.1:0",
  "[::1]:9",
  "10.0.0.0/8",
  "header:x",
  "${X}",
  "${Y}",
  "$${",
  "1.5h",
  "-1s",
  "1e9s",
  "99999999999999999999",
  "a\nb",
  "\u001b[31m",
  "\u2028",
  "\ud800",
  "__proto__",
  "x".repeat(300),
  0,
  1,
  -1,
  1.5,
  65_535,
  65_536,
  1e21,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  false,
  null,
  { file: "secret" },
  { file: "missing" },
  { file: 1 },
];
const NAMES = [
  "default",
  "a",
  "b",
  "name",
  "pool",
  "__proto__",
  "constructor",
  "x-a",
  "",
  "1",
  "a\nb",
  "toString",
  "a.b",
];
const EXAMPLES = ["minimal", "full", "websocket"].map((name) =>
  readFileSync(new URL(`../../../examples/${name}/evener.yaml`, import.meta.url), "utf8"),
);
const INSERTS = [
  "\n",
  "  ",
  "- ",
  ": ",
  "[",
  "]",
  "{",
  "}",
  "&a ",
  "*a",
  "${X}",
  "${",
  "'",
  '"',
  "#",
  "|\n",
  ">\n",
  "!x ",
  "!!binary ",
  "\t",
  "? ",
  "---\n",
  "...\n",
  "%YAML 1.2\n",
  "<<: *a\n",
  "\r",
  "\0",
  "\ufeff",
  "\u2028",
  "\ud800",
  "a: 1\n",
  ",",
  "[".repeat(50),
  "{a: ".repeat(50),
  "- ".repeat(50),
  "0x1F",
  "1_000",
  "~",
  "null",
  "__proto__: 1\n",
  "\x1b[0m",
];
const DEPTH_MAX = 8;
