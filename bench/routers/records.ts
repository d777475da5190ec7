import { Flight } from "../../src/sim/flight.ts";
import type { SimRequest } from "../../src/sim/router.ts";

/** What a client saw of one request. Seconds from the first arrival of the run; -1 is never. */
export interface AnswerRecord {
  readonly id: number;
  /** When it was let go: later than it should have been by what the client was late. */
  readonly sentS: number;
  readonly firstS: number;
  /** When the last of the text came. */
  readonly lastS: number;
  /** As the answer's usage says; -1 where it says nothing. */
  readonly cachedTokens: number;
  /** Empty when the answer was whole. */
  readonly problem: string;
}

/** What the load generator reports; `errors` is empty: what failed is in the records. */
export interface LoadReport {
  readonly records: readonly AnswerRecord[];
  readonly errors: string;
}

/**
 * Records as the simulator keeps them, so that one definition scores both: times count from when a request
 * was due, and what was not whole is lost.
 */
export function flightsOf(requests: readonly SimRequest[], records: readonly AnswerRecord[]): Flight[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return requests.map((request) => {
    const flight = new Flight(request);
    const record = byId.get(request.id);
    if (record === undefined || record.problem !== "") {
      flight.ending = "lost";
      return flight;
    }
    flight.ending = "answered";
    flight.admission = 1;
    flight.firstS = record.firstS;
    flight.endS = record.lastS;
    flight.cachedTokens = Math.max(0, record.cachedTokens);
    return flight;
  });
}

/** How late the client was itself: the 99th percentile, in seconds. */
export function lateP99S(requests: readonly SimRequest[], records: readonly AnswerRecord[]): number {
  const due = new Map(requests.map(({ id, atS }) => [id, atS]));
  const sorted = records.map(({ id, sentS }) => sentS - due.get(id)!).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? Number.NaN;
}
