import type { Waiting } from "./engine-link.ts";
import { amountsOf, type PlanWorker, Site } from "./site.ts";

/**
 * Who runs what now: list scheduling by earliest finish (HEFT, Topcuoglu, Hariri and Wu, IEEE TPDS 2002) over
 * tasks in fair order. Each is put where it ends soonest, counting places that become free later, and only
 * those whose place is free now are given. So a slow worker gets what it ends before a faster one could. What
 * is to begin later keeps its place: others may go first where they are done by then (backfilling), so that
 * small tasks do not starve a big one. A plan is made for one moment, and not used again.
 */
export class Plan<W extends PlanWorker> {
  readonly #sites: Site<W>[] = [];
  /** Names of resources that any worker has. */
  readonly #dimensions: readonly string[];
  readonly #nowMs: number;
  #freeNow = 0;
  #speed = 0;

  /** `slowness`: how many times the median worker's seconds it takes, above 0. */
  constructor(workers: Iterable<W>, slowness: (worker: string) => number, nowMs: number) {
    this.#nowMs = nowMs;
    const names = new Set<string>();
    this.#dimensions = [];
    const dimensions: string[] = [];
    for (const worker of workers) {
      if (worker.connection === null || worker.isDraining) continue;
      const site = new Site(worker, slowness(worker.name), nowMs, dimensions);
      this.#sites.push(site);
      this.#freeNow += site.freeSlots;
      this.#speed += worker.facts.slots / site.slowness;
      for (const name in worker.facts.resources) {
        if (names.has(name)) continue;
        names.add(name);
        dimensions.push(name);
      }
    }
    this.#dimensions = dimensions;
  }

  /** Slots that are free and not given yet. */
  get freeNow(): number {
    return this.#freeNow;
  }

  /** When all slots together have done so many seconds of a median worker; Infinity: there is none. */
  doneMs(seconds: number): number {
    return this.#speed > 0 ? this.#nowMs + (seconds * 1000) / this.#speed : Number.POSITIVE_INFINITY;
  }

  /**
   * The worker that is to begin the task now; `waits`: for a better place; `full`: there is room for nothing
   * of this kind now, however short; `nowhere`: no worker that is there can ever run it. `ms`: on a median
   * worker. `untilMs`: where it is done by then, it takes a place that is free now, though another would end
   * it sooner; 0: it does not.
   */
  place(task: Waiting, ms: number, untilMs: number): W | "waits" | "full" | "nowhere" {
    const want = amountsOf(task.resources, 1, this.#dimensions);
    const later: Site<W>[] = [];
    let best: Option<W> | null = null;
    let soonestNow: Option<W> | null = null;
    for (const site of this.#sites) {
      if (!site.suits(task)) continue;
      if (!site.hasRoomNow(task, want)) {
        later.push(site);
        continue;
      }
      const option = optionAt(site, task, want, ms);
      if (isBetter(option, best)) best = option;
      if (option.startMs <= this.#nowMs && isBetter(option, soonestNow)) soonestNow = option;
    }
    const hasRoom = best !== null;
    for (const site of later) {
      if (best !== null && !couldBeBetter(site, task, ms, best)) continue;
      const option = optionAt(site, task, want, ms);
      if (isBetter(option, best)) best = option;
    }
    if (best === null) return "nowhere";
    if (best.startMs > this.#nowMs && soonestNow !== null && soonestNow.endMs <= untilMs) best = soonestNow;
    const isNow = best.startMs <= this.#nowMs;
    if (isNow) this.#freeNow--;
    // Nobody asks any more when the last place is given.
    if (this.#freeNow > 0) best.site.reserve(want, best.startMs, best.runMs);
    if (isNow) return best.site.worker;
    return hasRoom ? "waits" : "full";
  }
}

interface Option<W extends PlanWorker> {
  readonly site: Site<W>;
  readonly startMs: number;
  readonly endMs: number;
  readonly runMs: number;
}

/** How it would go there. */
function optionAt<W extends PlanWorker>(
  site: Site<W>,
  task: Waiting,
  want: readonly number[],
  ms: number,
): Option<W> {
  const runMs = ms * site.slowness;
  const startMs = site.earliestMs(task, want, runMs);
  return { site, startMs, endMs: startMs + costMsAt(site, task, ms), runMs };
}

/** What is warm there is worth a part of the time that it takes, and so bounded. */
function costMsAt<W extends PlanWorker>(site: Site<W>, task: Waiting, ms: number): number {
  return ms * site.slowness * (site.isWarmFor(task) ? 1 - WARM_PART : 1);
}

/** False, at little cost, where it would end later even if it began at once. */
function couldBeBetter<W extends PlanWorker>(
  site: Site<W>,
  task: Waiting,
  ms: number,
  best: Option<W>,
): boolean {
  const tieMs = TIE_PART * Math.min(ms * site.slowness, best.runMs);
  const endMs = site.openMs + costMsAt(site, task, ms);
  return endMs < best.endMs - tieMs || (site.openMs < best.startMs && endMs <= best.endMs + tieMs);
}

/** It ends sooner; where that makes next to no difference, more of its slots are free. */
function isBetter<W extends PlanWorker>(option: Option<W>, best: Option<W> | null): boolean {
  if (option.startMs === Number.POSITIVE_INFINITY) return false;
  if (best === null) return true;
  const gainMs = best.endMs - option.endMs;
  if (Math.abs(gainMs) > TIE_PART * Math.min(option.runMs, best.runMs)) return gainMs > 0;
  return option.startMs <= best.startMs && freePart(option.site) > freePart(best.site);
}

function freePart<W extends PlanWorker>({ worker, freeSlots }: Site<W>): number {
  return freeSlots / worker.facts.slots;
}

const WARM_PART = 0.2;
/** Speeds are not known better than that. */
const TIE_PART = 0.02;
