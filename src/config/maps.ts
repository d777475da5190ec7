import * as z from "zod";

import type { FieldConfig } from "./config-route.ts";
import { text } from "./scalars.ts";

/** A map of names that people choose to texts. */
export function textMap(rules: TextMapRules): z.ZodType<Record<string, string>> {
  const value = text("text", { what: "a text", example: `"a100"`, lengthMin: 0, lengthMax: rules.lengthMax });
  return named(rules.what, rules.keys, value);
}

/** What names and values of a map may be. */
export interface TextMapRules {
  readonly keys: RegExp;
  /** For messages. */
  readonly what: string;
  /** Of a value. */
  readonly lengthMax: number;
}

/** A map of HTTP field names to values; names come out in lower case. Names in `refused` are an error. */
export function fieldMap(refused: ReadonlySet<string>): z.ZodType<Record<string, string>> {
  return named("header", FIELD_NAME, fieldValue()).transform((written, context) => {
    const fields: Record<string, string> = {};
    for (const [name, value] of Object.entries(written)) {
      const lower = name.toLowerCase();
      if (refused.has(lower)) refuse(context, name, "is set by Evener itself; remove it");
      if (Object.hasOwn(fields, lower))
        refuse(context, name, "is there twice; names are the same in any case");
      fields[lower] = value;
    }
    return fields;
  });
}

/** A header's value; messages never show it. */
export function fieldValue(): z.ZodType<string> {
  return text("text", {
    what: "a header's value",
    example: "visible characters",
    pattern: /^[!-~](?:[ -~\t]*[!-~])?$/,
    lengthMax: 8192,
    isSecret: true,
  });
}

/** A header's name as a value; comes out in lower case. `reserved` says what is wrong with it. */
export function fieldName(reserved: Reserved): z.ZodType<string> {
  const name = text("header's name", { what: "a header's name", example: "x-tier", pattern: FIELD_NAME });
  return name.transform((written, context) => {
    const wrong = reserved(written);
    if (wrong !== undefined) context.addIssue({ code: "custom", message: `${written} ${wrong}` });
    return written.toLowerCase();
  });
}

/** A map of header names to values, as lines; names come out in lower case. */
export function fieldLines(reserved: Reserved): z.ZodType<FieldConfig[]> {
  return named("header", FIELD_NAME, fieldValue()).transform((written, context) =>
    Object.entries(written).map(([name, value]) => {
      const wrong = reserved(name);
      if (wrong !== undefined) refuse(context, name, wrong);
      return { name: name.toLowerCase(), value };
    }),
  );
}

/** What is wrong with touching that header, in any case; undefined where nothing is. */
export type Reserved = (name: string) => string | undefined;

/** A map whose keys are names that people choose; a bad name is reported at the key. */
export function named<T>(what: string, keys: RegExp, value: z.ZodType<T>): z.ZodType<Record<string, T>> {
  return z.record(z.string(), value).transform((written, context) => {
    for (const name of Object.keys(written)) {
      if (!keys.test(name))
        refuse(context, name, `is not a ${what}'s name; write letters, digits, "_", "-" or "."`);
    }
    return written;
  });
}

/** A token of RFC 9110. */
export const FIELD_NAME: RegExp = /^[\w!#$%&'*+^`|~.-]{1,128}$/;

function refuse(context: z.RefinementCtx, name: string, message: string): void {
  context.addIssue({ code: "custom", path: [name], message, params: { at: "key" } });
}
