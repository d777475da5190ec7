import { readRssMb } from "../../measure/cpu.ts";
import type { BenchOptions } from "../../measure/options.ts";
import { showCount } from "../../measure/table.ts";
import { startStreamingBackends } from "../backends.ts";
import { runClient } from "../clients/client.ts";
import type { HoldReport } from "../clients/hold.ts";
import { SMALL_BODY } from "../payload.ts";
import { OURS } from "../proxies/index.ts";
import type { Peer } from "../proxies/peer.ts";
import { type AllResults, type Column, interleave, middle, ratiosOf } from "../rounds.ts";
import { type Contestant, oneThreadEach, type Session, withSession } from "../session.ts";
import { outcomeOf } from "./outcome.ts";
import { measureRequests, WARMUP_SECONDS } from "./requests.ts";
import type { Outcome, Workload } from "./workload.ts";

/** Resident memory: at the start, after some traffic, and what a client costs that only stays. */
export const memory: Workload = {
  name: "memory",
  summary: "resident memory, and what an idle connection and an open stream cost of it",
  run,
};

interface Sample {
  startedMb: number;
  warmMb: number;
  withMb: number;
  kbEach: number;
}

/** What clients hold open, and what Evener may use for one. */
const KINDS = [
  { kind: "idle", what: "idle keep-alive connection", kbMax: 10 },
  { kind: "streams", what: "open stream", kbMax: 20 },
] as const;

/** What Evener may use with one data thread, clients not counted. */
const RSS_MB_MAX = 110;
const HELD = 2000;
const HELD_SMOKE = 200;

/** Each kind has a session of its own: what a process once had it may keep and use again, unseen. */
async function run(peers: readonly Peer[], options: BenchOptions): Promise<Outcome> {
  const count = options.smoke ? HELD_SMOKE : HELD;
  const plan = {
    entrants: oneThreadEach(peers),
    streaming: true,
    startBackends: startStreamingBackends,
  };
  const outcomes: Outcome[] = [];
  for (const { kind, what, kbMax } of KINDS) {
    const outcome = await withSession(options, plan, async (session) => {
      const results = await interleave(
        session.contestants,
        { ...options, rounds: 1 },
        (contestant) => measure(contestant, kind, count, options, session),
        (sample) => `${showKb(sample.kbEach)} kB an ${what}`,
      );
      return outcomeOf(results, session, {
        heading: `memory: ${showCount(count)} times an ${what}`,
        notes: [
          "Resident memory of all processes, without the kernel's socket buffers.",
          `Evener is to use at most ${kbMax} kB each and ${RSS_MB_MAX} MB besides: ${judge(results, kbMax)}.`,
        ],
        cost: withMb,
        columns: COLUMNS,
        rows: [{ label: `memory: RSS with ${showCount(count)} ${what}s`, ratios: ratiosOf(results, withMb) }],
      });
    });
    outcomes.push(outcome);
  }
  return {
    text: outcomes.map(({ text }) => text).join("\n\n"),
    rows: outcomes.flatMap(({ rows }) => rows),
    isGood: outcomes.every(({ isGood }) => isGood),
  };
}

/** Traffic comes first: what a compiler and the first connections take is not the clients' that stay. */
async function measure(
  contestant: Contestant,
  kind: string,
  count: number,
  options: BenchOptions,
  session: Session,
): Promise<Sample> {
  const { url, pid } = contestant.running;
  const startedMb = readRssMb(pid);
  const seconds = options.smoke ? 1 : WARMUP_SECONDS;
  await measureRequests(contestant, { path: "/", answer: SMALL_BODY }, { ...options, seconds }, session);
  const report = await runClient<HoldReport>("hold", [url, count, kind, pid], 0, session);
  return {
    startedMb,
    warmMb: report.beforeMb,
    withMb: report.withMb,
    kbEach: ((report.withMb - report.beforeMb) * 1024) / count,
  };
}

function judge(results: AllResults<Sample>, kbMax: number): string {
  const ours = [...results].find(([{ peer }]) => peer === OURS)?.[1].samples[0];
  if (ours === undefined) return "it was not measured";
  const word = (isWithin: boolean): string => (isWithin ? "reached" : "missed");
  const each = `${word(ours.kbEach <= kbMax)} with ${showKb(ours.kbEach)} kB`;
  return `${each}, ${word(ours.warmMb <= RSS_MB_MAX)} with ${showCount(ours.warmMb)} MB after traffic`;
}

function withMb(sample: Sample): number {
  return sample.withMb;
}

function kbEach(sample: Sample): number {
  return sample.kbEach;
}

function showKb(kb: number): string {
  return kb.toFixed(1);
}

const COLUMNS: readonly Column<Sample>[] = [
  middle("RSS MB at the start", (sample) => sample.startedMb, showCount),
  middle("RSS MB after traffic", (sample) => sample.warmMb, showCount),
  middle("RSS MB with them", withMb, showCount),
  middle("kB each", kbEach, showKb),
];
