import { hashText } from "../../src/core/kit/hash.ts";
import { Random } from "../../src/core/kit/random.ts";

/** A part of Evener that takes what strangers send, and what must hold whatever that is. */
export interface Target {
  readonly name: string;
  readonly about: string;
  /** Inputs are text; else bytes as latin1. */
  readonly isText?: boolean;
  /** An input, from these dice alone. */
  make(random: Random): string;
  /** Throws where something does not hold; else says in a few words what came of it. */
  check(input: string): string | Promise<string>;
  /** Starts what `check` needs. */
  open?(): Promise<void>;
  close?(): Promise<void>;
}

/** Case `number` of a run: nothing but seed, name and number decides it, so that each can be had alone. */
export function inputOf(target: Target, seed: number, number: number): string {
  const input = target.make(new Random(seed).split(hashText(target.name)).split(number));
  // Some letters of latin1 have capitals that are none.
  return target.isText === true ? input : Buffer.from(input, "latin1").toString("latin1");
}

/** Checks `input`: what came of it, or the error. Nothing else is thrown. */
export async function tryInput(target: Target, input: string): Promise<string | Error> {
  try {
    return await target.check(input);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
