import { accessSync, constants, readFileSync } from "node:fs";
import { cpus, homedir, release } from "node:os";
import path from "node:path";

/** Who runs where, as `taskset -c` reads it: the measured program has a core to itself, its load another. */
export interface Cores {
  measured: string;
  load: string;
  /** Every core of this process, the load's as well: for programs with several threads. */
  all: string;
}

/** A command that a bench needs. */
export interface Program {
  command: string;
  /** What brings it, as a person types it. */
  install: string;
  /** Further places of its file, inside {@link cacheFolder}. */
  cached?: readonly string[];
}

/** The first two cores that this process may use; throws when there is only one or this is not Linux. */
export function chooseCores(): Cores {
  if (process.platform !== "linux")
    throw new Error(`this bench reads /proc: it needs Linux, not ${process.platform}`);
  const allowed = allowedCores();
  const [measured, load] = allowed;
  if (measured === undefined || load === undefined) {
    throw new Error(
      `this bench needs two cores, one for the proxy and one for its load; found ${allowed.length}`,
    );
  }
  return { measured: String(measured), load: String(load), all: allowed.join(",") };
}

/** `CPU model (n cores), Linux release`. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const cores = allowedCores().length;
  return `${model} (${cores} ${cores === 1 ? "core" : "cores"}), Linux ${release()}`;
}

/** The program's file, or undefined. A plain user's PATH lacks where daemons live. */
export function findProgram({ command, cached = [] }: Program): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(path.delimiter),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
  ];
  return [
    ...folders.filter((folder) => folder !== "").map((folder) => path.join(folder, command)),
    ...cached.map((file) => path.join(cacheFolder(), file)),
  ].find(isExecutable);
}

/** The program's file; throws an `Error` that says how to get it. */
export function requireProgram(program: Program): string {
  const file = findProgram(program);
  if (file !== undefined) return file;
  throw new Error(`${program.command} was not found: ${program.install}`);
}

/** Where this project keeps what it installed for its tests and benches. */
export function cacheFolder(): string {
  return path.join(process.env["XDG_CACHE_HOME"] ?? path.join(homedir(), ".cache"), "evener");
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `Cpus_allowed_list` is such as `0-3,8`: a container may own other cores than the first ones. */
function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
