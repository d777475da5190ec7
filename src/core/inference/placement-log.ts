// Hot path: numbers are copied, and references to texts that exist anyway; allocates nothing but once.
import type { Lease, PickReason } from "../lease.ts";
import type { Roster } from "../roster.ts";
import { CANDIDATES_KEPT_MAX, COST, COST_COLUMNS, type Weighing } from "./weighing.ts";

/**
 * Where the last prompts of a data plane went, and what every candidate would have cost: the answer to
 * "why there?". A ring, whose memory (about 800 KB) is taken with the first prompt and never grows.
 */
export class PlacementLog {
  #ring: Ring | null = null;
  #noted = 0;

  /** After a choice, before the next one: what the desk has weighed for this lease, if it weighs. */
  note(requestId: string, attempt: number, queueMs: number, lease: Lease, desk: WeighingDesk): void {
    const { weighing } = desk;
    if (weighing === undefined || weighing.lease !== lease) return;
    this.#ring ??= new Ring();
    const ring = this.#ring;
    const row = this.#noted++ % PLACEMENTS_KEPT_MAX;
    ring.writeId(row, requestId);
    ring.pools[row] = desk.name;
    ring.backends[row] = lease.endpoint!.id;
    ring.reasons[row] = lease.why;
    ring.bookedAtMs[row] = lease.bookedAtMs;
    ring.queueMs[row] = queueMs;
    ring.attempts[row] = attempt;
    ring.promptTokens[row] = lease.forecast.promptTokens;
    ring.totals[row] = weighing.total;
    ring.counts[row] = weighing.count;
    for (let place = 0; place < weighing.count; place++) {
      const at = row * CANDIDATES_KEPT_MAX + place;
      ring.candidates[at] = desk.roster.at(weighing.slotAt(place)).id;
      const from = weighing.figuresAt(place);
      const to = at * COST_COLUMNS;
      for (let i = 0; i < COST_COLUMNS; i++) ring.figures[to + i] = weighing.figures[from + i]!;
    }
  }

  /** Every attempt of that request that is still known, the first one first. */
  find(requestId: string, nowMs: number): Placement[] {
    const ring = this.#ring;
    const found: Placement[] = [];
    if (ring === null) return found;
    for (let i = Math.max(0, this.#noted - PLACEMENTS_KEPT_MAX); i < this.#noted; i++) {
      const row = i % PLACEMENTS_KEPT_MAX;
      if (ring.hasId(row, requestId)) found.push(ring.read(row, nowMs));
    }
    return found;
  }
}

/** The part of a desk that is remembered. */
export interface WeighingDesk {
  readonly name: string;
  readonly roster: Roster;
  readonly weighing: Weighing | undefined;
}

/** Where one attempt of a prompt went; plain data, which may be posted. */
export interface Placement {
  /** Milliseconds since it was placed. */
  readonly ageMs: number;
  readonly pool: string;
  readonly backend: string;
  readonly why: PickReason;
  /** 1 is the first; more are retries. */
  readonly attempt: number;
  /** Milliseconds that it waited for room; 0 is not at all. */
  readonly queueMs: number;
  readonly promptTokens: number;
  /** How many were compared; 0 where its session or a trial said where it goes. */
  readonly compared: number;
  /** The cheapest first, {@link CANDIDATES_KEPT_MAX} at most; the one it went to is among them. */
  readonly candidates: readonly CandidateCost[];
}

/** What a candidate would have cost, in milliseconds: see {@link COST}. */
export interface CandidateCost {
  readonly backend: string;
  readonly costMs: number;
  readonly waitingMs: number;
  readonly prefillMs: number;
  readonly surchargeMs: number;
  readonly standStillMs: number;
  readonly contextMs: number;
  readonly cachedTokens: number;
  readonly inFlight: number;
}

/** Placements that each data plane remembers. */
export const PLACEMENTS_KEPT_MAX = 1_000;
/** Of an id; those of requests are no longer. */
const ID_BYTES_MAX = 128;
const CANDIDATES = PLACEMENTS_KEPT_MAX * CANDIDATES_KEPT_MAX;

/** Columns of the rows. */
class Ring {
  readonly pools: string[] = blanks(PLACEMENTS_KEPT_MAX);
  readonly backends: string[] = blanks(PLACEMENTS_KEPT_MAX);
  readonly reasons: PickReason[] = Array.from({ length: PLACEMENTS_KEPT_MAX }, () => "policy");
  readonly bookedAtMs: Float64Array = new Float64Array(PLACEMENTS_KEPT_MAX);
  readonly queueMs: Float64Array = new Float64Array(PLACEMENTS_KEPT_MAX);
  readonly attempts: Int32Array = new Int32Array(PLACEMENTS_KEPT_MAX);
  readonly promptTokens: Int32Array = new Int32Array(PLACEMENTS_KEPT_MAX);
  readonly totals: Int32Array = new Int32Array(PLACEMENTS_KEPT_MAX);
  readonly counts: Uint8Array = new Uint8Array(PLACEMENTS_KEPT_MAX);
  /** Ids of endpoints: their slots may be others' by the time that somebody asks. */
  readonly candidates: string[] = blanks(CANDIDATES);
  readonly figures: Float32Array = new Float32Array(CANDIDATES * COST_COLUMNS);
  /** Bytes, not texts: the text may be a part of a whole head, which it would keep. */
  readonly #ids: Uint8Array = new Uint8Array(PLACEMENTS_KEPT_MAX * ID_BYTES_MAX);
  readonly #idBytes: Uint8Array = new Uint8Array(PLACEMENTS_KEPT_MAX);

  writeId(row: number, id: string): void {
    const length = Math.min(id.length, ID_BYTES_MAX);
    const at = row * ID_BYTES_MAX;
    this.#idBytes[row] = length;
    for (let i = 0; i < length; i++) this.#ids[at + i] = id.charCodeAt(i);
  }

  hasId(row: number, id: string): boolean {
    if (this.#idBytes[row] !== id.length) return false;
    const at = row * ID_BYTES_MAX;
    for (let i = 0; i < id.length; i++) if (this.#ids[at + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  read(row: number, nowMs: number): Placement {
    return {
      ageMs: Math.max(0, nowMs - this.bookedAtMs[row]!),
      pool: this.pools[row]!,
      backend: this.backends[row]!,
      why: this.reasons[row]!,
      attempt: this.attempts[row]!,
      queueMs: Math.max(0, this.queueMs[row]!),
      promptTokens: this.promptTokens[row]!,
      compared: this.totals[row]!,
      candidates: Array.from({ length: this.counts[row]! }, (_, place) =>
        this.#candidate(row * CANDIDATES_KEPT_MAX + place),
      ),
    };
  }

  #candidate(at: number): CandidateCost {
    const figure = (column: number): number => this.figures[at * COST_COLUMNS + column]!;
    return {
      backend: this.candidates[at]!,
      costMs: figure(COST.costMs),
      waitingMs: figure(COST.waitingMs),
      prefillMs: figure(COST.prefillMs),
      surchargeMs: figure(COST.surchargeMs),
      standStillMs: figure(COST.standStillMs),
      contextMs: figure(COST.contextMs),
      cachedTokens: figure(COST.cachedTokens),
      inFlight: figure(COST.inFlight),
    };
  }
}

function blanks(length: number): string[] {
  return Array.from({ length }, () => "");
}
