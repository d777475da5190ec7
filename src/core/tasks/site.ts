import type { Waiting } from "./engine-link.ts";
import { Profile } from "./profile.ts";
import { fits } from "./resources.ts";
import type { Resources } from "./task.ts";

/** What a plan needs to know of a worker. */
export interface PlanWorker {
  readonly name: string;
  readonly facts: {
    readonly slots: number;
    readonly resources: Resources;
    readonly labels: Readonly<Record<string, string>>;
    readonly loops: readonly string[];
  };
  /** Null: nobody speaks for it. */
  readonly connection: object | null;
  readonly isDraining: boolean;
  readonly pausedUntilMs: number;
  readonly used: Resources;
  readonly leases: ReadonlyMap<string, Stay>;
  /** Affinity keys that are warm there. */
  readonly affinities?: ReadonlySet<string>;
}

/** Something that runs. */
export interface Stay {
  readonly sinceMs: number;
  readonly predictedMs: number;
  readonly resources: Resources;
}

/** A worker in a plan: as it is, and as it will be. */
export class Site<W extends PlanWorker> {
  readonly worker: W;
  /** How many times the median worker's seconds it takes. */
  readonly slowness: number;
  /** Nothing begins there before. */
  readonly openMs: number;
  readonly #nowMs: number;
  readonly #dimensions: readonly string[];
  /** Made when somebody asks for what comes later; most plans need few. */
  #profile: Profile | null = null;

  constructor(worker: W, slowness: number, nowMs: number, dimensions: readonly string[]) {
    this.worker = worker;
    this.slowness = slowness;
    this.openMs = Math.max(nowMs, worker.pausedUntilMs);
    this.#nowMs = nowMs;
    this.#dimensions = dimensions;
  }

  /** Slots that are free now. */
  get freeSlots(): number {
    return this.openMs > this.#nowMs ? 0 : Math.max(0, this.worker.facts.slots - this.worker.leases.size);
  }

  /** It could run there at all. */
  suits({ labels, loop, resources }: Waiting): boolean {
    const { facts } = this.worker;
    if (loop !== "" && !facts.loops.includes(loop)) return false;
    for (const name in labels) if (facts.labels[name] !== labels[name]) return false;
    return facts.slots > 0 && fits(facts.resources, NOTHING_USED, resources);
  }

  /** It has run something lately that the task would like to find there. */
  isWarmFor({ affinity }: Waiting): boolean {
    const { affinities } = this.worker;
    return affinities !== undefined && affinity.some((key) => affinities.has(key));
  }

  hasRoomNow({ resources }: Waiting, want: readonly number[]): boolean {
    if (this.openMs > this.#nowMs) return false;
    if (this.#profile !== null) return this.#profile.isFreeFirst(want);
    return this.freeSlots > 0 && fits(this.worker.facts.resources, this.worker.used, resources);
  }

  /** When it could begin. */
  earliestMs(task: Waiting, want: readonly number[], runMs: number): number {
    if (this.#profile === null && this.hasRoomNow(task, want)) return this.openMs;
    return this.#profileNow().earliest(want, runMs);
  }

  /** It will run there. To be called before the worker is changed. */
  reserve(want: readonly number[], fromMs: number, runMs: number): void {
    this.#profileNow().take(want, fromMs, runMs);
  }

  #profileNow(): Profile {
    if (this.#profile !== null) return this.#profile;
    const { facts, leases } = this.worker;
    const free = amountsOf(facts.resources, facts.slots, this.#dimensions);
    const ends: { readonly atMs: number; readonly amounts: readonly number[] }[] = [];
    for (const stay of leases.values()) {
      const amounts = amountsOf(stay.resources, 1, this.#dimensions);
      for (const [i, amount] of amounts.entries()) free[i]! -= amount;
      ends.push({ atMs: Math.max(this.openMs, this.#nowMs + leftMs(stay, this.#nowMs)), amounts });
    }
    ends.sort((a, b) => a.atMs - b.atMs);
    const profile = new Profile(this.openMs, free);
    for (const { atMs, amounts } of ends) profile.release(atMs, amounts);
    this.#profile = profile;
    return profile;
  }
}

/** A slot and the resources, in the order of the plan's dimensions. */
export function amountsOf(resources: Resources, slots: number, dimensions: readonly string[]): number[] {
  const amounts = [slots];
  for (const name of dimensions) amounts.push(resources[name] ?? 0);
  return amounts;
}

/**
 * What has taken longer than expected will take half as long again: the later, the less is sure. Never
 * nothing: what has not ended has its place.
 */
function leftMs({ sinceMs, predictedMs }: Stay, nowMs: number): number {
  const elapsedMs = Math.max(0, nowMs - sinceMs);
  return Math.max(1, elapsedMs < predictedMs ? predictedMs - elapsedMs : elapsedMs / 2);
}

const NOTHING_USED: Resources = {};
