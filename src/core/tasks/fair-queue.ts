import { Heap } from "../kit/heap.ts";
import type { Waiting } from "./engine-link.ts";

/**
 * Whose turn it is. Between priorities: the higher first, where a task gains one for every {@link AGE_MS}
 * that the oldest of its kind has waited, so that nobody starves. Between tenants of one priority: start-time
 * fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), charged by worker-seconds times the dominant share of
 * resources: as expected when a task begins, as measured when it has ended. Of one tenant: the longest first,
 * then the oldest.
 */
export class FairQueue {
  readonly #tenants: Map<string, Tenant> = new Map();
  readonly #items: Map<string, Item> = new Map();
  readonly #rules: TenantRules;
  /** Start tag of what has begun last. */
  #virtualTime = 0;
  #sequence = 0;

  constructor(rules: TenantRules = EVERYBODY_EQUAL) {
    this.#rules = rules;
  }

  get size(): number {
    return this.#items.size;
  }

  has(id: string): boolean {
    return this.#items.has(id);
  }

  /** How long the one has waited that waits longest, ms; 0 where nobody waits. */
  oldestMs(nowMs: number): number {
    let oldest = 0;
    for (const tenant of this.#tenants.values()) {
      for (const lane of tenant.lanes) if (lane !== null) oldest = Math.max(oldest, lane.ageMs(nowMs));
    }
    return oldest;
  }

  /** `seconds`: how long it is expected to run. Does nothing where it waits already. */
  add(task: Waiting, seconds: number): void {
    if (this.#items.has(task.id)) return;
    const item: Item = { task, seconds, sequence: this.#sequence++, isGone: false };
    this.#items.set(task.id, item);
    const tenant = this.#tenantOf(task.tenant);
    // Whoever was idle has saved nothing up.
    if (tenant.waiting === 0) tenant.tag = Math.max(tenant.tag, this.#virtualTime);
    tenant.waiting++;
    tenant.laneOf(task.priority).push(item);
  }

  remove(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    item.isGone = true;
    this.#items.delete(id);
    const tenant = this.#tenants.get(item.task.tenant)!;
    tenant.waiting--;
    this.#forgetIdle(tenant);
  }

  /**
   * Calls `look` for the first `most` in fair order, as if each began; nobody leaves. `cost` is what a task
   * would be charged. Tenants at their limits are passed over. O(most x (tenants + log n)).
   */
  first(most: number, nowMs: number, cost: (task: Waiting) => number): Waiting[] {
    const seen: Item[] = [];
    const trials = [...this.#tenants.values()]
      .filter(({ waiting }) => waiting > 0)
      .map((it) => it.begin(nowMs));
    while (seen.length < most) {
      let best: Trial | null = null;
      for (const trial of trials)
        if (trial.findNext(nowMs) && (best === null || trial.goesBefore(best))) best = trial;
      if (best === null) break;
      const item = best.take();
      seen.push(item);
      best.charge(cost(item.task));
    }
    for (const trial of trials) trial.giveBack();
    return seen.map(({ task }) => task);
  }

  /** It runs: its tenant is charged what is expected. It must have been removed. */
  began(tenantName: string, cost: number, nowMs: number): void {
    const tenant = this.#tenantOf(tenantName);
    this.#virtualTime = Math.max(this.#virtualTime, tenant.tag);
    tenant.charge(cost);
    tenant.running++;
    tenant.spend(nowMs);
  }

  /** It has ended: what it has cost counts in the place of what was expected. */
  ended(tenantName: string, expected: number, measured: number): void {
    const tenant = this.#tenantOf(tenantName);
    tenant.charge(measured - expected);
    tenant.running = Math.max(0, tenant.running - 1);
    this.#forgetIdle(tenant);
  }

  #tenantOf(name: string): Tenant {
    const known = this.#tenants.get(name);
    if (known !== undefined) return known;
    const made = new Tenant(name, this.#rules(name), this.#virtualTime);
    this.#tenants.set(name, made);
    return made;
  }

  /** What is ahead of the others is remembered, or a tenant could forget its debts by a pause. */
  #forgetIdle(tenant: Tenant): void {
    if (tenant.waiting > 0 || tenant.running > 0 || tenant.tag > this.#virtualTime) return;
    if (tenant.isLimited) return;
    this.#tenants.delete(tenant.name);
  }
}

/** What holds for a tenant. */
export interface TenantRule {
  /** Its share beside others'; above 0. */
  readonly weight: number;
  /** Tasks of it that may run at once. */
  readonly runningMax: number;
  /** Tasks a second that may begin, and how many at once after a pause. */
  readonly startsPerSecond: number;
  readonly startsBurst: number;
}

/** The rule of a tenant, by its name. */
export type TenantRules = (tenant: string) => TenantRule;

export const DEFAULT_TENANT_RULE: TenantRule = {
  weight: 1,
  runningMax: Number.POSITIVE_INFINITY,
  startsPerSecond: Number.POSITIVE_INFINITY,
  startsBurst: Number.POSITIVE_INFINITY,
};

interface Item {
  readonly task: Waiting;
  readonly seconds: number;
  readonly sequence: number;
  isGone: boolean;
}

/** Those of one tenant and priority. */
class Lane {
  readonly #longest: Heap<Item> = new Heap<Item>(
    (a, b) => a.seconds > b.seconds || (a.seconds === b.seconds && a.sequence < b.sequence),
  );
  readonly #oldest: Heap<Item> = new Heap<Item>((a, b) => a.sequence < b.sequence);

  push(item: Item): void {
    this.#longest.push(item);
    this.#oldest.push(item);
  }

  /** It stays among the oldest. */
  putBack(item: Item): void {
    this.#longest.push(item);
  }

  peek(): Item | undefined {
    while (this.#longest.peek()?.isGone === true) this.#longest.pop();
    return this.#longest.peek();
  }

  pop(): Item | undefined {
    return this.#longest.pop();
  }

  ageMs(nowMs: number): number {
    while (this.#oldest.peek()?.isGone === true) this.#oldest.pop();
    const oldest = this.#oldest.peek();
    return oldest === undefined ? 0 : nowMs - oldest.task.sinceMs;
  }
}

class Tenant {
  readonly name: string;
  readonly rule: TenantRule;
  readonly lanes: (Lane | null)[] = Array.from({ length: PRIORITIES }, () => null);
  /** Start tag of its next task. */
  tag: number;
  waiting = 0;
  running = 0;
  #tokens: number;
  #tokensAtMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, rule: TenantRule, virtualTime: number) {
    this.name = name;
    this.rule = rule;
    this.tag = virtualTime;
    this.#tokens = rule.startsBurst;
  }

  get isLimited(): boolean {
    return this.rule.startsPerSecond !== Number.POSITIVE_INFINITY;
  }

  laneOf(priority: number): Lane {
    const lane = this.lanes[priority] ?? new Lane();
    this.lanes[priority] = lane;
    return lane;
  }

  begin(nowMs: number): Trial {
    const places = this.rule.runningMax - this.running;
    return new Trial(this, Math.min(places, Math.floor(this.#tokensNow(nowMs))));
  }

  charge(cost: number): void {
    this.tag += cost / this.rule.weight;
  }

  spend(nowMs: number): void {
    if (this.isLimited) this.#tokens = this.#tokensNow(nowMs) - 1;
  }

  #tokensNow(nowMs: number): number {
    if (!this.isLimited) return Number.POSITIVE_INFINITY;
    const { startsPerSecond, startsBurst } = this.rule;
    const gained = Math.max(0, nowMs - this.#tokensAtMs) * (startsPerSecond / 1000);
    if (Number.isFinite(gained)) this.#tokens = Math.min(startsBurst, this.#tokens + gained);
    this.#tokensAtMs = nowMs;
    return this.#tokens;
  }
}

/** A tenant during one look at the queue: what is taken goes back. */
class Trial {
  readonly #tenant: Tenant;
  readonly #taken: { readonly lane: Lane; readonly item: Item }[] = [];
  #places: number;
  #tag: number;
  #lane: Lane | null = null;
  #rank = 0;

  constructor(tenant: Tenant, places: number) {
    this.#tenant = tenant;
    this.#places = places;
    this.#tag = tenant.tag;
  }

  /** False: it has nothing that may begin. */
  findNext(nowMs: number): boolean {
    this.#lane = null;
    if (this.#places <= 0) return false;
    const { lanes } = this.#tenant;
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      const lane = lanes[priority]!;
      if (lane === null || lane.peek() === undefined) continue;
      const rank = Math.min(PRIORITIES - 1, priority + Math.floor(lane.ageMs(nowMs) / AGE_MS));
      if (this.#lane !== null && rank <= this.#rank) continue;
      this.#lane = lane;
      this.#rank = rank;
    }
    return this.#lane !== null;
  }

  goesBefore(other: Trial): boolean {
    return this.#rank > other.#rank || (this.#rank === other.#rank && this.#tag < other.#tag);
  }

  take(): Item {
    const lane = this.#lane!;
    const item = lane.pop()!;
    this.#taken.push({ lane, item });
    this.#places--;
    return item;
  }

  charge(cost: number): void {
    this.#tag += cost / this.#tenant.rule.weight;
  }

  giveBack(): void {
    for (const { lane, item } of this.#taken) lane.putBack(item);
  }
}

const PRIORITIES = 10;
/** A task of a lower priority has waited so long for each step that it rises. */
export const AGE_MS = 60_000;
const EVERYBODY_EQUAL: TenantRules = () => DEFAULT_TENANT_RULE;
