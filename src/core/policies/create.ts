import { POLICIES } from "./index.ts";
import {
  defaultOptions,
  type Field,
  type FieldValue,
  type Policy,
  type PolicyKit,
  type PolicyOptions,
} from "./policy.ts";

/**
 * A policy by its name in the menu, with the options given and defaults for the rest.
 * Throws RangeError for a name, an option or a value that does not exist, naming those that do.
 */
export function createPolicy(name: string, kit: PolicyKit, given: PolicyOptions = {}): Policy {
  const spec = POLICIES.find((candidate) => candidate.name === name);
  if (spec === undefined) {
    const names = POLICIES.map((candidate) => candidate.name).join(", ");
    throw new RangeError(`policy "${name}" does not exist; choose one of ${names}`);
  }
  for (const [option, value] of Object.entries(given)) check(name, option, spec.options[option], value);
  return spec.create({ ...defaultOptions(spec.options), ...given }, kit);
}

function check(policy: string, option: string, field: Field | undefined, value: FieldValue): void {
  if (field === undefined) throw new RangeError(`policy ${policy} has no option "${option}"`);
  if (field.kind === "text") {
    if (typeof value === "string") return;
  } else if (typeof value === "number" && value >= field.min && value <= field.max) return;
  const range = field.kind === "text" ? "a text" : `a number from ${field.min} to ${field.max}`;
  throw new RangeError(`policy ${policy}: ${option} is ${String(value)}; it must be ${range}`);
}
