import * as z from "zod";

import { POLICIES } from "../core/policies/index.ts";
import type { Field, FieldValue, PolicySpec } from "../core/policies/policy.ts";
import { defaultOptions } from "../core/policies/policy.ts";
import type { PolicyConfig } from "./config.ts";
import { policyKey } from "./schema-key.ts";
import { duration, formatDuration, number, text } from "./scalars.ts";

/** `policy: NAME`, or `policy: { name: NAME, ...options }`; every policy of the menu is there by itself. */
export const policySchema: z.ZodType<PolicyConfig> = z.union([
  z.enum(POLICIES.map((spec) => spec.name)).transform(withDefaults),
  z.discriminatedUnion("name", POLICIES.map(specSchema) as [PolicyMap, ...PolicyMap[]]),
]);

type PolicyMap = ReturnType<typeof specSchema>;

// The type is left to the compiler: a discriminated union wants to see the map in it.
function specSchema(spec: PolicySpec) {
  const shape: Record<string, z.ZodType> = { name: z.literal(spec.name).describe(spec.summary) };
  for (const [name, field] of Object.entries(spec.options)) shape[name] = fieldSchema(name, field);
  return z.strictObject(shape).transform(({ name, ...options }): PolicyConfig => {
    return { name: name as string, options: options as Record<string, FieldValue> };
  });
}

function withDefaults(name: string): PolicyConfig {
  const spec = POLICIES.find((candidate) => candidate.name === name)!;
  return { name, options: defaultOptions(spec.options) };
}

function fieldSchema(name: string, field: Field): z.ZodType {
  switch (field.kind) {
    case "number":
      return number(field.min, field.max).prefault(field.default).describe(field.about);
    case "duration": {
      const written = formatDuration(field.default);
      return duration(field.min, field.max).prefault(written).describe(field.about);
    }
    case "text": {
      const schema = name === "key" ? policyKey() : text("text", { what: "a text", example: field.default });
      return schema.prefault(field.default).describe(field.about);
    }
  }
}
