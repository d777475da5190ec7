import { EvenerError } from "../errors.ts";

/** The whole number `key` of a query string; throws EVENER_BAD_VALUE. */
export function readNumber(query: string, key: string, otherwise: number, min: number, max: number): number {
  const text = new URLSearchParams(query).get(key);
  if (text === null) return otherwise;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const found = JSON.stringify(text.slice(0, 40));
  throw new EvenerError("EVENER_BAD_VALUE", `${key} is ${found}; it can be a whole number, ${min} to ${max}`);
}

/** The JSON of a body; throws EVENER_BAD_VALUE. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : "";
    throw new EvenerError("EVENER_BAD_VALUE", `the body is not JSON: ${why}`, { cause: error });
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
