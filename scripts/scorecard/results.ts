import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { CodeHash } from "./code-hash.ts";
import { type Column, fingerprint } from "./columns.ts";
import type { Task, TaskResult } from "./run-task.ts";

/**
 * Results that are kept in a file, one JSON line a run, under a key of the code and of what was run. So a
 * scorecard that was broken off goes on where it was, and what a change does not touch counts again.
 */
export class Results {
  readonly #file: string;
  readonly code: CodeHash = new CodeHash();
  readonly #known: Map<string, TaskResult> = new Map();
  readonly #fingerprints: Map<Column, string> = new Map();

  constructor(file: string) {
    this.#file = file;
    mkdirSync(path.dirname(file), { recursive: true });
    const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    for (const line of lines) {
      const read = readLine(line);
      if (read !== null) this.#known.set(read.key, read.result);
    }
  }

  get(task: Task): TaskResult | undefined {
    return this.#known.get(this.#keyOf(task));
  }

  add(task: Task, result: TaskResult): void {
    const key = this.#keyOf(task);
    this.#known.set(key, result);
    const { column, engine, policy, seed } = task;
    const about = { column: column.name, engine, policy, seed };
    appendFileSync(this.#file, `${JSON.stringify({ key, ...about, result })}\n`);
  }

  #keyOf({ column, engine, policy, seed, seeds }: Task): string {
    let print = this.#fingerprints.get(column);
    if (print === undefined) {
      print = fingerprint(column);
      this.#fingerprints.set(column, print);
    }
    return [this.code.of(policy), print, engine, policy, seed, seeds].join(" ");
  }
}

/** A line that was cut off by an end in the middle is no result. */
function readLine(line: string): { key: string; result: TaskResult } | null {
  try {
    const { key, result } = JSON.parse(line) as { key: string; result: Stored };
    // JSON has no NaN: what was not measured comes back as null.
    const score = Object.fromEntries(
      Object.entries(result.score).map(([figure, value]) => [figure, value ?? Number.NaN]),
    );
    return { key, result: { ...result, score } as unknown as TaskResult };
  } catch {
    return null;
  }
}

interface Stored {
  readonly capacityPerS: number;
  readonly score: Readonly<Record<string, number | null>>;
}
