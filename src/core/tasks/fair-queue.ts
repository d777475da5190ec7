import { Heap } from "../kit/heap.ts";
import { TokenBucket } from "../kit/token-bucket.ts";
import type { Waiting } from "./engine-link.ts";
import { Flow, Item, LinesByKey, shapeOf } from "./fair-flow.ts";
import { FlowWalk, type Look, type WalkState } from "./fair-walk.ts";
import { DEFAULT_TENANT_RULE, type Tenant, type TenantRules } from "./tenants.ts";

/**
 * Whose turn it is. Between priorities the higher goes first; tasks of a tenant that are passed over rise by
 * one for each {@link AGE_MS}, and fall back when one of them begins. Between tenants of one priority:
 * start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), charged by worker-seconds times the dominant
 * share of resources: as predicted when a task begins, as measured when it has ended. Of one tenant the
 * longest first, then the oldest; every fourth turn goes to the oldest if it has waited for AGE_MS.
 * Add and remove are O(log(keys that wait)), a look is O(tenants + looks x log).
 */
export class FairQueue {
  readonly #tenants: Map<string, Tenant> = new Map();
  readonly #items: Map<string, Item> = new Map();
  readonly #byKey: LinesByKey = new LinesByKey();
  readonly #levels: readonly Level[] = Array.from({ length: PRIORITIES }, () => ({
    clock: 0,
    busy: 0,
    sweeps: 0,
    flows: new Set(),
  }));
  readonly #rules: TenantRules;
  #sequence = 0;
  /** There was no room when its turn came by age: it is shown first until it begins, which keeps room. */
  #due: Item | null = null;
  /** What has happened while somebody looks, and is done afterwards; null: nobody looks. */
  #postponed: (() => void)[] | null = null;

  constructor(rules: TenantRules = EVERYBODY_EQUAL) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#items.size;
  }

  /** Those that are not forgotten. */
  get tenantCount(): number {
    return this.#tenants.size;
  }

  /** Predicted seconds of all that wait. */
  get seconds(): number {
    let sum = 0;
    for (const { flows } of this.#levels) for (const { seconds } of flows) sum += seconds;
    return sum;
  }

  has(id: string): boolean {
    return this.#items.has(id);
  }

  /** How long the one has waited that waits longest, ms; 0 where nobody waits. */
  oldestMs(nowMs: number): number {
    let oldest = 0;
    for (const { flows } of this.#levels) {
      for (const flow of flows)
        if (flow.oldest !== null) oldest = Math.max(oldest, ageMs(flow.oldest, nowMs));
    }
    return oldest;
  }

  /** `seconds`: how long it is expected to run. Does nothing where it waits already. */
  add(task: Waiting, seconds: number): void {
    if (this.#items.has(task.id)) return;
    const item = new Item(task, this.#sequence++);
    this.#items.set(task.id, item);
    this.#now(() => {
      if (item.isGone) return;
      const flow = this.#flowOf(task);
      if (flow.waiting === 0) flow.passedOverSinceMs = task.sinceMs;
      const line = flow.lineFor(task.key, shapeOf(task), seconds);
      if (line.head === null) this.#byKey.add(line);
      flow.add(item, line);
      this.#levels[flow.priority]!.busy++;
    });
  }

  /** It waits no more: it begins, or nobody wants it. */
  remove(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    this.#items.delete(id);
    item.isGone = true;
    this.#now(() => {
      if (item.line === null) return;
      const { flow } = item.line.group;
      if (flow.remove(item)) this.#byKey.remove(item.line);
      this.#levels[flow.priority]!.busy--;
      this.#forgetIdle(flow);
    });
  }

  /** What was learned of a key meanwhile; changes of less than a twentieth change nothing. */
  repredict(key: string, seconds: number): void {
    this.#now(() => {
      for (let line = this.#byKey.first(key); line !== null; line = line.nextOfKey) {
        if (Math.abs(seconds / line.seconds - 1) >= REPREDICT_PART) line.group.flow.repredict(line, seconds);
      }
    });
  }

  /**
   * Calls `look` for what waits, in fair order, as if each began and cost what `cost` says; nobody leaves by
   * itself. Tenants at their limits are passed over, and what asks for the same as one that was `full`.
   * `look` may call all methods but this one.
   */
  walk(nowMs: number, cost: (task: Waiting, seconds: number) => number, look: Look): void {
    const ranks: Flow[][] = Array.from({ length: PRIORITIES }, () => []);
    const places = new Map<string, number>();
    for (const tenant of this.#tenants.values()) this.#enter(tenant, nowMs, ranks, places);
    const state: WalkState = { nowMs, cost, look, places, full: new Set(), due: null, looks: 0, fallen: [] };
    this.#postponed = [];
    try {
      if (!this.#lookAtDue(state)) return;
      for (let rank = PRIORITIES - 1; rank >= 0; rank--) {
        if (!this.#walkRank(rank, ranks[rank]!, state)) return;
      }
    } finally {
      const postponed = this.#postponed;
      this.#postponed = null;
      for (const act of postponed) act();
    }
  }

  /** The first ones in fair order, as if each began when its turn comes. */
  first(most: number, nowMs: number, cost: (task: Waiting, seconds: number) => number): Waiting[] {
    const seen: Waiting[] = [];
    if (most <= 0) return seen;
    this.walk(nowMs, cost, (task) => (seen.push(task) < most ? "begun" : "enough"));
    return seen;
  }

  /** It runs: its tenant is charged what is expected. It must have been removed. */
  began(task: Waiting, cost: number, nowMs: number): void {
    const tenant = this.#tenantOf(task.tenant, nowMs);
    const flow = this.#flowOf(task);
    const level = this.#levels[flow.priority]!;
    level.busy++;
    level.clock = Math.max(level.clock, flow.tag);
    flow.tag += cost / tenant.rule.weight;
    flow.turns++;
    flow.running++;
    flow.passedOverSinceMs = nowMs;
    tenant.running++;
    tenant.bucket.take(nowMs);
  }

  /** It has ended: what it has cost counts in the place of what was expected. */
  ended(task: Waiting, expected: number, measured: number): void {
    const tenant = this.#tenants.get(task.tenant);
    const flow = tenant?.flows[priorityOf(task)];
    if (tenant === undefined || flow === undefined || flow === null || flow.running === 0) return;
    flow.tag += (measured - expected) / tenant.rule.weight;
    flow.running--;
    tenant.running--;
    this.#levels[flow.priority]!.busy--;
    this.#now(() => this.#forgetIdle(flow));
  }

  /** Puts the flows of a tenant that may begin something where they stand by their rank. */
  #enter(tenant: Tenant, nowMs: number, ranks: readonly Flow[][], places: Map<string, number>): void {
    const left = Math.min(tenant.rule.runningMax - tenant.running, tenant.bucket.available(nowMs));
    if (left < 1) return;
    places.set(tenant.name, left);
    for (const flow of tenant.flows) {
      if (flow === null || flow.waiting === 0) continue;
      const steps = Math.floor(Math.max(0, nowMs - flow.passedOverSinceMs) / AGE_MS);
      ranks[Math.min(PRIORITIES - 1, flow.priority + steps)]!.push(flow);
    }
  }

  /** False: it is enough. */
  #lookAtDue(state: WalkState): boolean {
    const item = this.#due;
    if (item === null || item.isGone) this.#due = null;
    const places = state.places.get(item?.task.tenant ?? "") ?? 0;
    if (item === null || item.isGone || places < 1) return true;
    state.due = item;
    const answer = state.look(item.task, item.line!.seconds);
    if (answer === "full" || answer === "nowhere") state.full.add(item.line!.group.shape);
    if (answer === "nowhere") this.#due = null;
    if (answer === "begun") state.places.set(item.task.tenant, places - 1);
    return answer !== "enough";
  }

  /** False: it is enough. */
  #walkRank(rank: number, flows: readonly Flow[], state: WalkState): boolean {
    const { nowMs, places, full, fallen } = state;
    if (flows.length + fallen.length === 0) return true;
    const turns = new Heap<FlowWalk>((a, b) => a.goesBefore(b));
    for (const flow of flows) turns.push(new FlowWalk(flow, byAge(flow, nowMs), state.due));
    for (const walk of fallen) if (walk.flow.priority === rank) turns.push(walk);
    for (let turn = turns.pop(); turn !== undefined; turn = turns.pop()) {
      const { tenant, priority } = turn.flow;
      if (places.get(tenant)! < 1) continue;
      const item = turn.next(full);
      if (item === null) continue;
      const { seconds, group } = item.line!;
      const answer = state.look(item.task, seconds);
      if (answer === "enough") return false;
      if (answer === "full" || answer === "nowhere") full.add(group.shape);
      if (answer === "full" && state.looks === 0 && item === byAge(turn.flow, nowMs)) this.#due ??= item;
      state.looks++;
      if (answer === "begun") places.set(tenant, places.get(tenant)! - 1);
      turn.tag += state.cost(item.task, seconds) / this.#tenants.get(tenant)!.rule.weight;
      // Whoever has risen by age falls back when one of its tasks begins.
      if (answer === "begun" && priority < rank) fallen.push(turn);
      else turns.push(turn);
    }
    return true;
  }

  #now(act: () => void): void {
    if (this.#postponed === null) act();
    else this.#postponed.push(act);
  }

  #tenantOf(name: string, nowMs: number): Tenant {
    const known = this.#tenants.get(name);
    if (known !== undefined) return known;
    const rule = this.#rules(name);
    const bucket = new TokenBucket(rule.startsPerSecond, rule.startsBurst, nowMs);
    const flows = Array.from({ length: PRIORITIES }, () => null);
    const made: Tenant = { name, rule, bucket, flows, running: 0 };
    this.#tenants.set(name, made);
    return made;
  }

  #flowOf(task: Waiting): Flow {
    const { flows } = this.#tenantOf(task.tenant, task.sinceMs);
    const priority = priorityOf(task);
    const level = this.#levels[priority]!;
    const flow = flows[priority] ?? new Flow(task.tenant, priority, level.clock);
    flows[priority] = flow;
    level.flows.add(flow);
    // Whoever was idle has saved nothing up.
    if (flow.waiting + flow.running === 0) flow.tag = Math.max(flow.tag, level.clock);
    return flow;
  }

  /**
   * An idle flow that owes nothing is forgotten; one that does is remembered until the others have had as
   * much, or nobody is left to compare with.
   */
  #forgetIdle(flow: Flow): void {
    if (flow.waiting > 0 || flow.running > 0) return;
    const level = this.#levels[flow.priority]!;
    if (level.busy === 0) for (const { tag } of level.flows) level.clock = Math.max(level.clock, tag);
    const isSweep = level.busy === 0 || ++level.sweeps % SWEEP_EVERY === 0;
    for (const idle of isSweep ? level.flows : [flow]) {
      if (idle.waiting + idle.running === 0 && idle.tag <= level.clock) this.#forget(idle, level);
    }
  }

  #forget(flow: Flow, level: Level): void {
    level.flows.delete(flow);
    const tenant = this.#tenants.get(flow.tenant)!;
    if (tenant.flows[flow.priority] === flow) tenant.flows[flow.priority] = null;
    const isIdle = tenant.running === 0 && tenant.flows.every((other) => other === null);
    if (isIdle && tenant.bucket.isFull) this.#tenants.delete(tenant.name);
  }
}

/** All flows of one priority, and their virtual time. */
interface Level {
  /** Start tag of what has begun last. */
  clock: number;
  /** Tasks that wait or run. */
  busy: number;
  sweeps: number;
  readonly flows: Set<Flow>;
}

/** The oldest one, where this is a turn that goes by age. */
function byAge({ turns, oldest }: Flow, nowMs: number): Item | null {
  if (turns < OLDEST_EVERY - 1 || oldest === null) return null;
  return ageMs(oldest, nowMs) >= AGE_MS ? oldest : null;
}

function ageMs({ task }: Item, nowMs: number): number {
  return nowMs - task.sinceMs;
}

function priorityOf({ priority }: Waiting): number {
  return Math.max(0, Math.min(PRIORITIES - 1, priority));
}

const PRIORITIES = 10;
/** A flow that is passed over for so long rises by one priority. */
export const AGE_MS = 60_000;
const OLDEST_EVERY = 4;
const SWEEP_EVERY = 64;
const REPREDICT_PART = 0.05;
const EVERYBODY_EQUAL: TenantRules = () => DEFAULT_TENANT_RULE;
