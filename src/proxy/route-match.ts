// Hot path: comparisons only; a plain route makes no string. Conditions read the head's fields one by one.
import { FIELD, fieldIdOf } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import { PathPattern } from "../http1/path-pattern.ts";
import { ModelNames } from "./model-names.ts";
import type { ConditionSpec, RouteMatchSpec } from "./route-spec.ts";

/** What a request must be like, ready for the request path. */
export interface RouteMatch {
  readonly spec: RouteMatchSpec;
  readonly host: string | null;
  /** ".example.com" where the host is a wildcard, else null. */
  readonly hostSuffix: string | null;
  readonly pathKind: "prefix" | "exact" | "regex";
  readonly path: string;
  readonly pattern: PathPattern | null;
  readonly methods: readonly string[];
  /** null: whatever the model, or none. */
  readonly models: ModelNames | null;
  readonly conditions: readonly Condition[];
}

/** Of a header, query parameter or cookie. */
export interface Condition {
  readonly spec: ConditionSpec;
  /** {@link FIELD} number of a header; 0 is one without. */
  readonly fieldId: number;
}

/** Throws an Error where the path is no valid pattern. */
export function compileMatch(spec: RouteMatchSpec): RouteMatch {
  const { host, path, methods } = spec;
  return {
    spec,
    host,
    hostSuffix: host !== null && host.startsWith("*.") ? host.slice(1) : null,
    pathKind: path.kind,
    path: path.text,
    pattern: path.kind === "regex" ? new PathPattern(path.text) : null,
    methods,
    models: spec.models.length === 0 ? null : new ModelNames(spec.models),
    conditions: spec.conditions.map((condition) => ({
      spec: condition,
      fieldId: condition.from === "header" ? fieldIdOf(condition.name) : FIELD.unknown,
    })),
  };
}

/** The request fits. */
export const FITS = -1;
/** The first part of a match that a request does not fit; from CONDITIONS on, the index of a condition. */
export const MISFIT = { host: 0, path: 1, method: 2, model: 3, conditions: 4 } as const;

/**
 * {@link FITS}, or which part does not: {@link MISFIT}. `model` is the one that is asked for, "" for none;
 * null is not known yet: all but that is judged.
 */
export function misfitOf(match: RouteMatch, head: RequestHead, model: string | null): number {
  if (match.host !== null && !fitsHost(match, hostName(head.host))) return MISFIT.host;
  if (!fitsPath(match, head.path)) return MISFIT.path;
  if (match.methods.length > 0 && !match.methods.includes(head.method)) return MISFIT.method;
  const { conditions } = match;
  for (let i = 0; i < conditions.length; i++) {
    if (!fitsCondition(conditions[i]!, head)) return MISFIT.conditions + i;
  }
  if (match.models !== null && model !== null && !match.models.takes(model)) return MISFIT.model;
  return FITS;
}

/** A host without its port. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(":");
  return colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
}

function fitsHost({ host, hostSuffix }: RouteMatch, name: string): boolean {
  if (hostSuffix === null) return name === host;
  return name.endsWith(hostSuffix) && name.length > hostSuffix.length;
}

function fitsPath(match: RouteMatch, path: string): boolean {
  switch (match.pathKind) {
    case "prefix":
      return match.path === "/" || hasPrefix(path, match.path);
    case "exact":
      return path === match.path;
    case "regex":
      return match.pattern!.matches(path);
  }
}

/** By whole segments: "/v1" is one of "/v1" and "/v1/x", not of "/v10". */
export function hasPrefix(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith("/") || path.charCodeAt(prefix.length) === SLASH;
}

function fitsCondition({ spec, fieldId }: Condition, head: RequestHead): boolean {
  switch (spec.from) {
    case "header":
      return hasField(head, fieldId, spec.name, spec.value) === spec.isPresent;
    case "query":
      return hasParameter(head.query, spec.name, spec.value) === spec.isPresent;
    case "cookie":
      return hasCookie(head, spec.name, spec.value) === spec.isPresent;
  }
}

/** One of the lines of that name has that value, or any where `value` is null. */
function hasField(head: RequestHead, id: number, name: string, value: string | null): boolean {
  for (let i = 0; i < head.count; i++) {
    if (head.ids[i] !== id) continue;
    if (id === FIELD.unknown && !isNamed(head, i, name)) continue;
    if (value === null || head.valueAt(i) === value) return true;
  }
  return false;
}

function isNamed(head: RequestHead, index: number, name: string): boolean {
  if (head.spans[4 * index + 1]! - head.spans[4 * index]! !== name.length) return false;
  return head.nameAt(index).toLowerCase() === name;
}

/** Compared as backends read them, so that no other spelling of a parameter is another parameter. */
function hasParameter(query: string, name: string, value: string | null): boolean {
  for (let from = 0; from < query.length;) {
    const ampersand = query.indexOf("&", from);
    const end = ampersand < 0 ? query.length : ampersand;
    const equals = query.indexOf("=", from);
    const nameEnd = equals < 0 || equals > end ? end : equals;
    if (decoded(query.slice(from, nameEnd)) === name) {
      if (value === null || decoded(query.slice(Math.min(nameEnd + 1, end), end)) === value) return true;
    }
    from = end + 1;
  }
  return false;
}

/** As in forms: "+" is a space, %XX a byte of UTF-8; what is no valid escape stays as it is. */
function decoded(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  return new URLSearchParams(`v=${text}`).get("v")!;
}

function hasCookie(head: RequestHead, name: string, value: string | null): boolean {
  for (let i = 0; i < head.count; i++) {
    if (head.ids[i] === FIELD.cookie && hasPair(head.valueAt(i), name, value)) return true;
  }
  return false;
}

function hasPair(cookies: string, name: string, value: string | null): boolean {
  for (let from = 0; from < cookies.length;) {
    const semicolon = cookies.indexOf(";", from);
    const end = semicolon < 0 ? cookies.length : semicolon;
    const equals = cookies.indexOf("=", from);
    if (equals >= 0 && equals < end && cookies.slice(from, equals).trim() === name) {
      if (value === null || cookies.slice(equals + 1, end).trim() === value) return true;
    }
    from = end + 1;
  }
  return false;
}

const SLASH = 0x2f;
