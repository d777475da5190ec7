import type * as z from "zod";

import type { ErrorCode } from "../errors.ts";
import { hasDefaults, keysAt, placesOf } from "./json-schema.ts";
import type { Finding, Path } from "./problem.ts";
import { describeValue, formatPath } from "./problem.ts";
import { nearest } from "./suggest.ts";

/**
 * What the schema has against `value`, in words for the person who wrote it; at most {@link FINDINGS_MAX}.
 */
export function findingsOf(issues: readonly z.core.$ZodIssue[], value: unknown): Finding[] {
  const findings = issues.slice(0, FINDINGS_MAX).flatMap((issue) => describeIssue(issue, [], value));
  return findings.slice(0, FINDINGS_MAX);
}

/** Far more than are shown: those shown are the first of the file, the schema's order is another. */
export const FINDINGS_MAX = 1000;

type Issue = z.core.$ZodIssue;

/** What our own checks attach to an issue. */
interface IssueParams {
  readonly at?: "key";
  readonly hint?: string;
  readonly code?: ErrorCode;
  readonly isMissing?: boolean;
  readonly isOtherShape?: boolean;
}

function describeIssue(issue: Issue, base: Path, root: unknown): Finding[] {
  const path = [...base, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.slice(0, FINDINGS_MAX).map((key) => describeUnknownKey(key, path, root));
    case "invalid_union":
      return describeUnion(issue, path, root);
    case "invalid_value":
    case "invalid_type":
      return [describeMismatch([issue], path)];
    case "too_small":
      return [{ path, message: "is an empty list; write at least one entry" }];
    case "too_big":
      return [{ path, message: `is too long a list; at most ${issue.maximum} entries` }];
    case "custom": {
      const { at = "value", hint, code, isMissing = false } = (issue.params ?? {}) as IssueParams;
      return [{ path, at, message: issue.message, hint, code, isMissing }];
    }
    // Nothing in our schema gives these; were it to, the library's words are better than none.
    case "invalid_element":
    case "invalid_format":
    case "invalid_key":
    case "not_multiple_of":
      return [{ path, message: issue.message }];
  }
}

function describeUnknownKey(key: string, path: Path, root: unknown): Finding {
  const keys = keysAt(path, valueAt(root, path));
  const found = { path: [...path, key], at: "key" } as const;
  const meant = nearest(key, keys);
  if (meant !== undefined) {
    return {
      ...found,
      message: "no such key; correct or remove it",
      hint: `did you mean "${meant}"?`,
      meant,
    };
  }
  const places = placesOf(key, poolName(root, path)).filter((place) => place !== formatPath(found.path));
  if (places.length > 0 && places.length <= PLACES_MAX) {
    return {
      ...found,
      message: "no such key here; move or remove it",
      hint: `did you mean ${places.join(" or ")}?`,
    };
  }
  return { ...found, message: `no such key; write one of ${keys.join(", ")}` };
}

/** Of the forms that a value may have, the one that its writer most probably meant. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, root: unknown): Finding[] {
  if (issue.errors.length === 0) return [describeDiscriminator(issue, path)];
  const forms = issue.errors.flatMap(flattenForms);
  const meant = forms.find((form) => !form.every(isOtherShape)) ?? [];
  if (meant.length > 0) return meant.flatMap((inner) => describeIssue(inner, path, root));
  return [describeMismatch(forms.flat(), path)];
}

/** A form that is itself a union counts as its own forms. */
function flattenForms(form: readonly Issue[]): (readonly Issue[])[] {
  const [only] = form;
  const isUnion = form.length === 1 && only?.code === "invalid_union" && only.path.length === 0;
  return isUnion && only.errors.length > 0 ? only.errors.flatMap(flattenForms) : [form];
}

function isOtherShape(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === "custom") return (issue.params as IssueParams | undefined)?.isOtherShape === true;
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

function describeDiscriminator(issue: z.core.$ZodIssueInvalidUnion, path: Path): Finding {
  const { options = [], discriminator } = issue as { options?: readonly string[]; discriminator?: string };
  const found = (issue.input as Record<string, unknown> | undefined)?.[discriminator ?? ""];
  return describeChoice(found, options.map(String), [], path);
}

/** No form fits: says which there are. */
function describeMismatch(issues: readonly Issue[], path: Path): Finding {
  const words: string[] = [];
  const shapes: string[] = [];
  for (const issue of issues) {
    if (issue.code === "invalid_value") words.push(...issue.values.map(String));
    if (issue.code === "invalid_type") shapes.push(SHAPES[issue.expected] ?? issue.expected);
  }
  return describeChoice(issues[0]?.input, words, shapes, path);
}

function describeChoice(found: unknown, words: string[], shapes: string[], path: Path): Finding {
  const listed = listOf([...new Set([...words, ...shapes])]);
  if (found === undefined) return { path, message: `is missing; write ${listed}`, isMissing: true };
  const meant = typeof found === "string" ? nearest(found, words) : undefined;
  const advice = meant === undefined ? adviceFor(found, words, shapes, path) : "";
  // What stands where secrets belong may be one.
  const isHidden = path.some((part) => SECRET_KEYS.has(part)) && typeof found !== "object";
  const message = `expected ${listed}, found ${isHidden ? "something else" : describeValue(found)}${advice}`;
  return { path, message, hint: meant === undefined ? undefined : `did you mean "${meant}"?` };
}

/** What to write where another shape is expected than the one that was found. */
function adviceFor(found: unknown, words: readonly string[], shapes: readonly string[], path: Path): string {
  const isList = shapes.length === 1 && shapes[0] === "a list";
  if (isList)
    return typeof found === "object" ? "; write - before each entry" : "; put it into brackets: [ ]";
  const keys = shapes.includes("a map") && words.length <= 1 ? keysAt(path, undefined) : [];
  if (keys.length === 0) return "";
  const isSwitch = found === true || (typeof found === "string" && /^(?:on|yes|true)$/i.test(found));
  if (isSwitch && hasDefaults(path)) return `; leave "${String(path.at(-1))}" out to have its defaults`;
  const shown = keys.length > KEYS_SHOWN_MAX ? [...keys.slice(0, KEYS_SHOWN_MAX), "..."] : keys;
  return `; the map's keys are ${shown.join(", ")}`;
}

function listOf(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join("");
  return `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[part];
  return value;
}

/** How hints call a pool: the one that `path` is in, or the only one, or `default`. */
function poolName(root: unknown, path: Path): string {
  if (path[0] === "pools" && path.length > 1) return String(path[1]);
  const pools = (root as { pools?: unknown } | null)?.pools;
  const names = typeof pools === "object" && pools !== null ? Object.keys(pools) : [];
  return names.length === 1 ? names[0]! : "default";
}

const PLACES_MAX = 3;
/** Keys of a map that a message names. */
const KEYS_SHOWN_MAX = 4;
const SECRET_KEYS: ReadonlySet<PropertyKey> = new Set(["session_keys", "headers", "token"]);
const SHAPES: Readonly<Record<string, string>> = { object: "a map", record: "a map", array: "a list" };
