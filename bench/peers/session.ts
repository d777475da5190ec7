import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { chooseCores, type Cores } from "../measure/machine.ts";
import type { BenchOptions } from "../measure/options.ts";
import { findFreePorts } from "../measure/probe.ts";
import { Processes } from "../measure/processes.ts";
import type { BackendPlace } from "./backends.ts";
import { makeCertificate } from "./certificate.ts";
import { logMeter } from "./log-meter.ts";
import { NotThereYet, type Peer, type Running } from "./proxies/peer.ts";

/** One workload in progress: all peers run at once, those that are not measured stand idle. */
export interface Session {
  contestants: Contestant[];
  /** Those that lack what the workload is about, and what they say. */
  absent: Absent[];
  cores: Cores;
  directory: string;
  processes: Processes;
  backendPorts: readonly number[];
  /** What answers, such as `2 x nginx 1.22.1`. */
  backends: string;
}

/** A peer that is to run with so many threads. */
export interface Entrant {
  peer: Peer;
  threads: number;
  /** As the tables show it. */
  label: string;
}

/** A running peer. */
export interface Contestant extends Entrant {
  running: Running;
  /** Bytes in its access log since the last call, which empties it. */
  takeLogBytes(): number;
}

/** A peer that could not be started because it lacks something. */
export interface Absent extends Entrant {
  reason: string;
}

/** How a workload sets up its session. */
export interface SessionPlan {
  entrants: readonly Entrant[];
  /** The peers get every core, not one: for programs with several threads. */
  onAllCores?: boolean;
  streaming?: boolean;
  tls?: boolean;
  /** How many; without it, {@link BACKENDS}. */
  backendCount?: number;
  startBackends(place: BackendPlace): Promise<string>;
}

/** Every peer with one thread. */
export function oneThreadEach(peers: readonly Peer[]): Entrant[] {
  return peers.map((peer) => ({ peer, threads: 1, label: peer.name }));
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
  const cores = chooseCores();
  const { signal } = options;
  const directory = mkdtempSync(path.join(tmpdir(), "evener-bench-"));
  const processes = new Processes(directory, signal);
  try {
    const backendCount = plan.backendCount ?? BACKENDS;
    const backendPorts = await findFreePorts(backendCount);
    const place = { directory, cores: cores.load, processes, signal };
    const backends = `${backendCount} x ${await plan.startBackends({ ...place, ports: backendPorts })}`;
    const certificate =
      plan.tls === true ? await makeCertificate(directory, cores.load, processes) : undefined;
    const common = { cores, directory, processes, backends, backendPorts };
    const session: Session = { ...common, contestants: [], absent: [] };
    for (const entrant of plan.entrants) {
      const own = path.join(directory, entrant.label.replaceAll(/\W+/g, "-"));
      mkdirSync(own);
      const logFile = path.join(own, "access.log");
      const [port = 0, adminPort = 0] = await findFreePorts(2);
      try {
        const running = await entrant.peer.start({
          port,
          adminPort,
          backendPorts,
          directory: own,
          logFile,
          certificate,
          processes,
          signal,
          cores: plan.onAllCores === true ? cores.all : cores.measured,
          threads: entrant.threads,
          streaming: plan.streaming === true,
        });
        session.contestants.push({ ...entrant, running, takeLogBytes: logMeter(logFile) });
      } catch (error) {
        if (!(error instanceof NotThereYet)) throw error;
        session.absent.push({ ...entrant, reason: error.message });
      }
    }
    return await measure(session);
  } finally {
    await processes.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

const BACKENDS = 2;
