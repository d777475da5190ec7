import type { CandidateCost, Placement } from "../core/inference/placement-log.ts";
import { PLACEMENTS_KEPT_MAX } from "../core/inference/placement-log.ts";
import { EvenerError } from "../errors.ts";
import { conclusionOf } from "./conclusion.ts";

/** Why a request went where it went, as the API shows it; field names are those of the JSON. */
export interface WhyStatus {
  readonly id: string;
  /** One an attempt, the first one first. */
  readonly attempts: readonly AttemptStatus[];
}

/** One attempt of a request. Milliseconds, to a thousandth. */
export interface AttemptStatus {
  readonly attempt: number;
  readonly at: string;
  readonly pool: string;
  readonly backend: string;
  readonly why: string;
  readonly queue_ms: number;
  readonly prompt_tokens: number;
  readonly compared: number;
  readonly candidates: readonly CandidateStatus[];
  readonly conclusion: string;
}

/** What a candidate would have cost; `cost_ms` is the sum of the five after it. */
export interface CandidateStatus {
  readonly backend: string;
  readonly chosen: boolean;
  readonly cost_ms: number;
  readonly waiting_ms: number;
  readonly prefill_ms: number;
  readonly surcharge_ms: number;
  readonly stand_still_ms: number;
  readonly context_ms: number;
  readonly cached_tokens: number;
  readonly in_flight: number;
}

/** Throws EVENER_NOT_FOUND where nothing is known of the request. */
export function whyStatus(id: string, placements: readonly Placement[], wallMs: number): WhyStatus {
  if (placements.length === 0) {
    const kept = `the last ${PLACEMENTS_KEPT_MAX.toLocaleString("en-US")} prompts of each data thread are`;
    const which = "where the policy is auto or inference";
    throw new EvenerError(
      "EVENER_NOT_FOUND",
      `nothing is known of request ${JSON.stringify(id)}; ${kept} remembered, ${which}`,
    );
  }
  // Each thread knows its own: an id that a client uses twice may be in two.
  const attempts = placements.toSorted((a, b) => b.ageMs - a.ageMs);
  return { id, attempts: attempts.map((placement) => attemptStatus(placement, wallMs)) };
}

function attemptStatus(placement: Placement, wallMs: number): AttemptStatus {
  const { ageMs, pool, backend, why, attempt, queueMs, promptTokens, compared, candidates } = placement;
  return {
    attempt,
    at: new Date(wallMs - ageMs).toISOString(),
    pool,
    backend,
    why,
    queue_ms: rounded(queueMs),
    prompt_tokens: promptTokens,
    compared,
    candidates: candidates.map((candidate) => candidateStatus(candidate, backend)),
    conclusion: conclusionOf(placement),
  };
}

function candidateStatus(it: CandidateCost, chosen: string): CandidateStatus {
  return {
    backend: it.backend,
    chosen: it.backend === chosen,
    cost_ms: rounded(it.costMs),
    waiting_ms: rounded(it.waitingMs),
    prefill_ms: rounded(it.prefillMs),
    surcharge_ms: rounded(it.surchargeMs),
    stand_still_ms: rounded(it.standStillMs),
    context_ms: rounded(it.contextMs),
    cached_tokens: it.cachedTokens,
    in_flight: it.inFlight,
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
