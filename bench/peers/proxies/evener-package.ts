import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Builds Evener as `npm install` brings it: compiled, without its sources, beside our `node_modules`. A clone
 * runs the sources, and the compiler for that takes 30 MB. Returns the program; made once a run.
 */
export function builtProgram(): string {
  built ??= build();
  return built;
}

function build(): string {
  const compiler = path.join(ROOT, "node_modules", "typescript", "bin", "tsc");
  rmSync(PACKAGE, { recursive: true, force: true });
  const args = [compiler, "-p", "tsconfig.build.json", "--outDir", path.join(PACKAGE, "dist")];
  execFileSync(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
  for (const part of ["bin", "package.json"]) {
    cpSync(path.join(ROOT, part), path.join(PACKAGE, part), { recursive: true });
  }
  return path.join(PACKAGE, "bin", "evener.js");
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PACKAGE = path.join(ROOT, "tmp", "bench-package");
let built: string | undefined;
