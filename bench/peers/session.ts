import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { didYouMean } from "../../src/config/suggest.ts";
import { calibrate } from "../calibration.ts";
import { chooseCores, type Cores, describeMachine, findProgram } from "../measure/machine.ts";
import { type BenchOptions, UsageError } from "../measure/options.ts";
import { findFreePorts } from "../measure/probe.ts";
import { Processes } from "../measure/processes.ts";
import { median } from "../measure/statistics.ts";
import type { BackendPlace } from "./backends.ts";
import { PEERS, YARDSTICK } from "./index.ts";
import type { Peer, Program, Running } from "./peer.ts";

/** A comparison in progress: all peers run at once, those that are not measured stand idle. */
export interface Session {
  contestants: Contestant[];
  cores: Cores;
  directory: string;
  processes: Processes;
  /** Date, versions, machine and command: what the reader of a result has to know. */
  describe(): string;
}

/** A running peer. */
export interface Contestant {
  peer: Peer;
  running: Running;
  /** Bytes in its access log since the last call, which empties it. */
  takeLogBytes(): number;
}

/** How a bench sets up its session. */
export interface SessionPlan {
  /** Beyond what the peers themselves need. */
  programs: readonly Program[];
  streaming: boolean;
  startBackends(place: BackendPlace): Promise<string>;
}

/**
 * Starts backends and peers, calls `measure`, and whatever happens ends every process and removes every file.
 * Throws an `Error` that says what to do when something that is needed is missing.
 */
export async function withSession<T>(
  options: BenchOptions,
  plan: SessionPlan,
  measure: (session: Session) => Promise<T>,
): Promise<T> {
  const peers = choosePeers(options.only);
  requirePrograms([{ command: "taskset", debianPackage: "util-linux" }, ...plan.programs], peers);
  const cores = chooseCores();
  const directory = mkdtempSync(path.join(tmpdir(), "evener-bench-"));
  const processes = new Processes(directory, options.signal);
  try {
    const nsPerStep = calibrate();
    const backendPorts = await findFreePorts(BACKENDS);
    const { signal } = options;
    const backends = await plan.startBackends({
      ports: backendPorts,
      directory,
      core: cores.load,
      processes,
      signal,
    });
    const contestants: Contestant[] = [];
    const versions: string[] = [];
    for (const peer of peers) {
      const own = path.join(directory, peer.name);
      mkdirSync(own);
      const logFile = path.join(own, "access.log");
      const [port, adminPort] = await findFreePorts(2);
      const place = {
        port: port!,
        adminPort: adminPort!,
        backendPorts,
        directory: own,
        logFile,
        core: cores.measured,
      };
      versions.push(await peer.version());
      const running = await peer.start({ ...place, streaming: plan.streaming, processes, signal });
      contestants.push({ peer, running, takeLogBytes: logMeter(logFile) });
    }
    const date = new Date().toISOString().slice(0, 10);
    const describe = (): string =>
      [
        `${date}, \`${options.command}\`: ${versions.join(", ")}; backends: ${BACKENDS} x ${backends}.`,
        `${describeMachine()}; proxies on one core, load and backends on the other.`,
        `Calibration: ${nsPerStep.toFixed(2)} ns a step before, ${calibrate().toFixed(2)} after.`,
      ].join("\n");
    return await measure({ contestants, cores, directory, processes, describe });
  } finally {
    await processes.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Measures every contestant once a round, in turn (A B C A B C), so that what disturbs the machine for a
 * while disturbs all. The failure of one is in its results and does not end the others; an interrupt does.
 */
export async function interleave<Sample>(
  contestants: readonly Contestant[],
  options: BenchOptions,
  measure: (contestant: Contestant) => Promise<Sample>,
  show: (sample: Sample) => string,
): Promise<Map<Contestant, Results<Sample>>> {
  const results = new Map(contestants.map((contestant) => [contestant, newResults<Sample>()]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const [contestant, { samples, errors }] of results) {
      let shown: string;
      try {
        const sample = await measure(contestant);
        samples.push(sample);
        shown = show(sample);
      } catch (error) {
        options.signal.throwIfAborted();
        samples.push(undefined);
        shown = contestant.running.ended() ?? (error instanceof Error ? error.message : String(error));
        errors.push(shown.replaceAll(/[\s|]+/g, " "));
      }
      process.stderr.write(`round ${round}/${options.rounds} ${contestant.peer.name}: ${shown}\n`);
    }
  }
  return results;
}

/**
 * The median over the rounds of a contestant's cost divided by the yardstick's in the same round, such as
 * `1.12`; `-` when they have no round in common.
 */
export function ratioToYardstick<Sample>(
  results: ReadonlyMap<Contestant, Results<Sample>>,
  contestant: Contestant,
  cost: (sample: Sample) => number,
): string {
  const yardstick = [...results].find(([other]) => other.peer === YARDSTICK)?.[1].samples ?? [];
  const ratios = (results.get(contestant)?.samples ?? []).flatMap((sample, round) => {
    const base = yardstick[round];
    return sample === undefined || base === undefined ? [] : [cost(sample) / cost(base)];
  });
  return ratios.length === 0 ? "-" : median(ratios).toFixed(2);
}

/** How the numbers of a table came about. */
export function describeRounds({ rounds, seconds }: BenchOptions): string {
  return `Medians of ${rounds} x ${seconds} s, interleaved; the ratio is the median of the rounds' ratios.`;
}

/** One entry a round: undefined where the measurement failed, for the reason in `errors`. */
export interface Results<Sample> {
  samples: (Sample | undefined)[];
  errors: string[];
}

const BACKENDS = 2;

function newResults<Sample>(): Results<Sample> {
  return { samples: [], errors: [] };
}

function choosePeers(only: readonly string[] | undefined): Peer[] {
  if (only === undefined) return [...PEERS];
  const names = PEERS.map((peer) => peer.name);
  for (const name of only) {
    if (names.includes(name)) continue;
    const hint = didYouMean(name, names) ?? `the peers are ${names.join(", ")}`;
    throw new UsageError(`--only "${name}": no such peer; ${hint}`);
  }
  return PEERS.filter((peer) => only.includes(peer.name));
}

function requirePrograms(programs: readonly Program[], peers: readonly Peer[]): void {
  const needed = [...programs, ...peers.flatMap((peer) => peer.programs)];
  const missing = needed.filter((program) => findProgram(program.command) === undefined);
  if (missing.length === 0) return;
  const commands = missing.map((program) => program.command).join(", ");
  const packages = missing.map((program) => program.debianPackage).join(" ");
  throw new Error(`not found: ${commands}. On Debian: apt-get install ${packages}`);
}

/** Counts what is written to a log that is emptied at every look: no run may fill the disk. */
function logMeter(file: string): () => number {
  let endAtLastLook = 0;
  return () => {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return 0;
    // HAProxy does not write in append mode: after the cut it goes on at its old offset, behind a hole.
    const bytes = startsWithHole(file) ? size - endAtLastLook : size;
    endAtLastLook = size;
    truncateSync(file);
    return bytes;
  };
}

function startsWithHole(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    const first = Buffer.alloc(1);
    return readSync(descriptor, first) === 1 && first[0] === 0;
  } finally {
    closeSync(descriptor);
  }
}
