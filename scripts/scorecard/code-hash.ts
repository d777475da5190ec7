import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { CORE_ROUTERS } from "../../src/sim/core-router.ts";

/**
 * A hash of the code that decides what comes out for a policy: how a task is run, the simulator, and for the
 * product's own policies the core. Rivals need only what they import, so a change of a policy of ours leaves
 * their results as they are.
 */
export class CodeHash {
  readonly ours: string;
  readonly rivals: string;

  constructor() {
    const task = importedBy([fileOf("scripts/scorecard/run-task.ts")], new Set([MENU]));
    this.ours = hashOf(importedBy([fileOf("src/sim/core-router.ts")], new Set(task)));
    this.rivals = hashOf(importedBy([fileOf("src/sim/rivals/index.ts")], new Set(task)));
  }

  of(policy: string): string {
    return OURS.has(policy) ? this.ours : this.rivals;
  }
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OURS: ReadonlySet<string> = new Set(CORE_ROUTERS.map(({ name }) => name));
/** Words do not change results. */
const COMMENT_LINE = /^\s*(?:\/\/|\/?\*).*\n/gm;
/** Imports all policies; which of them is run, the task says. */
const MENU = fileOf("src/sim/routers.ts");

/** `files` and all that they import, beside what is in `known` already. */
function importedBy(files: readonly string[], known: Set<string>): string[] {
  const queue = [...files];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (known.has(file)) continue;
    known.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, target] of text.matchAll(/^(?:import|export)\b[^"';]*?from "(\.[^"]+)";/gm)) {
      queue.push(path.join(path.dirname(file), target!));
    }
  }
  return [...known];
}

function hashOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of [...files].sort()) {
    const code = readFileSync(file, "utf8").replace(COMMENT_LINE, "");
    hash.update(`${path.relative(ROOT, file)}\n${code}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

function fileOf(name: string): string {
  return path.join(ROOT, name);
}
