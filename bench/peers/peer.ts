import type { Processes, Started } from "../measure/processes.ts";

/** A proxy that the benches can start; adding one is a file of its own and a line in `index.ts`. */
export interface Peer {
  /** As in `--only`. */
  readonly name: string;
  /** What it needs on this machine. */
  readonly programs: readonly Program[];
  /** How its access log is written, for the reader of the table; it has to be on. */
  readonly accessLog: string;
  /** Product and version, such as `nginx 1.22.1`. */
  version(): Promise<string>;
  /** Starts it and resolves when it is ready for traffic; throws when it does not get there. */
  start(place: Place): Promise<Running>;
}

/** A command and the Debian package that brings it. */
export interface Program {
  command: string;
  debianPackage: string;
}

/** Where a peer has to run: all listen on 127.0.0.1 and get the same backends. */
export interface Place {
  port: number;
  adminPort: number;
  backendPorts: readonly number[];
  /** A folder of its own for configuration, pid file and logs. */
  directory: string;
  /** Its access log, which the bench empties between rounds. */
  logFile: string;
  core: number;
  /** True when event streams are to pass without delay, false for plain requests. */
  streaming: boolean;
  processes: Processes;
  signal: AbortSignal;
}

/** A peer that takes traffic. */
export interface Running extends Started {
  /** Without a slash at its end. */
  url: string;
}
