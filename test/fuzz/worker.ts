// One target's run, in a thread of its own: whoever watches it can end it where it hangs.
import { parentPort, workerData } from "node:worker_threads";
import { readCorpus } from "./corpus.ts";
import { shrink } from "./shrink.ts";
import { inputOf, tryInput } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

/** What a worker is told. */
export interface Order {
  readonly target: string;
  readonly seed: number;
  /** The first case, and so many at most. */
  readonly from: number;
  readonly casesMax: number;
  readonly durationMs: number;
  /** Whether a case of each outcome that the corpus does not have is told, too. */
  readonly isCollecting: boolean;
  /** The case at hand, for whoever watches. */
  readonly current: Int32Array<SharedArrayBuffer>;
}

/** What a worker reports: what was found, and at its end how many cases there were and what came of them. */
export type Report =
  | { readonly kind: "outcome"; readonly message: string; readonly input: string }
  | { readonly kind: "finding"; readonly number: number; readonly message: string; readonly input: string }
  | { readonly kind: "end"; readonly cases: number; readonly outcomes: number };

async function run(order: Order): Promise<void> {
  const target = TARGETS.find(({ name }) => name === order.target)!;
  const tell = (report: Report): void => parentPort!.postMessage(report);
  const outcomes = new Set<string>();
  const found = new Set<string>();
  const endMs = performance.now() + order.durationMs;
  await target.open?.();
  const known = new Set<string | Error>();
  if (order.isCollecting)
    for (const { input } of readCorpus(target.name)) known.add(await tryInput(target, input));
  let cases = 0;
  for (; cases < order.casesMax && performance.now() < endMs && found.size < FINDINGS_MAX; cases++) {
    const number = order.from + cases;
    Atomics.store(order.current, 0, number);
    const input = inputOf(target, order.seed, number);
    const result = await tryInput(target, input);
    if (typeof result === "string") outcomes.add(result);
    if (order.isCollecting && typeof result === "string" && !known.has(result)) {
      known.add(result);
      tell({ kind: "outcome", message: result, input: await shrink(target, input, result) });
    }
    // The same words, the same mistake.
    const words = result instanceof Error ? result.message.split("\n", 1)[0]! : "";
    if (!(result instanceof Error) || found.has(words)) continue;
    found.add(words);
    const shortest = await shrink(target, input, result);
    tell({ kind: "finding", number, message: result.message, input: shortest });
  }
  await target.close?.();
  tell({ kind: "end", cases, outcomes: outcomes.size });
}

/** More are consequences of the first ones. */
const FINDINGS_MAX = 10;

await run(workerData as Order);
