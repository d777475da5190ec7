import type { BenchOptions } from "../../measure/options.ts";
import type { Peer } from "../proxies/peer.ts";

/** Something that all proxies have to do; adding one is a file of its own and a line in `index.ts`. */
export interface Workload {
  /** As in `--workload`. */
  readonly name: string;
  readonly summary: string;
  /** Starts what it needs, measures and ends it; throws when something can not be started. */
  run(peers: readonly Peer[], options: BenchOptions): Promise<Outcome>;
}

/** What a workload found. */
export interface Outcome {
  /** A heading, how it was measured and a table. */
  text: string;
  rows: readonly SummaryRow[];
  /** False when a request failed, or an event was lost, doubled, broken or out of order. */
  isGood: boolean;
}

/** A row of the summary. */
export interface SummaryRow {
  label: string;
  /** By the name of the peer; the yardstick's is 1. */
  ratios: ReadonlyMap<string, number>;
  /** What Evener is to reach at the most; undefined where nothing was promised. */
  aim?: number;
}
