import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { parse as parseYaml } from "yaml";
import * as z from "zod";

import { configurationReference, REFERENCE_FILE } from "../../../scripts/write-reference.ts";
import type { Config } from "../../../src/config/config.ts";
import type { JsonNode } from "../../../src/config/json-schema.ts";
import { alternatives, configJsonSchema, structure } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { POLICIES } from "../../../src/core/policies/index.ts";
import { makeCertificate } from "../../fixtures/certificates.ts";

const PAIR = makeCertificate();
const MINIMAL = example("minimal");
const FULL = example("full");

test("examples/minimal is two lines", () => {
  assert.equal(MINIMAL.trim().split("\n").length, 2);
  assert.equal(load(MINIMAL).pools[0]?.backends.length, 2);
});

test("examples/full is valid and writes down the defaults", () => {
  const config = load(FULL);
  const defaults = load(MINIMAL);
  const [pool] = config.pools;
  const [standard] = defaults.pools;
  assert.deepEqual(config.limits, defaults.limits);
  assert.deepEqual(config.listeners[0], defaults.listeners[0]);
  for (const key of [
    "outlier",
    "slowdown",
    "slowStartMs",
    "queue",
    "retry",
    "timeouts",
    "connections",
  ] as const) {
    assert.deepEqual(pool?.[key], standard?.[key], key);
  }
  assert.deepEqual(pool?.health, {
    ...standard?.health,
    expect: { statuses: [{ from: 200, to: 399 }], body: "ok" },
  });
  assert.deepEqual(config.sessionKeys, ["from-the-file-0123456789", "from-the-environment-0123456789"]);
});

test("examples/full has every key of the schema", () => {
  const written = keyPaths(parseYaml(FULL), "");
  // The shorthands can not stand beside what they are short for.
  const shorthands = ["listen", "backends", "access_log.file", "access_log.prompt_hashes"];
  const expected = schemaPaths(structure(), "").filter((path) => !shorthands.includes(path));
  assert.deepEqual(
    expected.filter((path) => !written.has(path)),
    [],
  );
});

test("every policy of the menu can be configured, with every option", () => {
  for (const { name, options } of POLICIES) {
    const lines = Object.entries(options).map(([option, field]) => {
      const value = field.kind === "duration" ? `${field.default}ms` : JSON.stringify(field.default);
      return `${option}: ${value}`;
    });
    const policy = `{ ${[`name: ${name}`, ...lines].join(", ")} }`;
    const read = (text: string): unknown => {
      return load(`listen: 1\npools: { a: { backends: ["a:1"], policy: ${text} } }`).pools[0]?.policy;
    };
    assert.deepEqual(read(policy), read(name), name);
  }
});

test("the JSON Schema takes the examples and refuses mistakes", () => {
  const schema = z.fromJSONSchema(configJsonSchema() as z.core.JSONSchema.JSONSchema);
  for (const text of [MINIMAL, FULL, "listen: ${PORT}\nbackends: [a:1]\nthreads: ${N}\n"]) {
    const result = schema.safeParse(parseYaml(text));
    assert.ok(result.success, JSON.stringify(result.error?.issues.slice(0, 3)));
  }
  const mistakes = [
    "lisen: 1",
    "listen: 99999",
    "log: { level: loud }",
    "drain: { timeout: 5 }",
    "pools: { a: { backends: [a:1], policy: { name: hash, x: 1 } } }",
    "pools: { a: { backends: [a:1], policy: hsh } }",
    "pools: { a: { backends: [{ url: a:1, weight: 0 }] } }",
    "pools: { a: {} }",
  ];
  for (const text of mistakes) assert.ok(!schema.safeParse(parseYaml(text)).success, text);
});

test("the reference page is the one that the schema gives", () => {
  const command = "run `node scripts/write-reference.ts`";
  assert.equal(readFileSync(REFERENCE_FILE, "utf8"), configurationReference(), command);
});

test("every key of the file is described", () => {
  const undescribed: string[] = [];
  const visit = (node: JsonNode, path: string): void => {
    for (const form of alternatives(node)) {
      if (form.title !== undefined) continue;
      for (const [key, child] of Object.entries(form.properties ?? {})) {
        if ((child.description ?? "") === "") undescribed.push(`${path}.${key}`);
        visit(child, `${path}.${key}`);
      }
      if (form.items !== undefined) visit(form.items, `${path}[]`);
      if (typeof form.additionalProperties === "object") visit(form.additionalProperties, `${path}.NAME`);
    }
  };
  visit(structure(), "");
  assert.deepEqual(undescribed, []);
});

function example(name: string): string {
  return readFileSync(
    fileURLToPath(new URL(`../../../examples/${name}/evener.yaml`, import.meta.url)),
    "utf8",
  );
}

function load(text: string): Config {
  const env = {
    CHAT_API_KEY: "key",
    EVENER_ADMIN_TOKEN: "0123456789abcdef",
    EVENER_TASKS_TOKEN: "fedcba9876543210",
    EVENER_SESSION_KEY_BEFORE: "from-the-environment-0123456789",
  };
  const readFile = (file: string): string => {
    if (file.endsWith("key.pem")) return PAIR.key;
    return file.endsWith(".pem") ? PAIR.cert : "from-the-file-0123456789\n";
  };
  return parseConfig(text, { path: "evener.yaml", env, readFile });
}

/** `pools.*.backends[].url` for every key that is written somewhere. */
function keyPaths(value: unknown, path: string): Set<string> {
  const paths = new Set<string>(path === "" ? [] : [path]);
  const children: [string, unknown][] = [];
  if (Array.isArray(value)) for (const item of value) children.push([`${path}[]`, item]);
  else if (typeof value === "object" && value !== null) {
    for (const [key, child] of Object.entries(value)) {
      const name = path === "pools" ? "*" : key;
      children.push([path === "" ? name : `${path}.${name}`, child]);
    }
  }
  for (const [childPath, child] of children) for (const found of keyPaths(child, childPath)) paths.add(found);
  return paths;
}

function schemaPaths(node: JsonNode, path: string): string[] {
  const paths: string[] = [];
  for (const form of alternatives(node)) {
    if (form.title !== undefined) continue;
    for (const [key, child] of Object.entries(form.properties ?? {})) {
      const place = path === "" ? key : `${path}.${key}`;
      paths.push(place);
      if (path !== "" || key !== "backends") paths.push(...schemaPaths(child, place));
    }
    if (form.items !== undefined) paths.push(...schemaPaths(form.items, `${path}[]`));
    if (typeof form.additionalProperties === "object" && path === "pools") {
      paths.push(...schemaPaths(form.additionalProperties, "pools.*"));
    }
  }
  return paths;
}
