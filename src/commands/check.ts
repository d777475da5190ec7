import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import { warningsOf } from "../config/warnings.ts";
import { EvenerError } from "../errors.ts";
import { addressText } from "../http1/address.ts";
import { describeMatch, describeTarget } from "./describe-route.ts";
import { explain, explanationText } from "./explain.ts";

/** Options of `evener check`. */
export interface CheckOptions {
  readonly json: boolean;
  /** A URL: what happens to a request for it? */
  readonly explain?: string;
  readonly method?: string;
  readonly model?: string;
  readonly header: readonly string[];
}

/**
 * `evener check [FILE]`: validates a configuration; prints what it means, or every problem with its place.
 * With `--explain URL` it prints what happens to that request.
 */
export function check(file: string, options: CheckOptions): void {
  const { explain: url, method, model, header, json } = options;
  if (url === undefined && (method !== undefined || model !== undefined || header.length > 0)) {
    throw new EvenerError(
      "EVENER_USAGE",
      "--method, --header and --model belong to a request: write --explain URL, too",
    );
  }
  const config = json ? loadOrPrintProblems(file) : loadConfig(file);
  if (config === null) return;
  if (url !== undefined) {
    const explanation = explain(config, {
      url,
      method: method ?? (model === undefined ? "GET" : "POST"),
      headers: header,
      model: model ?? null,
    });
    print(json ? `${JSON.stringify({ ok: true, ...explanation })}\n` : explanationText(explanation));
  } else if (json) {
    const { pools, routes } = config;
    const counts = { pools: pools.length, routes: routes.length };
    print(`${JSON.stringify({ ok: true, ...counts, warnings: warningsOf(config) })}\n`);
  } else print(summary(file, config));
}

function summary(file: string, config: Config): string {
  const { listeners, routes, pools } = config;
  const lines = [
    `${file}: valid`,
    ...listeners.map((listener) => {
      return `  listens on ${addressText(listener)}${listener.tls === null ? "" : " (TLS)"}`;
    }),
    ...routes.map((route) => `  ${describeMatch(route)} -> ${describeTarget(route.target)}`),
    ...pools.map(({ name, policy, backends }) => {
      return `  pool ${name}: ${policy.name} over ${backends.map(({ id }) => id).join(", ")}`;
    }),
    ...warningsOf(config).map((warning) => `  warning: ${warning}`),
  ];
  return `${lines.join("\n")}\n`;
}

function print(text: string): void {
  process.stdout.write(text);
}

/** Problems as JSON, for programs; null and exit code 1 then. */
function loadOrPrintProblems(file: string): Config | null {
  try {
    return loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, problems } = error;
    print(`${JSON.stringify({ ok: false, code, message, problems })}\n`);
    process.exitCode = 1;
    return null;
  }
}
