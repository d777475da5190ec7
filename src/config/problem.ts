import type { ErrorCode } from "../errors.ts";
import { EvenerError } from "../errors.ts";

/** The configuration was refused; `problems` has every reason, at most {@link PROBLEMS_MAX}. */
export class ConfigError extends EvenerError {
  /** In the order of the file. Empty where the file could not be read at all. */
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, problems: readonly Problem[], options?: ErrorOptions) {
    super(code, message, options);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** One thing that is wrong in a file. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** As a person writes it: `pools.default.backends[0].url`; "" is the whole file. */
  readonly path: string;
  /** What was found and what to do. */
  readonly message: string;
  /** Such as `did you mean "backends"?`. */
  readonly hint?: string;
  /** Where the reason has a code of its own. */
  readonly code?: ErrorCode;
}

/** More problems than a person reads at once. */
export const PROBLEMS_MAX = 20;

/** A problem whose place is not known yet. */
export interface Finding {
  readonly path: Path;
  /** What to point at; `value` unless said otherwise. */
  readonly at?: "key" | "value";
  readonly message: string;
  readonly hint?: string | undefined;
  readonly code?: ErrorCode | undefined;
  /** The key at `path` is not written. */
  readonly isMissing?: boolean;
  /** The key that was probably meant, a neighbour of the last key of `path`. */
  readonly meant?: string | undefined;
}

export type Path = readonly PropertyKey[];

/** Builds the error for `problems` (at least one) found in the file called `file`. */
export function invalid(file: string, problems: readonly Problem[]): ConfigError {
  const sorted = problems.map(onOneLine).toSorted((a, b) => a.line - b.line || a.column - b.column);
  const shown = sorted.slice(0, PROBLEMS_MAX);
  const lines = shown.map((problem) => formatProblem(file, problem));
  if (sorted.length > shown.length) lines.push(`${file}: and ${sorted.length - shown.length} more problems`);
  const first = shown[0]?.code;
  const code = first !== undefined && shown.every((problem) => problem.code === first) ? first : undefined;
  return new ConfigError(code ?? "EVENER_CONFIG_INVALID", lines.join("\n"), shown);
}

/** Keys and values may hold anything: line ends, and what a terminal obeys, are shown as their escapes. */
function onOneLine(problem: Problem): Problem {
  const path = escaped(problem.path);
  const message = escaped(problem.message);
  return problem.hint === undefined
    ? { ...problem, path, message }
    : { ...problem, path, message, hint: escaped(problem.hint) };
}

function escaped(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** `FILE:LINE:COLUMN: subject: what was found; what to do (did you mean "backends"?)`. */
export function formatProblem(file: string, problem: Problem): string {
  const { line, column, path, message, hint } = problem;
  const subject = path === "" ? "" : `${path}: `;
  return `${file}:${line}:${column}: ${subject}${message}${hint === undefined ? "" : ` (${hint})`}`;
}

/** `["pools", "a", "backends", 0]` as `pools.a.backends[0]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += (text === "" ? "" : ".") + String(part);
  }
  return text;
}

/** What stands in the file, in words for a message: `"abc"`, `5`, `a map`, `a list`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text = typeof value === "string" ? JSON.stringify(value) : `${value as number | boolean}`;
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}...` : text;
}

const VALUE_LENGTH_MAX = 60;
const CONTROL = /\p{Cc}/gu;
