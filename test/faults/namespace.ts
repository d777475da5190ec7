// What only the suite's own namespaces may have: packets that vanish, small disks, limits of memory.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Packets to that port vanish until the returned function is called. */
export function blackhole(port: number): () => void {
  return rule(`tcp dport ${port} drop`);
}

/** Connections to that port are refused or reset until the returned function is called. */
export function reject(port: number): () => void {
  return rule(`tcp dport ${port} reject with tcp reset`);
}

function rule(text: string): () => void {
  const table = `faults${++tables}`;
  nft(`add table inet ${table}`);
  nft(`add chain inet ${table} input { type filter hook input priority 0; }`);
  nft(`add rule inet ${table} input ${text}`);
  let isThere = true;
  return () => {
    if (isThere) nft(`delete table inet ${table}`);
    isThere = false;
  };
}

let tables = 0;

function nft(command: string): void {
  assertOwn();
  execFileSync("nft", command.split(" "));
}

/** A small disk of the trial's own, in the suite's own mount namespace; its folder. */
export function mountTmpfs(
  trial: { folder: string; afterAll(undo: () => void): void },
  size: string,
): string {
  assertOwn();
  const folder = mkdtempSync(join(trial.folder, "disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  trial.afterAll(() => execFileSync("umount", [folder]));
  return folder;
}

/** A limit of memory. */
export interface MemoryLimit {
  /** The command line that runs the rest of it below the limit, from its first byte on: as in a container. */
  readonly under: readonly string[];
  /** What the kernel counts against it, its own side of sockets included where it does that. */
  readonly usedBytes: () => number;
}

/** A memory limit for one process, gone with the run; version 1 or 2 of cgroups. */
export function limitMemory(bytes: number): MemoryLimit {
  assertOwn();
  const isFirst = isFirstVersion();
  const folder = join(groups(), `${process.env.EVENER_FAULTS_NAMESPACE}-${++tables}`);
  mkdirSync(folder);
  writeFileSync(`${folder}/${isFirst ? "memory.limit_in_bytes" : "memory.max"}`, String(bytes));
  const usage = `${folder}/${isFirst ? "memory.usage_in_bytes" : "memory.current"}`;
  return {
    under: ["sh", "-c", `echo $$ > ${folder}/cgroup.procs; exec "$@"`, "sh"],
    usedBytes: () => Number(readFileSync(usage, "utf8")),
  };
}

/** Removes the limits of a run that has ended, or was broken off: they belong to no namespace. */
export async function removeLimits(namespace: string): Promise<void> {
  if (!existsSync(groups())) return;
  const left = readdirSync(groups()).filter((name) => name.startsWith(`${namespace}-`));
  for (const name of left) {
    const isRemoved = await isRemovedSoon(join(groups(), name));
    if (!isRemoved) process.stderr.write(`faults: ${join(groups(), name)} is left over\n`);
  }
}

/** A group can be removed when its last process is gone, which may take a moment. */
async function isRemovedSoon(folder: string): Promise<boolean> {
  for (let i = 0; i < 50; i++) {
    try {
      rmdirSync(folder);
      return true;
    } catch {
      await sleep(100);
    }
  }
  return false;
}

function isFirstVersion(): boolean {
  return existsSync("/sys/fs/cgroup/memory");
}

function groups(): string {
  return isFirstVersion() ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
}

function assertOwn(): void {
  if (process.env.EVENER_FAULTS_NAMESPACE === undefined) throw new Error("no namespace of our own");
}
