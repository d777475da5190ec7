import { parseArgs } from "node:util";

/** The flags of a bench, read and checked. */
export interface BenchOptions {
  /** A quick look that everything works: its numbers are not worth keeping. */
  smoke: boolean;
  /** Names of the peers or routers to run; undefined is all of them. */
  only: string[] | undefined;
  /** Length of one measurement, 1 to 60. */
  seconds: number;
  /** Measurements of each peer, 1 to 20. */
  rounds: number;
  /** Client connections or streams, 2 to 1024. */
  connections: number;
  /** Names of the workloads (peers) or parts (routers) to run; undefined is all of them. */
  workload: string[] | undefined;
  /** Run the soak in place of the workloads (peers). */
  soak: boolean;
  /** What was typed, for the record. */
  command: string;
  /** Aborts when the bench is interrupted. */
  signal: AbortSignal;
}

/** The command line asks for what there is not; the message says what to write. */
export class UsageError extends Error {}

/** Reads the arguments after the bench's name; throws a {@link UsageError}. */
export function readOptions(name: string, args: readonly string[], signal: AbortSignal): BenchOptions {
  const values = readFlags(args);
  const smoke = values.smoke === true;
  return {
    smoke,
    only: readList(values.only),
    workload: readList(values.workload),
    soak: values.soak === true,
    seconds: readInteger("--seconds", values.seconds, smoke ? 1 : 5, 1, 60),
    rounds: readInteger("--rounds", values.rounds, smoke ? 1 : 3, 1, 20),
    connections: readInteger("--connections", values.connections, 64, 2, 1024),
    command: ["npm run bench --", name, ...args].join(" "),
    signal,
  };
}

/** What a person can write after a bench's name. */
export const FLAGS_HELP = `  --smoke           one short round: does everything still run?
  --only A,B        only these peers (or routers, such as "vllm cache_aware")
  --workload A,B    only these workloads (of routers: live, cpu)
  --soak            10,000,000 requests through Evener (or --only): does its memory grow?
  --seconds N       length of one measurement, 1 to 60 (5)
  --rounds N        measurements of each peer, 1 to 20 (3)
  --connections N   client connections or streams, 2 to 1024 (64)`;

const FLAGS = {
  smoke: { type: "boolean" },
  only: { type: "string" },
  seconds: { type: "string" },
  rounds: { type: "string" },
  connections: { type: "string" },
  workload: { type: "string" },
  soak: { type: "boolean" },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>["values"];

function readFlags(args: readonly string[]): Flags {
  try {
    return parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function readList(text: string | undefined): string[] | undefined {
  return text?.split(",").map((entry) => entry.trim());
}

function readInteger(
  flag: string,
  text: string | undefined,
  standard: number,
  min: number,
  max: number,
): number {
  if (text === undefined) return standard;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`${flag} is "${text}": write a whole number from ${min} to ${max}`);
  }
  return value;
}
