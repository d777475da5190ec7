import type { EngineModel } from "./engine-models.ts";
import { Engine, type EngineSink } from "./engine.ts";
import { Condition, type FaultEvent } from "./fault-plan.ts";
import type { Fault } from "./faults.ts";
import type { Flight } from "./flight.ts";
import type { EngineReport, FleetView, SimRequest } from "./router.ts";

/** What a fleet is made of. */
export interface FleetSetup {
  readonly model: EngineModel;
  /** Engines at the beginning, numbered from 0. */
  readonly engines: number;
  readonly faults: readonly Fault[];
  readonly sink: EngineSink;
}

/** The engines, what is wrong with them, and what a router can see of them. */
export class Fleet implements FleetView {
  readonly all: readonly Engine[];
  readonly #conditions: readonly Condition[];
  /** Since when and until when each was there: for shares of its time. */
  readonly #thereS: number[];
  readonly #sinceS: number[];
  readonly #polls: Map<number, Poll> = new Map();
  readonly #frozen: Map<number, EngineReport> = new Map();
  readonly #kvTokens: number;
  readonly #initial: number;
  #nowS = 0;
  #listed: readonly number[] = [];
  /** Dead engines stay listed until somebody notices. */
  readonly #noticeAtS: number[];
  #view: readonly number[] = [];

  constructor({ model, engines, faults, sink }: FleetSetup) {
    const joining = checkTargets(engines, faults);
    const count = engines + joining;
    this.#initial = engines;
    this.#kvTokens = model.kvTokens;
    this.all = Array.from({ length: count }, (_, number) => new Engine(number, model, sink));
    this.#conditions = this.all.map(() => new Condition());
    this.#thereS = this.all.map(() => 0);
    this.#sinceS = this.all.map(() => 0);
    this.#noticeAtS = this.all.map(() => Number.POSITIVE_INFINITY);
    this.#list();
  }

  /** For the router: as the run has set it for the request at hand. */
  get engines(): readonly number[] {
    return this.#view;
  }

  /** When an engine's death is noticed next. */
  get noticeS(): number {
    return this.#noticeAtS.reduce((first, atS) => Math.min(first, atS), Number.POSITIVE_INFINITY);
  }

  /** When metrics are polled next; Infinity while no router reads any. */
  get pollS(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { nextS } of this.#polls.values()) if (nextS < first) first = nextS;
    return first;
  }

  /** The time moves; shows the router all listed engines but those that the request has tried. */
  show(nowS: number, tried: readonly number[]): void {
    this.#nowS = nowS;
    this.#view = tried.length === 0 ? this.#listed : this.#listed.filter((it) => !tried.includes(it));
  }

  polled(engine: number, everyS: number): EngineReport {
    if (everyS <= 0) return this.#report(engine);
    let poll = this.#polls.get(everyS);
    if (poll === undefined) {
      // Begun now: until the next moment this is what the last poll would have said, or newer.
      poll = { everyS, nextS: 0, reports: [] };
      this.#polls.set(everyS, poll);
      this.#take(poll);
    }
    return poll.reports[engine] ?? NO_REPORT;
  }

  cachedTokens(engine: number, request: SimRequest): number {
    const it = this.all[engine]!;
    it.sync(this.#nowS);
    return it.memory.cachedTokens(request);
  }

  kvTokens(_engine: number): number {
    return this.#kvTokens;
  }

  /** Polls what is to be polled by now. */
  poll(nowS: number): void {
    this.#nowS = nowS;
    for (const poll of this.#polls.values()) if (poll.nextS <= nowS) this.#take(poll);
  }

  /** Whose death is noticed by now is no longer listed. */
  notice(nowS: number): void {
    for (const [number, atS] of this.#noticeAtS.entries()) {
      if (atS <= nowS) this.#noticeAtS[number] = Number.POSITIVE_INFINITY;
    }
    this.#list();
  }

  /** A fault begins or ends; returns the requests that died with their engine. */
  change({ fault, begins, atS }: FaultEvent): Flight[] {
    this.#nowS = atS;
    const lost: Flight[] = [];
    for (const engine of this.all) {
      const isMeant = fault.engine < 0 ? engine.number < this.#initial : fault.engine === engine.number;
      if (isMeant) lost.push(...this.#change(engine, fault, begins, atS));
    }
    this.#list();
    return lost;
  }

  /** Share of the time that it was there in which it had something to do. */
  busyShare(number: number, endS: number): number {
    const isThere = !this.#conditions[number]!.has("absent");
    const thereS = this.#thereS[number]! + (isThere ? endS - this.#sinceS[number]! : 0);
    return thereS > 0 ? this.all[number]!.busyS / thereS : 0;
  }

  #change(engine: Engine, fault: Fault, begins: boolean, atS: number): Flight[] {
    const { number } = engine;
    const condition = this.#conditions[number]!;
    if (fault.kind === "lie_frozen" && begins) this.#frozen.set(number, this.#report(number));
    const wasAbsent = condition.has("absent");
    condition.change(fault, begins);
    engine.setSpeed(condition.speed, atS);
    const isAbsent = condition.has("absent");
    if (isAbsent && !wasAbsent) this.#thereS[number]! += atS - this.#sinceS[number]!;
    if (!isAbsent && wasAbsent) this.#sinceS[number] = atS;
    const isDown = condition.has("down");
    if (isDown && engine.isUp) {
      this.#noticeAtS[number] = atS + NOTICE_S;
      return engine.crash(atS);
    }
    if (!isDown && !engine.isUp) {
      this.#noticeAtS[number] = Number.POSITIVE_INFINITY;
      engine.isUp = true;
    }
    return [];
  }

  #list(): void {
    this.#listed = this.all
      .filter(({ number, isUp }) => {
        const isUnnoticed = this.#noticeAtS[number] !== Number.POSITIVE_INFINITY;
        return !this.#conditions[number]!.has("absent") && (isUp || isUnnoticed);
      })
      .map(({ number }) => number);
  }

  #take(poll: Poll): void {
    poll.nextS = (Math.floor(this.#nowS / poll.everyS) + 1) * poll.everyS;
    if (poll.nextS <= this.#nowS) poll.nextS += poll.everyS;
    for (const { number } of this.all) poll.reports[number] = this.#report(number);
  }

  #report(number: number): EngineReport {
    const condition = this.#conditions[number]!;
    const engine = this.all[number]!;
    if (condition.has("lie_frozen")) return this.#frozen.get(number) ?? NO_REPORT;
    const report = engine.report(this.#nowS);
    return condition.has("lie_idle") ? { ...NO_REPORT, finished: report.finished } : report;
  }
}

interface Poll {
  readonly everyS: number;
  nextS: number;
  readonly reports: EngineReport[];
}

/** A dead engine is listed for so long: a probe of every second, and one that fails. */
const NOTICE_S = 2;

const NO_REPORT: EngineReport = {
  waiting: 0,
  running: 0,
  kvUsage: 0,
  waitingTokens: 0,
  contextTokens: 0,
  finished: 0,
};

/** Returns how many engines join. Throws RangeError where a fault means one that there is not. */
function checkTargets(engines: number, faults: readonly Fault[]): number {
  const joins = faults.filter(({ kind, fromS }) => kind === "absent" && fromS === 0);
  const joining = new Set(joins.map(({ engine }) => engine).filter((engine) => engine >= engines));
  for (let next = engines; next < engines + joining.size; next++) {
    if (!joining.has(next))
      throw new RangeError(`engine ${next} is missing: those that join follow the fleet`);
  }
  for (const { engine } of faults) {
    if (engine >= engines + joining.size) {
      const range = `the fleet has engines 0 to ${engines - 1}`;
      throw new RangeError(
        `a fault means engine ${engine}: ${range}; one more is "${engines}: joins at 60s"`,
      );
    }
  }
  return joining.size;
}
