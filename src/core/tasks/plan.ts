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
    let best: Option<W> | null = null;
    let soonestNow: Option<W> | null = null;
    for (const site of this.#sites) {
      if (!site.suits(task)) continue;
      const isNow = site.hasRoomNow(task, want);
      const option = this.#optionAt(site, task, want, ms, best, isNow);
      if (option === null) continue;
      if (isGood(option, best)) best = option;
      if (option.startMs <= this.#nowMs && isGood(option, soonestNow)) soonestNow = option;
    }
    if (best === null) return "nowhere";
    if (best.startMs > this.#nowMs && soonestNow !== null && soonestNow.endMs <= untilMs) best = soonestNow;
    const isNow = best.startMs <= this.#nowMs;
    if (isNow) this.#freeNow--;
    // Nobody asks any more when the last place is given.
    if (this.#freeNow > 0) best.site.reserve(want, best.startMs, ms * best.site.slowness);
    if (isNow) return best.site.worker;
    return this.#sites.some((site) => site.suits(task) && site.hasRoomNow(task, want)) ? "waits" : "full";
  }

  /** How it would go there; null: certainly not better than the best, and not now. */
  #optionAt(
    site: Site<W>,
    task: Waiting,
    want: readonly number[],
    ms: number,
    best: Option<W> | null,
    isNow: boolean,
  ): Option<W> | null {
    const runMs = ms * site.slowness;
    // What is warm there is worth a part of the time that it takes, and so bounded.
    const costMs = site.isWarmFor(task) ? runMs * (1 - WARM_PART) : runMs;
    if (!isNow && best !== null && site.openMs + costMs > best.endMs + TIE_PART * runMs) return null;
    const startMs = site.earliestMs(task, want, runMs);
    if (startMs === Number.POSITIVE_INFINITY) return null;
    return { site, startMs, endMs: startMs + costMs, runMs };
  }
}

interface Option<W extends PlanWorker> {
  readonly site: Site<W>;
  readonly startMs: number;
  readonly endMs: number;
  readonly runMs: number;
}

/** It ends sooner; where that makes next to no difference, more of its slots are free. */
function isGood<W extends PlanWorker>(option: Option<W>, best: Option<W> | null): boolean {
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
