import { loadConfig } from "../config/load.ts";

/**
 * `evener check [FILE]`: validates a configuration; prints what it means, or every problem with its place.
 */
export function check(file: string, options: { json: boolean }): void {
  const config = loadConfig(file);
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
