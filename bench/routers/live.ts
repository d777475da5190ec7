import { writeFileSync } from "node:fs";
import path from "node:path";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";

import { jain, scoreAnswers } from "../../src/sim/score.ts";
import { readCpu } from "../measure/cpu.ts";
import type { BenchOptions } from "../measure/options.ts";
import { oneThreadEach, type Session, withSession } from "../peers/session.ts";
import { askEngines, startEngines } from "./engines/report.ts";
import { comparisonTable, liveTable, orders, type LiveResult, type Pair } from "./live-table.ts";
import { DRAIN_S } from "./places.ts";
import type { Contender } from "./products/product.ts";
import { flightsOf, lateP99S, type LoadReport } from "./records.ts";
import { simulate } from "./simulated.ts";
import { ENGINES, type LiveWorkload } from "./workload.ts";

/** One router after the other, each beside what the simulator says of its policy. */
export async function compareLive(
  contenders: readonly Contender[],
  workload: LiveWorkload,
  options: BenchOptions,
): Promise<{ text: string; isGood: boolean }> {
  const pairs: Pair[] = [];
  for (const contender of contenders) {
    const { name } = contender.peer;
    const live = await runLive(contender, workload, options);
    const figures = `TTFT ${live.ttftMeanS.toFixed(2)} s, goodput ${live.goodput.toFixed(3)}`;
    process.stderr.write(`${name}: ${figures}, ${live.lost} lost\n`);
    pairs.push({
      name,
      simulated: contender.simulated,
      live,
      scores: simulate(contender.simulated, workload),
    });
  }
  const sections = [
    `### Live: ${ENGINES} engines behind sockets`,
    liveTable(pairs),
    "### Simulated beside live",
    comparisonTable(pairs),
    orders(pairs),
  ];
  return { text: sections.join("\n\n"), isGood: pairs.every(({ live }) => live.lost === 0) };
}

/** One router on fresh engines, from the first arrival to the last answer. */
async function runLive(
  contender: Contender,
  workload: LiveWorkload,
  options: BenchOptions,
): Promise<LiveResult> {
  const plan = {
    entrants: oneThreadEach([contender.peer]),
    backendCount: ENGINES,
    streaming: true,
    startBackends: startEngines,
  };
  return withSession(options, plan, async (session) => {
    const { running } = session.contestants[0]!;
    const before = readCpu(running.pid);
    const report = await load(running.url, workload, session);
    const after = readCpu(running.pid);
    const engines = await askEngines(session.backendPorts, options.signal);
    const flights = flightsOf(workload.requests, report.records);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const usedUs = after.userUs - before.userUs + after.systemUs - before.systemUs;
    return {
      ...scoreAnswers(flights),
      abandoned: sum(engines.map((it) => it.abandoned)),
      jain: jain(engines.map(({ busyS }) => busyS)),
      hitRate: sum(engines.map((it) => it.cachedTokens)) / sum(engines.map((it) => it.promptTokens)),
      lateP99S: lateP99S(workload.requests, report.records),
      cpuUs: usedUs / workload.requests.length,
      enginesBusy: engines[0]!.cpuS / engines[0]!.aliveS,
      problems: [...new Set(report.records.map(({ problem }) => problem))].filter(Boolean).slice(0, 3),
      machineLoad: loadavg()[0]!,
    };
  });
}

async function load(url: string, { requests }: LiveWorkload, session: Session): Promise<LoadReport> {
  const file = path.join(session.directory, "requests.json");
  writeFileSync(file, JSON.stringify(requests));
  const lastS = requests.at(-1)?.atS ?? 0;
  const launch = {
    name: "load",
    cores: session.cores.load,
    program: process.execPath,
    args: [fileURLToPath(new URL("load.ts", import.meta.url)), url, file],
  };
  const output = await session.processes.run(launch, Math.ceil(lastS + DRAIN_S + OVERTIME_S) * 1000);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as LoadReport;
}

const OVERTIME_S = 15;
