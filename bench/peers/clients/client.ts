import { fileURLToPath } from "node:url";

import type { Session } from "../session.ts";

/**
 * Runs one of the clients of this folder, each a program of its own, on the load's core. It has `seconds` and
 * {@link OVERTIME_MS} to set up; its last line is a report as JSON, whose `errors` are empty or are thrown.
 */
export async function runClient<Report extends { errors: string }>(
  name: string,
  args: readonly (string | number)[],
  seconds: number,
  { cores, processes }: Session,
): Promise<Report> {
  const script = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const output = await processes.run(
    { name, cores: cores.load, program: process.execPath, args: [script, ...args.map(String)] },
    seconds * 1000 + OVERTIME_MS,
  );
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- our own program's output
  const report = JSON.parse(output.trim().split("\n").at(-1) ?? "") as Report;
  if (report.errors !== "") throw new Error(report.errors);
  return report;
}

/** The client's side: the report is the last thing it says. */
export function finish(report: { errors: string }): void {
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
}

/** The first few things that went wrong; the rest is more of the same. */
export class Complaints {
  readonly #texts: string[] = [];
  /** Set it when the client ends what it started. */
  isOver = false;

  add(text: string): void {
    if (!this.isOver && this.#texts.length < COMPLAINTS_MAX) this.#texts.push(text);
  }

  /** Empty when all is well. */
  toString(): string {
    return this.#texts.join("; ");
  }
}

const OVERTIME_MS = 20_000;
const COMPLAINTS_MAX = 5;
