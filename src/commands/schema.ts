import { configJsonSchema } from "../config/json-schema.ts";

/** `evener schema`: prints the JSON Schema of the configuration, for editors. */
export function schema(): void {
  process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
}
