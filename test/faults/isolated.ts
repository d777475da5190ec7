// A run of a row in namespaces of its own (network, mounts, processes): runs beside it share no port, no rule
// and no process with it, and whatever it has started ends with it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeLimits } from "./namespace.ts";
import { FOLDERS } from "./needs.ts";
import type { Outcome } from "./results.ts";
import type { Row } from "./row.ts";
import type { Length } from "./trial.ts";

/** One run that is to be made. */
export interface Run {
  readonly row: Row;
  readonly length: Length;
  readonly seed: number;
}

const living: Set<ChildProcess> = new Set();

/** Makes the run; one that ends without a word has failed, too. Null: {@link breakOff} has ended it. */
export async function runIsolated({ row, length, seed }: Run): Promise<Outcome | null> {
  if (isBrokenOff) return null;
  const folder = mkdtempSync(join(tmpdir(), "evener-faults-"));
  const flags = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const args = [...flags, process.execPath, PROGRAM, row.name, length, String(seed)];
  const child = spawn("unshare", args, {
    // Its stdin ends with us, and it with its stdin.
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      PATH: `${process.env.PATH}:${FOLDERS.join(":")}`,
      TMPDIR: folder,
      EVENER_FAULTS_NAMESPACE: basename(folder),
    },
  });
  living.add(child);
  // Every row has a bound of its own: this is for what hangs beyond it.
  const timer = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const how = await new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(`unshare: ${error.message}`));
    child.on("close", (code, signal) => resolve(`it ended with ${signal ?? code}, and said: ${text}`));
  });
  clearTimeout(timer);
  living.delete(child);
  rmSync(folder, { recursive: true, force: true });
  await removeLimits(basename(folder));
  if (isBrokenOff) return null;
  const line = text.split("\n").findLast((it) => it.startsWith("{"));
  if (line !== undefined) return JSON.parse(line) as Outcome;
  return { failure: `row ${row.name}, seed ${seed}: ${how}`, figures: {}, seconds: 0 };
}

let isBrokenOff = false;

/** Ends all runs at once; nothing of theirs stays. */
export function breakOff(): void {
  isBrokenOff = true;
  // unshare ignores other signals while it waits; all that runs in its namespaces dies with it.
  for (const child of living) child.kill("SIGKILL");
}

const PROGRAM = fileURLToPath(new URL("isolated-run.ts", import.meta.url));
const RUN_MS_MAX = 1_400_000;
