import type { Wish } from "../core/health/endpoint-health.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { Pool } from "../core/pool.ts";
import { EvenerError } from "../errors.ts";

/**
 * Applies `{"state", "weight", "limit"}`, any of them, to a backend: all or, when one value is wrong, none.
 * Returns what was changed, for the audit log. Throws EVENER_BAD_VALUE.
 */
export function changeBackend(pool: Pool, endpoint: Endpoint, wanted: unknown): string {
  const fields = fieldsOf(wanted, CHANGE_KEYS);
  // All are read before the first is applied.
  const state = fields.has("state") ? readState(fields.get("state")) : undefined;
  const weight = fields.has("weight") ? readWeight(fields.get("weight")) : undefined;
  const limit = fields.has("limit") ? readLimit(fields.get("limit")) : undefined;
  const what: string[] = [];
  if (weight !== undefined) {
    what.push(`weight ${valueText(endpoint.weightOverride)} -> ${valueText(weight)}`);
    endpoint.weightOverride = weight;
  }
  if (limit !== undefined) {
    what.push(`limit ${valueText(endpoint.limitOverride)} -> ${valueText(limit)}`);
    endpoint.limitOverride = limit;
  }
  if (state !== undefined) {
    what.push(`state ${endpoint.health.operator} -> ${state}`);
    pool.wish(endpoint.id, state);
  }
  pool.changed();
  return what.join(", ");
}

/** Takes `{"cpu", "memory", "gpu"}`, 0..1 or null each, as the backend's report. Throws EVENER_BAD_VALUE. */
export function reportVitals(pool: Pool, endpoint: Endpoint, report: unknown): void {
  const fields = fieldsOf(report, VITALS_KEYS);
  const [cpu, memory, gpu] = VITALS_KEYS.map((key) => readVital(key, fields.get(key)));
  pool.reported(endpoint, cpu!, memory!, gpu!);
}

const CHANGE_KEYS = ["state", "weight", "limit"] as const;
const VITALS_KEYS = ["cpu", "memory", "gpu"] as const;
const WISHES: readonly Wish[] = ["ready", "drain", "down"];
/** The same bounds as in the configuration. */
const WEIGHT_MIN = 0.001;
const WEIGHT_MAX = 1_000_000;
const LIMIT_MAX = 1_000_000;

/** The fields of an object that has at least one of `keys` and no other. */
function fieldsOf(value: unknown, keys: readonly string[]): Map<string, unknown> {
  const names = keys.map((key) => `"${key}"`).join(", ");
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badValue(`the body is ${shown(value)}; send an object with ${names}, any of them`);
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  for (const key of fields.keys()) {
    if (!keys.includes(key)) throw badValue(`${shown(key)} is not a key here; there are ${names}`);
  }
  if (fields.size === 0) throw badValue(`the object is empty; send ${names}, any of them`);
  return fields;
}

function readState(value: unknown): Wish {
  const wish = WISHES.find((each) => each === value);
  if (wish === undefined) throw badValue(`state is ${shown(value)}; it can be "ready", "drain" or "down"`);
  return wish;
}

function readWeight(value: unknown): number | null {
  if (value === null) return null;
  if (typeof value === "number" && value >= WEIGHT_MIN && value <= WEIGHT_MAX) return value;
  const hint = value === 0 ? '; to send nothing there, set "state": "drain"' : "";
  throw badValue(
    `weight is ${shown(value)}; it can be ${WEIGHT_MIN} to ${WEIGHT_MAX},` +
      ` or null for the configured one${hint}`,
  );
}

function readLimit(value: unknown): number | null {
  if (value === null) return null;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= LIMIT_MAX) return value;
  throw badValue(
    `limit is ${shown(value)}; it can be a whole number, 1 to ${LIMIT_MAX}, 0 for none,` +
      " or null for the configured one",
  );
}

function readVital(key: string, value: unknown): number {
  if (value === undefined || value === null) return Number.NaN;
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw badValue(`${key} is ${shown(value)}; it can be 0 to 1, or null for unknown`);
}

function valueText(override: number | null): string {
  return override === null ? "as configured" : String(override);
}

/** What was found, short: it may be anything of any length. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

const SHOWN_MAX = 60;

function badValue(message: string): EvenerError {
  return new EvenerError("EVENER_BAD_VALUE", message);
}
