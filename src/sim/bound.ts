import { Random } from "../core/kit/random.ts";
import type { EngineModel } from "./engine-models.ts";
import { Engine } from "./engine.ts";
import { Flight } from "./flight.ts";
import type { Router, SimRequest } from "./router.ts";
import { goodnessShares } from "./score.ts";

/** What is searched, and from where. */
export interface BoundSetup {
  readonly model: EngineModel;
  readonly engines: number;
  /** All of them, in the order of their times. */
  readonly requests: readonly SimRequest[];
  /** An engine for each request, by place: the best that is known. -1 is nowhere. */
  readonly from: readonly number[];
  readonly seed: number;
  /** Share of the search that is over after so many tries, 0..1; it ends at 1. Asked before every try. */
  readonly shareOver: (tries: number) => number;
}

/** What the search found. */
export interface Bound {
  /** An engine for each request, by place. */
  readonly assignment: readonly number[];
  readonly tries: number;
  /** What it minimised: requests that are too late, and a little for how close the others are to it. */
  readonly energy: number;
}

/**
 * The upper anchor: an assignment of requests to engines that knows all of them, their lengths, and every
 * cache, found by simulated annealing (Kirkpatrick, Gelatt and Vecchi 1983) over single moves and exchanges.
 * No router could know as much; what it finds is near the best that can be had, not a proof of it. Given an
 * assignment the engines know nothing of each other, so a try costs the simulation of two of them: O(requests
 * / engines). For short segments without faults.
 */
export function searchBound(setup: BoundSetup): Bound {
  return new Search(setup).search();
}

/** Routes as an assignment says, to check it in a whole run. */
export class FixedRouter implements Router {
  readonly name: string;
  readonly #assignment: ReadonlyMap<number, number>;

  constructor(name: string, requests: readonly SimRequest[], assignment: readonly number[]) {
    this.name = name;
    this.#assignment = new Map(requests.map(({ id }, place) => [id, assignment[place]!]));
  }

  route({ id }: SimRequest): number {
    return this.#assignment.get(id) ?? -1;
  }
}

class Search {
  readonly #setup: BoundSetup;
  readonly #random: Random;
  readonly #assignment: number[];
  /** Places of the requests of each engine, in the order of their times. */
  readonly #lines: number[][];
  /** What each engine's requests weigh, and what each of them does. */
  readonly #energies: number[];
  readonly #weights: Float64Array;
  #best: number[];
  #bestEnergy: number;

  constructor(setup: BoundSetup) {
    this.#setup = setup;
    this.#random = new Random(setup.seed);
    this.#assignment = [...setup.from];
    this.#weights = new Float64Array(setup.requests.length);
    this.#lines = Array.from({ length: setup.engines }, (_, engine) =>
      setup.from.flatMap((number, place) => (number === engine ? [place] : [])),
    );
    this.#energies = this.#lines.map((line) => {
      const weights = this.#weigh(line);
      for (const [i, place] of line.entries()) this.#weights[place] = weights[i]!;
      return sum(weights);
    });
    this.#best = [...this.#assignment];
    this.#bestEnergy = sum(this.#energies);
  }

  search(): Bound {
    const { engines, from, shareOver } = this.#setup;
    let tries = 0;
    if (engines > 1 && from.some((engine) => engine >= 0)) {
      for (let over = shareOver(0); over < 1; over = shareOver(tries)) {
        this.#try(HOT * (COLD / HOT) ** over);
        tries++;
      }
    }
    return { assignment: this.#best, tries, energy: this.#bestEnergy };
  }

  /** One change: kept when it is better, or by chance when it is not much worse. */
  #try(temperature: number): void {
    const moved = this.#draw();
    const from = this.#assignment[moved]!;
    const to = (from + 1 + this.#random.below(this.#setup.engines - 1)) % this.#setup.engines;
    const back = this.#random.float() < EXCHANGE_SHARE ? this.#near(moved, to) : -1;
    const lineFrom = exchanged(this.#lines[from]!, moved, back);
    const lineTo = exchanged(this.#lines[to]!, back, moved);
    const weightsFrom = this.#weigh(lineFrom);
    const weightsTo = this.#weigh(lineTo);
    const energyFrom = sum(weightsFrom);
    const energyTo = sum(weightsTo);
    const worse = energyFrom + energyTo - this.#energies[from]! - this.#energies[to]!;
    if (worse > 0 && this.#random.float() >= Math.exp(-worse / temperature)) return;
    this.#assignment[moved] = to;
    if (back >= 0) this.#assignment[back] = from;
    this.#keep(from, lineFrom, weightsFrom, energyFrom);
    this.#keep(to, lineTo, weightsTo, energyTo);
    const energy = sum(this.#energies);
    if (energy >= this.#bestEnergy) return;
    this.#bestEnergy = energy;
    this.#best = [...this.#assignment];
  }

  #keep(engine: number, line: number[], weights: Float64Array, energy: number): void {
    this.#lines[engine] = line;
    this.#energies[engine] = energy;
    for (const [i, place] of line.entries()) this.#weights[place] = weights[i]!;
  }

  /** A request: often one that is too late, or that comes shortly before one and is on its engine. */
  #draw(): number {
    const count = this.#assignment.length;
    for (;;) {
      const place = this.#random.below(count);
      if (this.#assignment[place]! < 0) continue;
      if (this.#random.float() < ANY_SHARE || this.#weights[place]! >= 1) return this.#orBefore(place);
    }
  }

  #orBefore(place: number): number {
    if (this.#random.float() < ITSELF_SHARE) return place;
    const line = this.#lines[this.#assignment[place]!]!;
    const at = line.indexOf(place) - this.#random.below(NEIGHBOURS_MAX);
    return line[Math.max(0, at)]!;
  }

  /** A request of that engine which comes at about the same time; -1 where it has none. */
  #near(place: number, engine: number): number {
    const line = this.#lines[engine]!;
    if (line.length === 0) return -1;
    const at = placeIn(line, place) + this.#random.below(2 * NEIGHBOURS_MAX) - NEIGHBOURS_MAX;
    return line[Math.max(0, Math.min(line.length - 1, at))]!;
  }

  /** Simulates one engine with these requests; what each of them weighs. */
  #weigh(line: readonly number[]): Float64Array {
    const { model, requests } = this.#setup;
    const engine = new Engine(0, model, SILENT);
    const flights = line.map((place) => {
      const flight = new Flight(requests[place]!);
      const { atS } = flight.request;
      while (engine.nextS <= atS) engine.advance();
      engine.enqueue(flight, atS);
      return flight;
    });
    while (engine.nextS < Number.POSITIVE_INFINITY) engine.advance();
    return Float64Array.from(flights, weightOf);
  }
}

/** 1 for a request that is too late, and a little for how much of its time it takes. */
function weightOf(flight: Flight): number {
  const { ttft, tpot } = goodnessShares(flight);
  const isBad = ttft > 1 || tpot > 1;
  const closeness = Math.min(SHARE_MAX, ttft) + Math.min(SHARE_MAX, tpot);
  return (isBad ? 1 : 0) + CLOSENESS_WEIGHT * closeness;
}

/** A line without one place and with another one (-1 is none), in order. */
function exchanged(line: readonly number[], without: number, added: number): number[] {
  const kept = line.filter((place) => place !== without);
  if (added >= 0) kept.splice(placeIn(kept, added), 0, added);
  return kept;
}

/** Where it is, or would be, in a line that is in order. */
function placeIn(line: readonly number[], place: number): number {
  let low = 0;
  let high = line.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (line[middle]! < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

const SILENT = { firstToken: (): void => {}, answered: (): void => {} };
/** Temperatures at the beginning and at the end; one request that is too late weighs 1. */
const HOT = 0.5;
const COLD = 0.01;
const EXCHANGE_SHARE = 0.5;
/** Of the draws, those that take whatever they find. */
const ANY_SHARE = 0.3;
const ITSELF_SHARE = 0.6;
const NEIGHBOURS_MAX = 6;
const SHARE_MAX = 4;
const CLOSENESS_WEIGHT = 0.05;
