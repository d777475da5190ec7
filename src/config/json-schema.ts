import * as z from "zod";

import type { Path } from "./problem.ts";
import { fileSchema } from "./schema.ts";

/**
 * JSON Schema (2020-12) of the file as a person writes it, for editors and `evener schema`. It knows the
 * shape and the kinds of values; what only holds between values (unique ids, known pools) is checked by
 * loading the file.
 */
export function configJsonSchema(): object {
  const { $schema, ...rest } = admitVariables(structure());
  const title = "Evener configuration";
  return { $schema, title, ...rest };
}

/** The parts of JSON Schema that our own schema comes out as. */
export interface JsonNode {
  readonly $schema?: string;
  /** Only values have one (it names their kind); maps and lists have none. */
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number)[];
  readonly const?: string;
  readonly properties?: Readonly<Record<string, JsonNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonNode | false;
  readonly items?: JsonNode;
  readonly anyOf?: readonly JsonNode[];
  readonly oneOf?: readonly JsonNode[];
}

/** The schema without variables; made once. */
export function structure(): JsonNode {
  made ??= z.toJSONSchema(fileSchema, { io: "input" }) as JsonNode;
  return made;
}

/** The forms that a node may have (`off`, a text, a map, ...); values are not taken apart. */
export function alternatives(node: JsonNode): readonly JsonNode[] {
  if (node.title !== undefined) return [node];
  const forms = node.anyOf ?? node.oneOf;
  return forms === undefined ? [node] : forms.flatMap(alternatives);
}

/**
 * The keys that may stand in the map at `path`; `value` is the map, whose `name` may say which form it has.
 */
export function keysAt(path: Path, value: unknown): string[] {
  const nodes = nodesAt(path).flatMap(alternatives);
  const name = (value as { name?: unknown } | null)?.name;
  const named = nodes.filter((node) => node.properties?.["name"]?.const === name);
  const chosen = name !== undefined && named.length > 0 ? named : nodes;
  return [...new Set(chosen.flatMap((node) => Object.keys(node.properties ?? {})))];
}

/** Whether the map at `path` may be left out, and all of its keys have defaults then. */
export function hasDefaults(path: Path): boolean {
  return nodesAt(path).some((node) => typeof node.default === "object");
}

/** Where else in the file a key of this name may stand; pools are called `pool`. */
export function placesOf(key: string, pool: string): string[] {
  return [...new Set(placesIn(structure(), "", key, pool))];
}

let made: JsonNode | undefined;

/** `${NAME}` somewhere in a text. */
const VARIABLE = { type: "string", pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*\}` };

function nodesAt(path: Path): readonly JsonNode[] {
  let nodes: readonly JsonNode[] = [structure()];
  for (const part of path) {
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      const child = typeof part === "number" ? node.items : childOf(node, String(part));
      return child === undefined ? [] : [child];
    });
  }
  return nodes;
}

function childOf(node: JsonNode, key: string): JsonNode | undefined {
  if (node.title !== undefined) return undefined;
  if (node.properties !== undefined && Object.hasOwn(node.properties, key)) return node.properties[key];
  return typeof node.additionalProperties === "object" ? node.additionalProperties : undefined;
}

function placesIn(node: JsonNode, prefix: string, key: string, pool: string): string[] {
  const places: string[] = [];
  for (const form of alternatives(node)) {
    if (form.title !== undefined) continue;
    for (const [name, child] of Object.entries(form.properties ?? {})) {
      const place = prefix === "" ? name : `${prefix}.${name}`;
      if (name === key) places.push(place);
      places.push(...placesIn(child, place, key, pool));
    }
    if (form.items !== undefined) places.push(...placesIn(form.items, `${prefix}[]`, key, pool));
    const named = form.additionalProperties;
    if (typeof named === "object") places.push(...placesIn(named, `${prefix}.${pool}`, key, pool));
  }
  return places;
}

/**
 * Every value may also be a variable; the schema itself is written without, so that the reference stays
 * readable.
 */
function admitVariables(node: JsonNode): JsonNode {
  const { title, description, default: initial, ...form } = node;
  if (title !== undefined || form.enum !== undefined) {
    const about = { title, description, default: initial };
    return { ...withoutUndefined(about), anyOf: [form, VARIABLE] };
  }
  const { properties, additionalProperties: named, items, anyOf, oneOf } = node;
  return {
    ...node,
    ...(properties === undefined ? {} : { properties: mapValues(properties) }),
    ...(typeof named === "object" ? { additionalProperties: admitVariables(named) } : {}),
    ...(items === undefined ? {} : { items: admitVariables(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(admitVariables) }),
    ...(oneOf === undefined ? {} : { oneOf: oneOf.map(admitVariables) }),
  };
}

function mapValues(properties: Readonly<Record<string, JsonNode>>): Record<string, JsonNode> {
  return Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, admitVariables(child)]));
}

function withoutUndefined(node: object): JsonNode {
  return Object.fromEntries(Object.entries(node).filter(([, value]) => value !== undefined));
}
