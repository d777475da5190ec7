import { findOrDemonstrate } from "./first-minute.ts";

/** `evener demo`: the demo, whatever runs on this machine. */
export async function demo(options: { load: boolean }): Promise<void> {
  await findOrDemonstrate({ load: options.load, mayScan: false });
}
