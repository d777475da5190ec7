import { accessSync, constants, readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import path from "node:path";

/** The two cores of a bench: the measured program has one to itself, all that loads it shares the other. */
export interface Cores {
  measured: number;
  load: number;
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
  return { measured, load };
}

/** `CPU model (n cores), Linux release`. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const cores = allowedCores().length;
  return `${model} (${cores} ${cores === 1 ? "core" : "cores"}), Linux ${release()}`;
}

/** The file that a command name stands for, or undefined. A plain user's PATH lacks where daemons live. */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(path.delimiter),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
  ];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
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
