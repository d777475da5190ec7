import type { Waiting } from "./engine-link.ts";
import { fits } from "./resources.ts";
import type { Worker } from "./workers.ts";

/**
 * Who runs what now: list scheduling by earliest finish (HEFT, Topcuoglu et al. 2002) over the tasks of the
 * window in their order. Each goes to the place where it ends soonest, counting places that become free
 * later; only those whose place is free now are given. So a slow worker gets what it ends before a faster one
 * could, and nothing else. Places that are free in time stay for those that reserved them: what fits in
 * between may go first (backfilling).
 */
export class Plan {
  readonly #sites: Site[];
  readonly #nowMs: number;

  /** `slowness`: how many times an average worker's seconds it takes. */
  constructor(workers: Iterable<Worker>, slowness: (worker: string) => number, nowMs: number) {
    this.#nowMs = nowMs;
    this.#sites = [];
    for (const worker of workers) {
      if (worker.connection !== null && !worker.isDraining)
        this.#sites.push(new Site(worker, slowness(worker.name), nowMs));
    }
  }

  /** Places that are free now. */
  get freeNow(): number {
    return this.#sites.reduce((sum, site) => sum + site.freeAt(this.#nowMs), 0);
  }

  /** The worker that is to begin the task now; null: it waits. `ms`: on an average worker. */
  place(task: Waiting, ms: number): Worker | null {
    let best: Site | null = null;
    let bestEndMs = Number.POSITIVE_INFINITY;
    let bestStartMs = 0;
    for (const site of this.#sites) {
      if (!site.suits(task)) continue;
      const runMs = ms * site.slowness;
      const startMs = site.earliest(task, runMs, this.#nowMs);
      const endMs = startMs + runMs * (site.knows(task) ? 1 - AFFINITY_PART : 1);
      if (endMs >= bestEndMs) continue;
      best = site;
      bestEndMs = endMs;
      bestStartMs = startMs;
    }
    if (best === null || bestStartMs === Number.POSITIVE_INFINITY) return null;
    best.reserve(task, bestStartMs, ms * best.slowness);
    return bestStartMs <= this.#nowMs ? best.worker : null;
  }
}

/** What is taken of a worker, from when to when. */
interface Stay {
  readonly fromMs: number;
  readonly toMs: number;
  readonly resources: Waiting["resources"];
}

/** A worker, as it is and will be. */
class Site {
  readonly worker: Worker;
  readonly slowness: number;
  /** When each of its slots is free. */
  readonly #slots: number[];
  /** Of those that ask for more than a slot. */
  readonly #stays: Stay[] = [];

  constructor(worker: Worker, slowness: number, nowMs: number) {
    this.worker = worker;
    this.slowness = slowness;
    this.#slots = Array.from({ length: worker.facts.slots }, () => nowMs);
    let slot = 0;
    for (const { sinceMs, predictedMs, resources } of worker.leases.values()) {
      // What takes longer than expected is expected to go on for as long as it has been late.
      const leftMs = Math.max(Math.abs(predictedMs - (nowMs - sinceMs)), predictedMs * LEFT_PART_MIN, 1);
      if (slot < this.#slots.length) this.#slots[slot++] = nowMs + leftMs;
      if (hasAny(resources)) this.#stays.push({ fromMs: nowMs, toMs: nowMs + leftMs, resources });
    }
    if (nowMs < worker.pausedUntilMs) {
      for (let i = 0; i < this.#slots.length; i++)
        this.#slots[i] = Math.max(this.#slots[i]!, worker.pausedUntilMs);
    }
  }

  freeAt(nowMs: number): number {
    let free = 0;
    for (const atMs of this.#slots) if (atMs <= nowMs) free++;
    return free;
  }

  /** It could run there at all. */
  suits({ labels, loop, resources }: Waiting): boolean {
    const { facts } = this.worker;
    if (loop !== "" && !facts.loops.includes(loop)) return false;
    for (const name in labels) if (facts.labels[name] !== labels[name]) return false;
    return fits(facts.resources, NOTHING_USED, resources);
  }

  /** It has run something lately that the task would like to find there. */
  knows({ affinity }: Waiting): boolean {
    return affinity.some((key) => this.worker.affinities.has(key));
  }

  /** When it could begin. */
  earliest(task: Waiting, runMs: number, nowMs: number): number {
    if (this.#slots.length === 0) return Number.POSITIVE_INFINITY;
    const slotMs = Math.max(nowMs, Math.min(...this.#slots));
    if (this.#stays.length === 0 || !hasAny(task.resources)) return slotMs;
    if (this.#hasRoom(task, slotMs, runMs)) return slotMs;
    const ends = this.#stays.map(({ toMs }) => toMs).filter((toMs) => toMs > slotMs);
    for (const toMs of ends.toSorted((a, b) => a - b)) if (this.#hasRoom(task, toMs, runMs)) return toMs;
    return Number.POSITIVE_INFINITY;
  }

  reserve(task: Waiting, fromMs: number, runMs: number): void {
    let slot = 0;
    for (let i = 1; i < this.#slots.length; i++) if (this.#slots[i]! < this.#slots[slot]!) slot = i;
    this.#slots[slot] = fromMs + runMs;
    const { resources } = task;
    if (hasAny(resources)) this.#stays.push({ fromMs, toMs: fromMs + runMs, resources });
  }

  /** At its begin and whenever somebody else begins while it runs. */
  #hasRoom(task: Waiting, fromMs: number, runMs: number): boolean {
    const toMs = fromMs + runMs;
    if (!this.#fitsAt(task, fromMs)) return false;
    return this.#stays.every(
      (stay) => stay.fromMs <= fromMs || stay.fromMs >= toMs || this.#fitsAt(task, stay.fromMs),
    );
  }

  #fitsAt({ resources }: Waiting, atMs: number): boolean {
    const used: Record<string, number> = {};
    for (const stay of this.#stays) {
      if (stay.fromMs > atMs || stay.toMs <= atMs) continue;
      for (const name in stay.resources) used[name] = (used[name] ?? 0) + stay.resources[name]!;
    }
    return fits(this.worker.facts.resources, used, resources);
  }
}

function hasAny(resources: Waiting["resources"]): boolean {
  for (const _ in resources) return true;
  return false;
}

const NOTHING_USED = {};
/** Nothing ends in the very next moment, as a part of what it was expected to take. */
const LEFT_PART_MIN = 0.05;
/** What a worker that knows the task's data, model or session is preferred by, as a part of its time. */
const AFFINITY_PART = 0.2;
