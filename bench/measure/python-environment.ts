import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { cacheFolder, findProgram, type Program, requireProgram } from "./machine.ts";
import { Processes } from "./processes.ts";

/** Python products of others, as installed from a lock. */
export interface Installation {
  /** Where their programs are. */
  readonly bin: string;
  /** Such as `1.2.3`, by the name on PyPI. */
  readonly version: (name: string) => string;
}

/**
 * Installs them for good: into the cache's folder that has the lock's hash in its name, once, so that a fresh
 * checkout finds them again. Throws when that fails.
 */
export async function installPython(name: string, lockFile: URL, signal: AbortSignal): Promise<Installation> {
  const lock = readFileSync(lockFile, "utf8");
  const hash = createHash("sha256").update(lock).digest("hex").slice(0, 12);
  const folder = path.join(cacheFolder(), `${name}-${hash}`);
  if (!existsSync(path.join(folder, COMPLETE))) await install(folder, fileURLToPath(lockFile), signal);
  const version = (product: string): string =>
    new RegExp(`^${product}==(.+)$`, "m").exec(lock)?.[1] ?? "of unknown version";
  return { bin: path.join(folder, "bin"), version };
}

/** A file that is written last: without it a folder is what an interrupted installation has left. */
const COMPLETE = "complete";
const UV = "uv==0.13.9";
const STEP_MS_MAX = 600_000;
const PYTHON: Program = { command: "python3.11", install: "the lock was made for Python 3.11" };
const PYTHON_ANY: Program = { command: "python3", install: "apt-get install python3 python3-venv" };

async function install(folder: string, lock: string, signal: AbortSignal): Promise<void> {
  process.stderr.write(`installing ${path.basename(folder)} into ${folder}\n`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const processes = new Processes(folder, signal);
  const run = async (program: string, ...args: string[]): Promise<void> => {
    await processes.run({ name: path.basename(program), cores: CORES, program, args }, STEP_MS_MAX);
  };
  const inside = (name: string): string => path.join(folder, "bin", name);
  try {
    await run(findProgram(PYTHON) ?? requireProgram(PYTHON_ANY), "-m", "venv", folder);
    await run(inside("python"), "-m", "pip", "install", "--quiet", UV);
    const target = ["--python", inside("python"), "--no-deps", "--compile-bytecode"];
    await run(inside("uv"), "pip", "install", "--quiet", ...target, "--requirement", lock);
  } finally {
    await processes.end();
  }
  const draft = path.join(folder, `${COMPLETE}.draft`);
  writeFileSync(draft, "");
  renameSync(draft, path.join(folder, COMPLETE));
}

/** All that there are, as `taskset` reads it: nothing is measured here. */
const CORES = "0-1023";
