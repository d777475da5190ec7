import { didYouMean } from "../../src/config/suggest.ts";
import { findProgram, type Program, requireProgram } from "../measure/machine.ts";
import { UsageError } from "../measure/options.ts";
import { WRK } from "../measure/wrk.ts";
import { OPENSSL } from "./certificate.ts";
import { PEERS } from "./proxies/index.ts";
import type { Peer } from "./proxies/peer.ts";

/** Those that run, and a sentence for each that would if it were installed. */
export interface Lineup {
  peers: readonly Peer[];
  missing: readonly string[];
}

/**
 * The peers of `--only`, or all that are installed; throws when one is missing that is wanted, or a program
 * without which nothing is measured, and says how to get it.
 */
export function chooseLineup(only: readonly string[] | undefined): Lineup {
  for (const program of [TASKSET, WRK, OPENSSL]) requireProgram(program);
  if (only !== undefined) {
    const peers = chosen("--only", "peer", PEERS, only);
    for (const { program } of peers) if (program !== undefined) requireProgram(program);
    return { peers, missing: [] };
  }
  const missing: string[] = [];
  const peers = PEERS.filter(({ name, program, isOptional }) => {
    if (program === undefined || findProgram(program) !== undefined) return true;
    if (!isOptional) requireProgram(program);
    missing.push(`${name} is not installed (${program.install})`);
    return false;
  });
  return { peers, missing };
}

/** Those of a menu that were named, in the menu's order; all without names. Throws a {@link UsageError}. */
export function chosen<Entry extends { name: string }>(
  flag: string,
  what: string,
  menu: readonly Entry[],
  wanted: readonly string[] | undefined,
): readonly Entry[] {
  if (wanted === undefined) return menu;
  const names = menu.map((entry) => entry.name);
  for (const name of wanted) {
    if (names.includes(name)) continue;
    const hint = didYouMean(name, names) ?? `the ${what}s are ${names.join(", ")}`;
    throw new UsageError(`${flag} "${name}": no such ${what}; ${hint}`);
  }
  return menu.filter((entry) => wanted.includes(entry.name));
}

const TASKSET: Program = { command: "taskset", install: "apt-get install util-linux" };
