import { NO_OPTIONS, type Policy, type PolicyKit, type PolicySpec, type PoolView } from "./policy.ts";

/**
 * The endpoint with the lowest utilisation (the highest of its CPU, memory and GPU as reported, and what
 * waits inside of it), blended with what is in flight there.
 * When to use: endpoints serve others beside us, or work loads them in ways that counts do not show.
 * When not: nobody reports; it is `least_request` with less knowledge then.
 * Cost: O(n) a pick, no allocation (the peers' median is taken anew every 100 ms).
 * Source: HAProxy agent-check and ORCA for the reports. A report ages towards the peers' median (half in 10
 * s), and whoever does not report counts as the median, so that a missing report neither starves nor attracts
 * (P10). Work that failed in no time counts as in flight for a while, or who fails would look idle (P3).
 */
export const resource: PolicySpec = {
  name: "resource",
  summary: "the lowest CPU, memory or GPU use as reported, blended with what is in flight",
  options: NO_OPTIONS,
  create: (_options, kit) => new Resource(kit),
};

class Resource implements Policy {
  readonly #bases: Float64Array;
  /** Utilisation as estimated for {@link MEDIAN_MS}, and of which report: a new one counts at once. */
  readonly #estimates: Float64Array;
  readonly #estimatedOf: Float64Array;
  #median = UNKNOWN_UTILISATION;
  #medianAtMs = Number.NEGATIVE_INFINITY;
  readonly #random: PolicyKit["random"];

  constructor(kit: PolicyKit) {
    this.#bases = new Float64Array(kit.slotsMax);
    this.#estimates = new Float64Array(kit.slotsMax);
    this.#estimatedOf = new Float64Array(kit.slotsMax).fill(Number.NaN);
    this.#random = kit.random;
  }

  pick(view: PoolView): number {
    const { candidates, count, nowMs, ledger } = view;
    if (nowMs - this.#medianAtMs >= MEDIAN_MS || nowMs < this.#medianAtMs) this.#refresh(view);
    const { inFlight, burden, weight, reportedAtMs } = ledger;
    const estimates = this.#estimates;
    const estimatedOf = this.#estimatedOf;
    let best = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < count; i++) {
      const slot = candidates[i]!;
      const busy = (IN_FLIGHT_SHARE * (inFlight[slot]! + burden[slot]!)) / weight[slot]!;
      if (estimatedOf[slot] !== reportedAtMs[slot]) this.#estimate(view, slot);
      const score = estimates[slot]! + busy;
      if (score < bestScore) {
        bestScore = score;
        best = slot;
        ties = 1;
      } else if (score === bestScore) {
        ties++;
        if (this.#random.below(ties) === 0) best = slot;
      }
    }
    return best;
  }

  joined(slot: number): void {
    this.#estimatedOf[slot] = Number.NaN;
  }

  #estimate(view: PoolView, slot: number): void {
    const reportedAtMs = view.ledger.reportedAtMs[slot]!;
    const base = utilisation(view, slot);
    const freshness = Number.isNaN(base) ? 0 : Math.exp((reportedAtMs - view.nowMs) * DECAY_PER_MS);
    this.#estimates[slot] =
      freshness === 0 ? this.#median : freshness * base + (1 - freshness) * this.#median;
    this.#estimatedOf[slot] = reportedAtMs;
  }

  #refresh(view: PoolView): void {
    this.#estimatedOf.fill(Number.NaN);
    let known = 0;
    for (let i = 0; i < view.count; i++) {
      const slot = view.candidates[i]!;
      const base = utilisation(view, slot);
      const ageMs = view.nowMs - view.ledger.reportedAtMs[slot]!;
      if (!Number.isNaN(base) && ageMs <= FRESH_MS) this.#bases[known++] = base;
    }
    this.#medianAtMs = view.nowMs;
    if (known === 0) {
      this.#median = UNKNOWN_UTILISATION;
      return;
    }
    const sorted = this.#bases.subarray(0, known).sort();
    const middle = known >> 1;
    this.#median = known % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  }
}

const UNKNOWN_UTILISATION = 0.5;
/** Half of what a report says is left after 10 s. */
const DECAY_PER_MS = Math.LN2 / 10_000;
/** Older reports do not count for the median: three half-lives. */
const FRESH_MS = 30_000;
const MEDIAN_MS = 100;
/** One request in flight counts as much as 5 % of utilisation. */
const IN_FLIGHT_SHARE = 0.05;

/**
 * The highest of the three shares that were reported, and what waits there; NaN when nothing was. What waits
 * counts for one at most: where reports come with answers, who is sent nothing says nothing new, and a long
 * queue of once must have faded in half a minute.
 */
function utilisation(view: PoolView, slot: number): number {
  const { cpu, memory, gpu, queued } = view.ledger;
  let highest = cpu[slot]!;
  if (!(memory[slot]! <= highest)) highest = Number.isNaN(memory[slot]!) ? highest : memory[slot]!;
  if (!(gpu[slot]! <= highest)) highest = Number.isNaN(gpu[slot]!) ? highest : gpu[slot]!;
  if (Number.isNaN(queued[slot]!)) return highest;
  return (Number.isNaN(highest) ? 0 : highest) + Math.min(1, IN_FLIGHT_SHARE * queued[slot]!);
}
