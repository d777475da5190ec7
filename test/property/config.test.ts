import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";
import { stringify } from "yaml";

import { keysAt, structure } from "../../src/config/json-schema.ts";
import type { JsonNode } from "../../src/config/json-schema.ts";
import { parseConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import { editDistance, nearest } from "../../src/config/suggest.ts";

test("whatever the text, it is a configuration or a ConfigError whose places are in the file", () => {
  const pieces = [
    "listen",
    "pools",
    ": ",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "${X}",
    "'",
    '"',
    "#",
    "|",
    "!x ",
  ];
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 60 })
      .map((parts) => parts.join("")),
  );
  fc.assert(fc.property(text, refusesCleanly), { numRuns: 2000 });
});

test("whatever the values, it is a configuration or a ConfigError", () => {
  fc.assert(
    fc.property(anyFile(), (file) => refusesCleanly(stringify(file))),
    { numRuns: 500 },
  );
});

test("a mistyped key is found by its place and the right one is named", () => {
  const keys = ["listen", "backends", "threads", "access_log", "routes", "admin", "limits", "session_keys"];
  const slip = fc.tuple(fc.constantFrom(...keys), fc.nat(), fc.constantFrom("drop", "swap"));
  const property = fc.property(slip, ([key, at, kind]) => {
    const index = at % (key.length - 1);
    const rest = key.slice(index);
    const typed =
      key.slice(0, index) + (kind === "drop" ? rest.slice(1) : rest[1]! + rest[0]! + rest.slice(2));
    fc.pre(typed !== key);
    const error = refusal(`# a comment\n\n${typed}: 1\n`);
    const problem = error?.problems.find((one) => one.path === typed);
    assert.deepEqual([problem?.line, problem?.column], [3, 1]);
    assert.equal(problem?.hint, `did you mean "${nearest(typed, keysAt([], {}))}"?`);
    assert.ok(editDistance(typed, nearest(typed, keysAt([], {}))!) <= 1);
  });
  fc.assert(property);
});

test("edit distance is a symmetric distance", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.ok(distance >= Math.abs(a.length - b.length) && distance <= Math.max(a.length, b.length));
    }),
  );
});

function refusesCleanly(text: string): void {
  const error = refusal(text);
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  for (const { line, column, message } of error?.problems ?? []) {
    assert.ok(line >= 1 && line <= lines.length, `${line}:${column} ${message}`);
    assert.ok(column >= 1 && column <= lines[line - 1]!.length + 1, `${line}:${column} ${message}`);
    assert.ok(message.length > 0);
  }
}

function refusal(text: string): ConfigError | undefined {
  const readFile = (path: string): string => {
    if (path.includes("a")) throw new Error("no such file");
    return "contents";
  };
  try {
    parseConfig(text, { path: "evener.yaml", env: { X: "1" }, readFile });
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.ok(error.problems.length > 0);
    return error;
  }
}

/** A file with the right keys in the right places, but now and then a wrong value, or a wrong key. */
function anyFile(): fc.Arbitrary<unknown> {
  return fromNode(structure());
}

function fromNode(node: JsonNode): fc.Arbitrary<unknown> {
  const wild = fc.oneof(
    fc.anything({
      maxDepth: 2,
      withBigInt: false,
      values: [fc.string(), fc.double(), fc.boolean(), fc.constant(null)],
    }),
    fc.constantFrom("off", "auto", "8080", "2s", "20%", "1MiB", "cookie", "http://a:1", "${X}", "${Y}", {
      file: "b",
    }),
  );
  if (node.title !== undefined || node.const !== undefined || node.enum !== undefined) {
    const likely = node.default ?? node.const ?? node.enum?.[0];
    return fc.oneof({ weight: 4, arbitrary: likely === undefined ? wild : fc.constant(likely) }, wild);
  }
  const forms = node.anyOf ?? node.oneOf;
  if (forms !== undefined) return fc.oneof(...forms.map(fromNode));
  if (node.items !== undefined)
    return fc.oneof({ weight: 9, arbitrary: fc.array(fromNode(node.items), { maxLength: 3 }) }, wild);
  if (node.properties !== undefined) {
    const entries = Object.entries(node.properties).map(([key, child]) => [key, fromNode(child)] as const);
    const record = fc.record(Object.fromEntries(entries), { requiredKeys: [] });
    return fc.oneof({ weight: 9, arbitrary: record }, wild);
  }
  const named = node.additionalProperties;
  return typeof named === "object"
    ? fc.dictionary(fc.string({ maxLength: 5 }), fromNode(named), { maxKeys: 3 })
    : wild;
}
