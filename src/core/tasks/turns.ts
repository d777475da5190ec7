import { assign } from "./assign.ts";
import { Durations } from "./durations.ts";
import type { Turns, Waiting } from "./engine-link.ts";
import { FairQueue } from "./fair-queue.ts";
import { Plan } from "./plan.ts";
import { dominantShare } from "./resources.ts";
import type { TenantRules } from "./tenants.ts";
import type { Worker } from "./workers.ts";

/** Who is next, and where: the fair order, what is known of durations, and the plan over free places. */
export class TaskTurns implements Turns {
  readonly durations: Durations = new Durations();
  readonly #queue: FairQueue;
  /** What each that runs was charged. */
  readonly #charged: Map<string, number> = new Map();
  #total: Readonly<Record<string, number>> = {};

  constructor(rules?: TenantRules) {
    this.#queue = new FairQueue(rules);
  }

  get size(): number {
    return this.#queue.size;
  }

  oldestMs(nowMs: number): number {
    return this.#queue.oldestMs(nowMs);
  }

  enqueue(task: Waiting): void {
    this.#queue.add(task, this.durations.predictS(task.key, ""));
  }

  withdraw(id: string): void {
    this.#queue.remove(id);
  }

  assign(workers: Iterable<Worker>, nowMs: number, give: (id: string, worker: Worker) => void): void {
    const all = [...workers];
    this.#total = totalOf(all);
    const figures = {
      slowness: (worker: string): number => this.durations.slowness(worker),
      cost: (task: Waiting, seconds: number): number => this.#costOf(task, seconds),
    };
    assign(this.#queue, all, figures, nowMs, (task, worker) => give(task.id, worker));
  }

  choose(task: Waiting, workers: readonly Worker[], nowMs: number): Worker | null {
    const plan = new Plan(workers, (worker) => this.durations.slowness(worker), nowMs);
    const placed = plan.place(task, this.durations.predictS(task.key, "") * 1000, 0);
    return typeof placed === "string" ? null : placed;
  }

  predictS(key: string, worker: string): number {
    return this.durations.predictS(key, worker);
  }

  p95S(key: string, worker: string): number {
    return this.durations.p95S(key, worker);
  }

  began(task: Waiting, worker: string, nowMs: number): void {
    const cost = this.#costOf(task, this.durations.predictS(task.key, worker));
    this.#charged.set(task.id, (this.#charged.get(task.id) ?? 0) + cost);
    this.#queue.began(task, cost, nowMs);
  }

  ended(task: Waiting, worker: string, ranMs: number, isSample: boolean): void {
    const charged = this.#charged.get(task.id) ?? 0;
    this.#charged.delete(task.id);
    this.#queue.ended(task, charged, this.#costOf(task, ranMs / 1000));
    if (isSample) this.durations.observe(task.key, worker, ranMs / 1000);
    else this.durations.observeAtLeast(task.key, worker, ranMs / 1000);
    this.#queue.repredict(task.key, this.durations.predictS(task.key, ""));
  }

  /**
   * Worker-seconds times the part of the fleet that it holds: one slot of all where it names no resources.
   */
  #costOf({ resources }: Waiting, seconds: number): number {
    const slotPart = 1 / Math.max(1, this.#total[SLOTS] ?? 1);
    return seconds * Math.max(dominantShare(resources, this.#total), slotPart);
  }
}

function totalOf(workers: readonly Worker[]): Record<string, number> {
  const total: Record<string, number> = { [SLOTS]: 0 };
  for (const { facts } of workers) {
    total[SLOTS]! += facts.slots;
    for (const name in facts.resources) total[name] = (total[name] ?? 0) + facts.resources[name]!;
  }
  return total;
}

/** Can not be the name of a resource. */
const SLOTS = " slots";
