import type { Program } from "../../measure/machine.ts";
import type { Processes, Started } from "../../measure/processes.ts";
import type { Certificate } from "../certificate.ts";

/** A proxy that the benches can start; adding one is a file of its own and a line in `index.ts`. */
export interface Peer {
  /** As in `--only`. */
  readonly name: string;
  /** What it needs on this machine; undefined: what is in this repository. */
  readonly program?: Program;
  /** Runs beside the others where it is installed; the others have to be. */
  readonly isOptional: boolean;
  /** The fewest threads it can be told to use: 0 is the main thread alone. */
  readonly threadsMin: 0 | 1;
  /** How its access log is written, for the reader of the table; it has to be on. */
  readonly accessLog: string;
  /** Product and version, such as `nginx 1.22.1`. */
  version(): Promise<string>;
  /**
   * Starts it and resolves when it is ready for traffic. Throws when it does not get there, and a
   * {@link NotThereYet} when it does not have what the place asks for.
   */
  start(place: Place): Promise<Running>;
}

/** A peer that lacks what a workload is about: its row says so, and the others are measured. */
export class NotThereYet extends Error {}

/** Where a peer has to run: all listen on 127.0.0.1 and get the same backends. */
export interface Place {
  port: number;
  adminPort: number;
  backendPorts: readonly number[];
  /** A folder of its own for configuration, pid file and logs. */
  directory: string;
  /** Its access log, which the bench empties between rounds. */
  logFile: string;
  cores: string;
  /** Threads or worker processes that carry requests. */
  threads: number;
  /** True when event streams are to pass without delay, false for plain requests. */
  streaming: boolean;
  /** Speak TLS to clients with this. */
  certificate: Certificate | undefined;
  processes: Processes;
  signal: AbortSignal;
}

/** A peer that takes traffic. */
export interface Running extends Started {
  /** Without a slash at its end. */
  url: string;
}

/** Where a peer at this place is asked, without a slash at its end. */
export function urlOf({ port, certificate }: Place): string {
  return `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`;
}
