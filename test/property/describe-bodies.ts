// Bodies of the LLM APIs, and all the ways in which one and the same can be written.
import * as fc from "fast-check";

import { Random } from "../../src/core/kit/random.ts";
import type { LlmApi } from "../../src/proxy/describe/llm-api.ts";
import { LLM_APIS } from "../../src/proxy/describe/index.ts";
import type { RoleName } from "../../src/proxy/describe/role.ts";
import type { Json } from "./describe-oracle.ts";

export interface Body {
  readonly api: LlmApi;
  /** Keys may come twice. */
  readonly entries: readonly (readonly [string, Json])[];
}

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 60 }) },
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom('"', "\\", '\\"', "data:image/png;base64,iVBORw0KGgo=", "text", "}]}", "\u2028", "null"),
  fc.nat(2_000).map((length) => "The bar is even. ".repeat(length / 17)),
  fc.nat(300).map((length) => 'say "\\n"\n'.repeat(length / 9)),
);

const NAMES = [
  "data",
  "url",
  "source",
  "type",
  "images",
  "image_url",
  "input_audio",
  "file_data",
  "text",
  "model",
  "x",
];
const { anything } = fc.letrec<{ anything: Json }>((tie) => ({
  anything: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    fc.constantFrom(null, true, false, 0, -1.5, 1e21, 12),
    text,
    fc.array(tie("anything"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...NAMES), tie("anything"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

const content: fc.Arbitrary<Json> = fc.oneof(
  text,
  fc.array(
    fc.oneof<fc.Arbitrary<Json>[]>(
      fc.record({ type: fc.constant("text"), text }),
      fc.record({ type: fc.constant("image_url"), image_url: fc.oneof(fc.record({ url: text }), text) }),
      fc.record({ type: fc.constant("input_audio"), input_audio: fc.record({ data: text, format: text }) }),
      fc.record({
        type: fc.constant("image"),
        source: fc.record({ type: text, media_type: text, data: text }),
      }),
      fc.record({
        type: fc.constant("document"),
        source: fc.record({ type: fc.constant("text"), data: text }),
      }),
      fc.record({ type: fc.constant("tool_use"), input: anything }),
    ),
    { maxLength: 3 },
  ),
);
export const message: fc.Arbitrary<Json> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ role: fc.constantFrom("user", "assistant"), content }) },
  fc.record({ role: fc.constant("user"), content: text, images: fc.array(text, { maxLength: 2 }) }),
  anything,
);

const ids = fc.array(fc.oneof(fc.nat(200_000), fc.nat(9)), { minLength: 1, maxLength: 40 });
const prompt: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: fc.array(message, { maxLength: 6 }) },
  text,
  fc.array(text, { maxLength: 4 }),
  ids,
  fc.array(ids, { maxLength: 3 }),
  anything,
);
/** Texts are shorter than what is read of one. */
const short: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
  { weight: 2, arbitrary: fc.integer({ min: -2, max: 4_000 }) },
  { weight: 2, arbitrary: fc.boolean() },
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  anything.filter((value) => typeof value !== "string"),
);

/** Any body of any API: what is known to it with values that fit or not, in any order, and more. */
export const body: fc.Arbitrary<Body> = fc.constantFrom(...LLM_APIS).chain((api) => {
  const own = Object.entries(api.keys);
  const top = own.filter(([path]) => !path.includes("."));
  const parents = [...new Set(own.map(([path]) => path.split(".")[0]!).filter((key) => !(key in api.keys)))];
  const pairs = top.map(([key, role]) => valueOf(role).map((value) => [key, value] as const));
  for (const parent of [...parents, ...("conversation" in api.keys ? ["conversation"] : [])])
    pairs.push(nestedOf(api, parent).map((value) => [parent, value] as const));
  pairs.push(fc.tuple(fc.constantFrom("temperature", "stop", "x", "mode"), anything));
  return fc
    .array(fc.oneof(...pairs), { maxLength: 14 })
    .map((entries) => ({ api, entries: laterRoleOnce(api, entries) }));
});

/** Two keys with one role are for one of two engines each: a body has one of them. */
function laterRoleOnce(api: LlmApi, entries: readonly (readonly [string, Json])[]): Body["entries"] {
  const keyOfRole = new Map<RoleName, string>();
  return entries.filter(([key]) => {
    const own = Object.entries(api.keys).filter(([path]) => path.split(".")[0] === key);
    const isFree = own.every(([, role]) => (keyOfRole.get(role) ?? key) === key);
    if (isFree) for (const [, role] of own) keyOfRole.set(role, key);
    return isFree;
  });
}

function valueOf(role: RoleName): fc.Arbitrary<Json> {
  if (role === "prompt") return prompt;
  return ["system", "tools", "functions", "media", "salt"].includes(role)
    ? fc.oneof(text, anything, fc.array(anything, { maxLength: 3 }))
    : role === "context"
      ? fc.oneof(ids, anything)
      : short;
}

function nestedOf(api: LlmApi, parent: string): fc.Arbitrary<Json> {
  const names = Object.keys(api.keys).filter((path) => path.startsWith(`${parent}.`));
  const keys = names.map((path) => path.slice(parent.length + 1));
  return fc.oneof(
    { weight: 4, arbitrary: fc.dictionary(fc.constantFrom(...keys, "x"), short, { noNullPrototype: true }) },
    anything.filter((value) => typeof value !== "string"),
  );
}

/** The body in JSON, with white space and escapes wherever they may stand. */
export function written({ entries }: Body, seed: number): Buffer {
  const random = new Random(seed);
  const parts = entries.map(
    ([key, value]) => `${string(key, random)}${space(random)}:${json(value, random)}`,
  );
  return Buffer.from(`${space(random)}{${space(random)}${parts.join(`,${space(random)}`)}}${space(random)}`);
}

function json(value: Json, random: Random): string {
  const inner = (): string => {
    if (typeof value === "string") return string(value, random);
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    if (Array.isArray(value))
      return `[${value.map((item) => json(item, random)).join(",") || space(random)}]`;
    const members = Object.entries(value).map(
      ([key, item]) => `${space(random)}${string(key, random)}${space(random)}:${json(item, random)}`,
    );
    return `{${members.join(",") || space(random)}}`;
  };
  return `${space(random)}${inner()}${space(random)}`;
}

function space(random: Random): string {
  return ["", "", "", "", " ", "\n  ", "\t", "\r\n"][random.below(8)]!;
}

function string(value: string, random: Random): string {
  const plain = JSON.stringify(value);
  if (random.below(4) !== 0) return plain;
  const units = Array.from({ length: value.length }, (_, i) => value.charCodeAt(i));
  const escaped = units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`);
  return `"${escaped.join("")}"`;
}

/** The same bytes in pieces of those sizes, again and again. */
export function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    // Each in a buffer of its own: what came before is gone.
    list.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return list;
}
