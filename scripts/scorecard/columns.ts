import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { ENGINE_MODELS } from "../../src/sim/engine-models.ts";
import { ROUTERS } from "../../src/sim/routers.ts";

/**
 * One column of the scorecard: traffic, a rate, and what happens to the fleet. Rates were chosen before any
 * result and stay: a column is not changed because somebody wins or loses in it.
 */
export interface Column {
  /** As in file names and keys. */
  readonly name: string;
  readonly title: string;
  /** A recorded trace, or the name of a made-up workload. */
  readonly traffic: "mooncake-conversation.jsonl.gz" | "azure-conv-2023.csv.gz" | "made_up";
  readonly workload?: string;
  readonly requests: number;
  readonly isJittered: boolean;
  /** Each seed has another stretch of the trace; otherwise seeds draw only jitter and dice. */
  readonly hasStretches: boolean;
  /** Arrivals as a multiple of the capacity. */
  readonly rate: number;
  /** Of what the rate is a multiple: of a perfect spread by work, or of a fleet with a perfect cache. */
  readonly of: "work" | "cache";
  /** As in scenario files; `25%` is a time: that share of the time in which requests arrive. */
  readonly faults: readonly string[];
}

const CONVERSATION: Column = {
  name: "conversation",
  title: "Conversation, jittered, at 0.85",
  traffic: "mooncake-conversation.jsonl.gz",
  requests: 12_031,
  isJittered: true,
  hasStretches: false,
  rate: 0.85,
  of: "work",
  faults: [],
};

const MADE_UP: Omit<Column, "name" | "title" | "workload" | "rate"> = {
  traffic: "made_up",
  requests: 4000,
  isJittered: false,
  hasStretches: false,
  of: "work",
  faults: [],
};

const STRETCH: Omit<Column, "name" | "title"> = { ...CONVERSATION, requests: 6000, hasStretches: true };

/** All columns, in the order of the page. */
export const COLUMNS: readonly Column[] = [
  CONVERSATION,
  {
    ...STRETCH,
    name: "conversation_raw",
    title: "Conversation as recorded (bursts every 3 s), at 0.85",
    isJittered: false,
  },
  {
    ...STRETCH,
    name: "conversation_overloaded",
    title: "Conversation, jittered, overloaded: at 1.05",
    rate: 1.05,
  },
  {
    ...MADE_UP,
    name: "shared_prefix",
    title: "Shared prefixes, calm: at 0.8 of what a perfect cache can do",
    workload: "shared_prefix",
    rate: 0.8,
    of: "cache",
  },
  {
    ...MADE_UP,
    name: "shared_prefix_overloaded",
    title: "Shared prefixes, overloaded: at 1.2 of what a perfect cache can do",
    workload: "shared_prefix",
    rate: 1.2,
    of: "cache",
  },
  {
    ...STRETCH,
    name: "slow_worker",
    title: "Conversation, jittered, at 0.65, one engine at 35 % of its speed from a tenth of the time on",
    rate: 0.65,
    faults: ["0: speed 0.35 from 10%"],
  },
  {
    ...STRETCH,
    name: "scale_out",
    title: "Conversation, jittered, at 0.95, two more engines (empty) from the middle on",
    rate: 0.95,
    faults: ["8: joins at 50%", "9: joins at 50%"],
  },
  {
    ...STRETCH,
    name: "azure_sessions",
    title: "Azure conversations with made-up sessions, at 0.9",
    traffic: "azure-conv-2023.csv.gz",
    requests: 8000,
    isJittered: false,
    rate: 0.9,
  },
  {
    ...MADE_UP,
    name: "agents",
    title: "Agents in a closed loop, at 0.9",
    workload: "agents",
    rate: 0.9,
  },
  {
    ...MADE_UP,
    name: "bursts",
    title: "Bursts of siblings, at 0.8",
    workload: "bursts",
    rate: 0.8,
  },
];

/** Engines of every fleet at its beginning. */
export const ENGINES = 8;

/** What is run: columns on engines under policies, with the seeds from 1 on. */
export interface Selection {
  readonly columns: readonly Column[];
  readonly engines: readonly string[];
  readonly policies: readonly string[];
  readonly seeds: number;
}

/** The whole scorecard. */
export const WHOLE: Selection = {
  columns: COLUMNS,
  engines: ENGINE_MODELS.map(({ name }) => name),
  // `auto` is `inference` for prompts: once is enough.
  policies: ROUTERS.map(({ name }) => name).filter((name) => name !== "auto"),
  seeds: 10,
};

/** Short: does everything run, and what would the page look like. Its figures say nothing. */
export const SMOKE: Selection = {
  ...WHOLE,
  columns: COLUMNS.map((column) => ({ ...column, requests: column.requests / 10 })),
  seeds: 1,
};

/** The faults of a column in seconds. */
export function faultTexts({ faults }: Column, arrivalsS: number): string[] {
  return faults.map((text) =>
    text.replace(/\b(\d+)%/g, (_, percent: string) => `${((Number(percent) / 100) * arrivalsS).toFixed(3)}s`),
  );
}

/** Path of a recorded trace. */
export function traceFile(traffic: string): URL {
  return new URL(`../../scenarios/traces/${traffic}`, import.meta.url);
}

/** What stands for a column's contents in keys of results: all that it says and the bytes of its trace. */
export function fingerprint(column: Column): string {
  const hash = createHash("sha256").update(JSON.stringify(column));
  if (column.traffic !== "made_up") hash.update(readFileSync(traceFile(column.traffic)));
  return hash.digest("hex").slice(0, 16);
}
