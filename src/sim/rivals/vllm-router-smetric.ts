/**
 * What: `smetric` of vLLM's router: stay with the session while its worker meets the first-token objective.
 * Formula: work(i) = queued prefill + own uncached tokens on i; rate(i) = p90 of the last 64 (work / time to
 * first token), from 8 samples on; i meets when work(i) / rate(i) <= 1 s + 0.0625 s per 1000 prompt tokens
 * (unknown rate: yes). prev = longest known prefix, then the least work, then the last. In a later turn, with
 * prev's prefix above 0.5 of what the turn before sent, and prev meets or nobody does: prev. Else argmin
 * work(i) x requests in flight; equal ones in turn. Work is queued until the first token. The tree is that of
 * `cache_aware`.
 * Source: vllm-project/router src/policies/smetric.rs (the version whose configuration has
 * ttft_slo_secs_per_1k_tokens, with its README's defaults; the one at 8bef731 measures in characters); arXiv
 * 2607.08565.
 * Left out: reading the messages. A session's later requests are its later turns, and its last prompt what
 * the turn before sent. A request without a session is a later turn when more than half of its prompt is
 * known, for then more than half of what the turn before sent is.
 */
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { InFlight } from "./in-flight.ts";
import { PendingPrefill } from "./pending-prefill.ts";
import { PrefixTree } from "./prefix-tree.ts";

const HIT_RATIO = 0.5;
const TTFT_S = 1;
const TTFT_S_PER_TOKEN = 0.0625 / 1000;
const SAMPLES_MAX = 64;
const SAMPLES_MIN = 8;
const QUANTILE = 0.9;
const EVICTION_INTERVAL_S = 120;
const TREE_TOKENS_MAX = 2 ** 26 / 4;

/** The fastest of an engine's recent prefills, in tokens per second. */
class PrefillRate {
  readonly #samples: number[] = [];
  #rate = NaN;

  /** NaN is unknown. */
  get rate(): number {
    return this.#rate;
  }

  record(rate: number): void {
    if (this.#samples.length === SAMPLES_MAX) this.#samples.shift();
    this.#samples.push(rate);
    if (this.#samples.length < SAMPLES_MIN) return;
    const sorted = Float64Array.from(this.#samples).sort();
    this.#rate = sorted[Math.round(QUANTILE * (sorted.length - 1))]!;
  }
}

interface Candidate {
  readonly engine: number;
  readonly hit: number;
  readonly own: number;
  readonly work: number;
  readonly meets: boolean;
}

class VllmRouterSmetric implements Router {
  readonly name = "vllm_router_smetric";
  readonly #tree = new PrefixTree();
  readonly #inFlight = new InFlight();
  readonly #pending = new PendingPrefill();
  readonly #rates: PrefillRate[] = [];
  /** Tokens of the last prompt, by session. */
  readonly #sessions = new Map<number, number>();
  #turn = 0;
  #evictions = 0;

  route(request: SimRequest, view: FleetView, nowS: number): number {
    if (view.engines.length === 0) return -1;
    this.#evictWhenDue(nowS);
    const candidates = view.engines.map((engine) => this.#candidate(engine, request));
    const previous = longestKnown(candidates);
    const chosen = this.#stays(request, previous, candidates) ? previous : this.#leastLoaded(candidates);
    this.#tree.insert(request, chosen.engine);
    if (request.session >= 0) this.#sessions.set(request.session, request.inputTokens);
    this.#pending.book(request.id, chosen.engine, chosen.own, nowS);
    this.#inFlight.started(chosen.engine);
    return chosen.engine;
  }

  firstToken(request: SimRequest, engine: number, nowS: number): void {
    const booking = this.#pending.release(request.id);
    if (booking === undefined || booking.work <= 0 || nowS <= booking.atS) return;
    (this.#rates[engine] ??= new PrefillRate()).record(booking.work / (nowS - booking.atS));
  }

  finished(request: SimRequest, facts: AnswerFacts): void {
    this.#end(request, facts.engine);
  }

  failed(request: SimRequest, engine: number): void {
    this.#end(request, engine);
  }

  #candidate(engine: number, request: SimRequest): Candidate {
    const hit = this.#tree.matchOf(request, engine);
    const own = Math.max(0, request.inputTokens - hit);
    const work = this.#pending.at(engine) + own;
    const rate = this.#rates[engine]?.rate ?? NaN;
    const meets = Number.isNaN(rate) || work / rate <= TTFT_S + TTFT_S_PER_TOKEN * request.inputTokens;
    return { engine, hit, own, work, meets };
  }

  #stays(request: SimRequest, previous: Candidate, candidates: readonly Candidate[]): boolean {
    const history =
      request.session >= 0 ? (this.#sessions.get(request.session) ?? Infinity) : request.inputTokens;
    if (previous.hit <= HIT_RATIO * history) return false;
    return previous.meets || !candidates.some((candidate) => candidate.meets);
  }

  #leastLoaded(candidates: readonly Candidate[]): Candidate {
    const score = (candidate: Candidate): number => candidate.work * this.#inFlight.at(candidate.engine);
    const best = Math.min(...candidates.map(score));
    const equals = candidates.filter((candidate) => score(candidate) === best);
    return equals[this.#turn++ % equals.length]!;
  }

  #end(request: SimRequest, engine: number): void {
    this.#pending.release(request.id);
    this.#inFlight.ended(engine);
  }

  #evictWhenDue(nowS: number): void {
    const due = Math.floor(nowS / EVICTION_INTERVAL_S);
    if (due <= this.#evictions) return;
    this.#evictions = due;
    this.#tree.evict(TREE_TOKENS_MAX);
  }
}

function longestKnown(candidates: readonly Candidate[]): Candidate {
  let best = candidates[0]!;
  for (const candidate of candidates) {
    if (candidate.hit > best.hit || (candidate.hit === best.hit && candidate.work <= best.work))
      best = candidate;
  }
  return best;
}

export const vllmRouterSmetric: RouterSpec = {
  name: "vllm_router_smetric",
  summary: "stay with the known prefix while its prefill meets 1 s + 62.5 us/token, else work x in flight",
  create: () => new VllmRouterSmetric(),
};
