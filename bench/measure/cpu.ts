import { readdirSync, readFileSync } from "node:fs";

/** CPU microseconds a process tree has used, as the kernel books them (steps of 10,000 µs). */
export interface CpuTime {
  userUs: number;
  systemUs: number;
}

/**
 * CPU time of a process, its threads, its living descendants and its children that were waited for.
 * Throws when the process is gone.
 */
export function readCpu(pid: number): CpuTime {
  const total: CpuTime = { userUs: 0, systemUs: 0 };
  for (const stat of readTree(pid)) {
    total.userUs += stat.userTicks * US_PER_TICK;
    total.systemUs += stat.systemTicks * US_PER_TICK;
  }
  return total;
}

/** Resident megabytes (MiB) of a process and its descendants; a page that two of them share counts twice. */
export function readRssMb(pid: number): number {
  let kilobytes = 0;
  for (const stat of readTree(pid)) {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${stat.pid}/status`, "latin1"));
    kilobytes += Number(found?.[1] ?? 0);
  }
  return kilobytes / 1024;
}

/** The process and all its living descendants. */
export function processTree(pid: number): number[] {
  return readTree(pid).map((stat) => stat.pid);
}

interface Stat {
  pid: number;
  parent: number;
  userTicks: number;
  systemTicks: number;
}

/** USER_HZ: what /proc counts in, whatever the kernel's own tick is; 100 wherever Node runs. */
const US_PER_TICK = 1_000_000 / 100;

function readTree(root: number): Stat[] {
  const first = readStat(root);
  if (first === undefined) throw new Error(`process ${root} is gone`);
  const tree = [first];
  const others = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => readStat(Number(entry)))
    .filter((stat) => stat !== undefined);
  // The list grows while it is walked: breadth first, bounded by the number of processes.
  for (const parent of tree) tree.push(...others.filter((stat) => stat.parent === parent.pid));
  return tree;
}

function readStat(pid: number): Stat | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined; // it ended between the listing and the reading
  }
  // proc_pid_stat(5): the name is in brackets and may hold anything; `state` is field 3.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { pid, parent: field(4), userTicks: field(14) + field(16), systemTicks: field(15) + field(17) };
}
