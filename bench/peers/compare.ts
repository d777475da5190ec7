import { calibrate } from "../calibration.ts";
import { describeMachine } from "../measure/machine.ts";
import { type BenchOptions, UsageError } from "../measure/options.ts";
import { chooseLineup, chosen, type Lineup } from "./lineup.ts";
import { OURS } from "./proxies/index.ts";
import { soak } from "./soak.ts";
import { summaryTable } from "./summary.ts";
import { WORKLOADS } from "./workloads/index.ts";
import type { SummaryRow } from "./workloads/workload.ts";

/**
 * Every workload through every proxy, one workload after another: a table each and a summary of the ratios.
 * Resolves to false when a request failed somewhere.
 */
export async function comparePeers(options: BenchOptions): Promise<boolean> {
  const workloads = chosen("--workload", "workload", WORKLOADS, options.workload);
  if (options.soak && options.workload !== undefined) {
    throw new UsageError("--soak runs in place of the workloads: leave --workload out");
  }
  const only = options.only ?? (options.soak ? [OURS.name] : undefined);
  const lineup = chooseLineup(only);
  const nsPerStep = calibrate();
  print(await describeRun(lineup, options));
  let isGood = true;
  if (options.soak) {
    print(await soak(lineup.peers, options));
  } else {
    const rows: SummaryRow[] = [];
    for (const workload of workloads) {
      process.stderr.write(`${workload.name}: ${workload.summary}\n`);
      const outcome = await workload.run(lineup.peers, options);
      print(outcome.text);
      rows.push(...outcome.rows);
      isGood &&= outcome.isGood;
    }
    print(summaryTable(lineup.peers, rows));
  }
  print(`Calibration: ${nsPerStep.toFixed(2)} ns a step before, ${calibrate().toFixed(2)} after.`);
  return isGood;
}

/** Date, versions, machine and command: what the reader of a result has to know. */
async function describeRun({ peers, missing }: Lineup, { command, smoke }: BenchOptions): Promise<string> {
  const versions = await Promise.all(peers.map((peer) => peer.version()));
  const logs = peers.map(({ name, accessLog }) => `${name}: ${accessLog}`);
  return [
    `${new Date().toISOString().slice(0, 10)}, \`${command}\`: ${versions.join(", ")}.`,
    `${describeMachine()}; proxies on one core with one thread where not said otherwise, ` +
      "load and backends on another.",
    `Access logs: ${logs.join("; ")}.`,
    ...(smoke ? ["Smoke: one short round without warm-up; its numbers say nothing about any proxy."] : []),
    ...(missing.length === 0 ? [] : [`${missing.join("; ")}.`]),
  ].join("\n");
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`);
}
