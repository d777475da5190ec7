import { readFileSync } from "node:fs";

/** A process as /proc shows it; null where it is gone, or there is no /proc. */
export interface ProcessState {
  /** `R`, `S`, `T` (stopped), `Z`, ... */
  readonly state: string;
  /** When it began, in ticks since the boot of the machine: with the pid, a name that is never used again. */
  readonly startTicks: string;
}

/** Reads /proc/PID/stat (proc_pid_stat(5)); the command's name may have spaces and parentheses in it. */
export function processState(pid: number): ProcessState | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0]!, startTicks: fields[19]! };
  } catch {
    return null;
  }
}

/** It has been stopped (SIGSTOP, a debugger), and does nothing till it is continued. */
export function isStopped(pid: number): boolean {
  const state = processState(pid)?.state;
  return state === "T" || state === "t";
}
