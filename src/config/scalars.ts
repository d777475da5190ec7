import * as z from "zod";

import { readFileValue } from "./file-value.ts";
import { describeValue } from "./problem.ts";

/**
 * One value of the file. `title` names the kind in the reference ("duration, 1ms to 1h"); nodes of the JSON
 * Schema with a title are values, the others are structure. `json` says what may be written, `read` turns it
 * into ours.
 */
export function scalar<T>(
  title: string,
  json: JsonKeywords,
  read: (value: unknown) => T | Wrong,
): z.ZodType<T> {
  return z
    .any()
    .transform((value, context): T => {
      const result = read(value);
      if (!(result instanceof Wrong)) return result;
      const { message, hint, isOtherShape } = withoutContents(result, value);
      const params = { hint, isOtherShape, isMissing: value === undefined };
      context.issues.push({ code: "custom", message, params, input: value });
      return z.NEVER;
    })
    .meta({ title, ...json });
}

/** What {@link scalar} readers return for a value that they do not take. */
export class Wrong {
  readonly message: string;
  readonly hint: string | undefined;
  /** A map or a list was found: where one may stand here too, its own problems say more. */
  readonly isOtherShape: boolean;

  constructor(message: string, hint?: string, isOtherShape = false) {
    this.message = message;
    this.hint = hint;
    this.isOtherShape = isOtherShape;
  }
}

export type JsonKeywords = Readonly<Record<string, unknown>>;

/** The word `off` (null in code), or what `schema` takes. */
export function offOr<T>(schema: z.ZodType<T>): z.ZodType<T | null> {
  return z.union([z.literal("off").transform(() => null), schema]);
}

/** True or false. */
export function yesOrNo(): z.ZodType<boolean> {
  return scalar("true or false", { type: "boolean" }, (value) => {
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    return wrong(value, "true or false", "true or false");
  });
}

/** A number in `[min, max]`. */
export function number(min: number, max: number): z.ZodType<number> {
  const title = `number, ${min} to ${max}`;
  return scalar(title, { type: "number", minimum: min, maximum: max }, (value) => {
    const read = numberOf(value);
    if (read === undefined) return wrong(value, "a number", `${min} to ${max}`);
    return within(read, min, max, String);
  });
}

/** A whole number in `[min, max]`. */
export function integer(min: number, max: number): z.ZodType<number> {
  const title = `whole number, ${min} to ${max}`;
  return scalar(title, { type: "integer", minimum: min, maximum: max }, (value) => {
    const read = numberOf(value);
    if (read === undefined || !Number.isInteger(read))
      return wrong(value, "a whole number", `${min} to ${max}`);
    return within(read, min, max, String);
  });
}

/** Milliseconds, written with a unit; bounds are milliseconds too. */
export function duration(minMs: number, maxMs: number): z.ZodType<number> {
  const title = `duration, ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
  return scalar(title, { type: "string", pattern: DURATION.source }, (value) => {
    const match = typeof value === "string" ? DURATION.exec(value) : null;
    if (match === null) return wrong(value, "a duration", "such as 250ms, 2s, 1m or 1h", unitHint(value));
    const ms = Math.round(Number(match[1]) * DURATION_UNIT_MS[match[2] as DurationUnit]);
    return within(ms, minMs, maxMs, formatDuration);
  });
}

/** Bytes, bare or with a binary unit. */
export function size(minBytes: number, maxBytes: number): z.ZodType<number> {
  const title = `size, ${formatSize(minBytes)} to ${formatSize(maxBytes)}`;
  const json = { type: ["string", "integer"], pattern: SIZE.source, minimum: minBytes, maximum: maxBytes };
  return scalar(title, json, (value) => {
    const match = typeof value === "string" || typeof value === "number" ? SIZE.exec(String(value)) : null;
    if (match === null) return wrong(value, "a size", "such as 64KiB, 1MiB or bytes without a unit");
    const bytes = Number(match[1]) * SIZE_UNIT_BYTES[(match[2] ?? "B") as SizeUnit];
    return within(Math.round(bytes), minBytes, maxBytes, formatSize);
  });
}

/** A share 0..1, written as a percentage. */
export function percent(): z.ZodType<number> {
  return scalar("percentage, 0% to 100%", { type: "string", pattern: PERCENT.source }, (value) => {
    const match = typeof value === "string" ? PERCENT.exec(value) : null;
    if (match === null) return wrong(value, "a percentage", "such as 20%");
    const share = Number(match[1]) / 100;
    return share <= 1 ? share : new Wrong(`${match[0]} is too much; at most 100%`);
  });
}

/** What a text must be like. */
export interface TextRules {
  /** Named in messages: "a path". */
  readonly what: string;
  readonly example: string;
  readonly pattern?: RegExp;
  readonly lengthMin?: number;
  readonly lengthMax?: number;
  /** The value is never shown. */
  readonly isSecret?: boolean;
}

/** A text, or `{ file: path }` for the contents of a file. */
export function text(title: string, rules: TextRules): z.ZodType<string> {
  const { pattern, lengthMin = 1, lengthMax = 1024 } = rules;
  const written = { type: "string", ...(pattern === undefined ? {} : { pattern: pattern.source }) };
  const file = {
    type: "object",
    properties: { file: { type: "string" } },
    required: ["file"],
    additionalProperties: false,
  };
  return scalar(title, { anyOf: [written, file] }, (value) => {
    const read = textOf(value, rules);
    if (read instanceof Wrong) return read;
    if (read.length < lengthMin && lengthMin > 1) {
      return new Wrong(`is too short; at least ${lengthMin} characters`);
    }
    if (read.length > lengthMax) return new Wrong(`is too long; at most ${lengthMax} characters`);
    if (read.length < lengthMin || (pattern !== undefined && !pattern.test(read))) {
      return wrong(rules.isSecret === true ? "***" : read, rules.what, rules.example);
    }
    return read;
  });
}

/** A secret of 16 to 1024 characters; messages never show it. */
export function secret(): z.ZodType<string> {
  return text("secret, at least 16 characters", {
    what: "a secret",
    example: "at least 16 printable characters",
    pattern: /^[\x20-\x7e]*$/,
    lengthMin: SECRET_LENGTH_MIN,
    isSecret: true,
  });
}

/** The reference and default values are written like this: 250 is `250ms`, 60000 is `1m`. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const count = ms / DURATION_UNIT_MS[unit];
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`;
  }
  return `${ms}ms`;
}

/** 65536 is `64KiB`. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const count = bytes / SIZE_UNIT_BYTES[unit];
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`;
  }
  return String(bytes);
}

/** "expected a number, found "x"; write 1 to 5". */
export function wrong(value: unknown, what: string, example: string, hint?: string): Wrong {
  if (value === undefined) return new Wrong(`is missing; write ${what}: ${example}`, hint);
  const message = `expected ${what}, found ${describeValue(value)}; write ${example}`;
  return new Wrong(message, hint, typeof value === "object" && value !== null);
}

const SECRET_LENGTH_MIN = 16;
const UNTOLD = "something else";
const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;
const DURATION_UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type DurationUnit = keyof typeof DURATION_UNIT_MS;
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?) ?(B|KiB|MiB|GiB)?$/;
const SIZE_UNIT_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
type SizeUnit = keyof typeof SIZE_UNIT_BYTES;
const PERCENT = /^(\d{1,3}(?:\.\d{1,6})?) ?%$/;
const NUMBER = /^-?\d{1,15}(?:\.\d{1,9})?$/;

/** Numbers that come from `${NAME}` are texts. */
function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  return typeof value === "string" && NUMBER.test(value) ? Number(value) : undefined;
}

/** What a `{ file: path }` holds is mostly a secret, wherever it stands: it is not told. */
function withoutContents(result: Wrong, value: unknown): Wrong {
  const contents = contentsOf(value);
  if (typeof contents !== "string" || contents === "") return result;
  const { hint, isOtherShape } = result;
  const message = result.message.replaceAll(describeValue(contents), UNTOLD).replaceAll(contents, UNTOLD);
  return new Wrong(message, hint?.includes(contents) === true ? undefined : hint, isOtherShape);
}

/** The text of a `{ file: path }`; undefined where `value` is none. */
function contentsOf(value: unknown): string | Wrong | undefined {
  try {
    return readFileValue(value);
  } catch (error) {
    return new Wrong(`the file that it names can not be read: ${(error as Error).message}`);
  }
}

function textOf(value: unknown, rules: TextRules): string | Wrong {
  if (typeof value === "string") return value;
  const contents = contentsOf(value);
  if (contents !== undefined) return contents;
  const isUnquoted = typeof value === "number" || typeof value === "boolean";
  if (isUnquoted && rules.isSecret === true) return new Wrong("is no text; put it in quotes");
  return wrong(value, rules.what, isUnquoted ? `it in quotes: "${value}"` : rules.example);
}

function within(value: number, min: number, max: number, format: (value: number) => string): number | Wrong {
  if (value < min) return new Wrong(`${format(value)} is too little; write ${format(min)} to ${format(max)}`);
  if (value > max) return new Wrong(`${format(value)} is too much; write ${format(min)} to ${format(max)}`);
  return value;
}

function unitHint(value: unknown): string | undefined {
  const read = numberOf(value);
  return read === undefined ? undefined : `did you mean "${read}s"?`;
}
