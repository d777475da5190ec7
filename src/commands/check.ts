import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";

/**
 * `evener check [FILE]`: validates a configuration; prints what it means, or every problem with its place.
 */
export function check(file: string, options: { json: boolean }): void {
  const config = options.json ? loadOrPrintProblems(file) : loadConfig(file);
  if (config === null) return;
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ ok: true, pools: config.pools.length, routes: config.routes.length })}\n`,
    );
    return;
  }
  process.stdout.write(`${file}: valid\n`);
  for (const { host, port } of config.listeners) process.stdout.write(`  listens on ${host}:${port}\n`);
  for (const { match, pool } of config.routes) {
    process.stdout.write(`  ${match.host ?? "any host"} ${match.path} -> pool ${pool}\n`);
  }
  for (const { name, policy, backends } of config.pools) {
    process.stdout.write(`  pool ${name}: ${policy.name} over ${backends.map(({ id }) => id).join(", ")}\n`);
  }
}

/** Problems as JSON, for programs; null and exit code 1 then. */
function loadOrPrintProblems(file: string): Config | null {
  try {
    return loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, problems } = error;
    process.stdout.write(`${JSON.stringify({ ok: false, code, message, problems })}\n`);
    process.exitCode = 1;
    return null;
  }
}
