import { assign } from "../../src/core/tasks/assign.ts";
import { Durations } from "../../src/core/tasks/durations.ts";
import type { Waiting } from "../../src/core/tasks/engine-link.ts";
import { FairQueue } from "../../src/core/tasks/fair-queue.ts";
import { fits, giveBack, take } from "../../src/core/tasks/resources.ts";
import type { PlanWorker, Stay } from "../../src/core/tasks/site.ts";
import type { Random } from "../../src/core/kit/random.ts";

/** A worker of the floor. `slowness`: how long it really takes, in times of an ordinary one. */
export interface FloorWorker extends PlanWorker {
  isDraining: boolean;
  pausedUntilMs: number;
  readonly slowness: number;
  readonly used: Record<string, number>;
  readonly leases: Map<string, Stay>;
  /** Ordinary seconds of what it has run, and tasks. */
  doneS: number;
  doneTasks: number;
}

/** What has begun, where and when. */
export interface Start {
  readonly task: Waiting;
  readonly worker: FloorWorker;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Queue, durations and plan over workers in virtual time: the engine without its store and its agents. */
export class Floor {
  readonly queue: FairQueue = new FairQueue();
  readonly durations: Durations = new Durations();
  readonly workers: FloorWorker[];
  readonly starts: Start[] = [];
  readonly #seconds: Map<string, number> = new Map();
  readonly #running: Start[] = [];
  /** Whether speeds are known, or learned. */
  readonly #knownSpeeds: boolean;
  /** Whether the seconds of each task are known, or learned by key. */
  readonly #knownSeconds: boolean;
  nowMs = 0;

  constructor(workers: FloorWorker[], known: { readonly speeds: boolean; readonly seconds: boolean }) {
    this.workers = workers;
    this.#knownSpeeds = known.speeds;
    this.#knownSeconds = known.seconds;
  }

  get knowsSeconds(): boolean {
    return this.#knownSeconds;
  }

  /** `seconds`: on an ordinary worker, in truth. */
  submit(task: Waiting, seconds: number): void {
    this.#seconds.set(task.id, seconds);
    this.queue.add(task, this.#knownSeconds ? seconds : this.durations.predictS(task.key, ""));
  }

  /** What may begin now begins; then time goes on to the next end. False: nothing runs. */
  step(untilMs: number = Number.POSITIVE_INFINITY): boolean {
    this.#assign();
    this.#running.sort((a, b) => a.toMs - b.toMs);
    const next = this.#running[0];
    if (next === undefined || next.toMs > untilMs) {
      if (untilMs !== Number.POSITIVE_INFINITY) this.nowMs = untilMs;
      return false;
    }
    this.#running.shift();
    this.nowMs = next.toMs;
    this.#end(next);
    return true;
  }

  /** Runs until nothing is left; returns how long that took, s. */
  drain(): number {
    const fromMs = this.nowMs;
    while (this.step());
    if (this.queue.size > 0) throw new Error(`${this.queue.size} tasks wait while nothing runs`);
    return (this.nowMs - fromMs) / 1000;
  }

  #assign(): void {
    const figures = {
      slowness: (name: string): number =>
        this.#knownSpeeds ? this.#byName(name).slowness : this.durations.slowness(name),
      cost: (_: Waiting, seconds: number): number => seconds,
    };
    assign(this.queue, this.workers, figures, this.nowMs, (task, worker) => this.#begin(task, worker));
  }

  #byName(name: string): FloorWorker {
    return this.workers.find((worker) => worker.name === name)!;
  }

  #begin(task: Waiting, worker: FloorWorker): void {
    const { facts, leases, used } = worker;
    const isFeasible =
      leases.size < facts.slots &&
      fits(facts.resources, used, task.resources) &&
      Object.entries(task.labels).every(([name, value]) => facts.labels[name] === value) &&
      (task.loop === "" || facts.loops.includes(task.loop)) &&
      !worker.isDraining &&
      worker.connection !== null &&
      this.nowMs >= worker.pausedUntilMs;
    if (!isFeasible) throw new Error(`${task.id} can not run on ${worker.name} at ${this.nowMs}`);
    const seconds = this.#seconds.get(task.id)!;
    this.queue.remove(task.id);
    this.queue.began(task, seconds, this.nowMs);
    const predictedS = this.#knownSeconds
      ? seconds * (this.#knownSpeeds ? worker.slowness : this.durations.slowness(worker.name))
      : this.durations.predictS(task.key, worker.name);
    leases.set(task.id, {
      sinceMs: this.nowMs,
      predictedMs: predictedS * 1000,
      resources: task.resources,
    });
    take(used, task.resources);
    const toMs = this.nowMs + seconds * worker.slowness * 1000;
    const start = { task, worker, fromMs: this.nowMs, toMs };
    this.starts.push(start);
    this.#running.push(start);
  }

  #end({ task, worker, fromMs, toMs }: Start): void {
    const seconds = this.#seconds.get(task.id)!;
    worker.leases.delete(task.id);
    giveBack(worker.used, task.resources);
    worker.doneS += seconds;
    worker.doneTasks++;
    this.queue.ended(task, seconds, seconds);
    this.durations.observe(task.key, worker.name, (toMs - fromMs) / 1000);
    if (!this.#knownSeconds) this.queue.repredict(task.key, this.durations.predictS(task.key, ""));
  }
}

export function floorWorker(
  name: string,
  given: Partial<FloorWorker["facts"]> & { readonly slowness?: number } = {},
): FloorWorker {
  const { slowness = 1, ...facts } = given;
  return {
    name,
    slowness,
    facts: { slots: 1, resources: {}, labels: {}, loops: [], ...facts },
    connection: {},
    isDraining: false,
    pausedUntilMs: 0,
    used: {},
    leases: new Map(),
    doneS: 0,
    doneTasks: 0,
  };
}

export function floorTask(id: string, given: Partial<Waiting> = {}): Waiting {
  return {
    id,
    key: "k",
    tenant: "t",
    priority: 5,
    resources: {},
    labels: {},
    affinity: [],
    loop: "",
    sinceMs: 0,
    ...given,
  };
}

/** How long it takes when the longest goes first, each where it ends soonest; `places`: their slownesses. */
export function longestFirst(seconds: readonly number[], places: readonly number[]): number {
  const ends = places.map(() => 0);
  for (const it of seconds.toSorted((a, b) => b - a)) {
    let best = 0;
    for (let i = 1; i < ends.length; i++) {
      if (ends[i]! + it * places[i]! < ends[best]! + it * places[best]!) best = i;
    }
    ends[best]! += it * places[best]!;
  }
  return Math.max(...ends);
}

/** No plan takes less: all places busy to the end, and the k longest tasks on the k fastest places. */
export function lowerBound(seconds: readonly number[], places: readonly number[]): number {
  const sorted = seconds.toSorted((a, b) => b - a);
  const speeds = places.map((slowness) => 1 / slowness).sort((a, b) => b - a);
  let bound = 0;
  let work = 0;
  let speed = 0;
  for (let k = 0; k < Math.min(sorted.length, speeds.length); k++) {
    work += sorted[k]!;
    speed += speeds[k]!;
    bound = Math.max(bound, work / speed);
  }
  const all = sorted.reduce((sum, it) => sum + it, 0);
  return Math.max(bound, all / speeds.reduce((sum, it) => sum + it, 0));
}

/** Seconds of a task, of a kind of work. */
export type Mix = (dice: Random) => { readonly seconds: number; readonly key: string };

/** Mixed durations. Each key has its own typical time; within a key they spread by a tenth. */
export const MIXES: Readonly<Record<string, Mix>> = {
  lognormal: (dice) => {
    const key = dice.below(200);
    // Quantiles of a lognormal with sigma 1 by key.
    const typical = Math.exp(normalQuantile((key + 0.5) / 200));
    return { key: `k${key}`, seconds: typical * Math.exp(0.1 * normal(dice)) };
  },
  bimodal: (dice) => {
    const isLong = dice.below(10) === 0;
    return { key: isLong ? "long" : "short", seconds: (isLong ? 10 : 0.5) * Math.exp(0.1 * normal(dice)) };
  },
};

export function normal(dice: Random): number {
  return Math.sqrt(-2 * Math.log(1 - dice.float())) * Math.cos(2 * Math.PI * dice.float());
}

/** By bisection of the logistic approximation (Bowling et al., 2009): within 0.02 %, enough for a mix. */
function normalQuantile(part: number): number {
  let low = -6;
  let high = 6;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (1 / (1 + Math.exp(-(1.5976 * middle + 0.07056 * middle ** 3))) < part) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
