import type { EngineModel } from "./engine-models.ts";
import { Engine } from "./engine.ts";
import { Flight } from "./flight.ts";
import type { SimRequest } from "./router.ts";
import type { Workload } from "./workloads/workload.ts";

/**
 * Requests a second that the fleet can do at most: all requests stand in one line, in their order, and each
 * engine takes the next one as soon as it can admit it. So no engine is ever idle and none has work that
 * another could begin, which is what a perfect spread by work would give; the cache helps as much as chance
 * lets it, so a router that knows prefixes can do more. Measured until the line is empty (and half of all are
 * answered); a request that is in progress then counts by the share of its time that is over. No dice: the
 * same requests give the same capacity.
 */
export function capacityPerS(model: EngineModel, engines: number, requests: readonly SimRequest[]): number {
  return drained(model, engines, [requests]);
}

/**
 * The same for a fleet with a perfect cache: requests that begin with the same block all go to one engine,
 * which is theirs, and the engines have equal numbers of requests, as far as that goes. For workloads whose
 * prefixes fit into the caches of the fleet together, but not into each one.
 */
export function cachedCapacityPerS(
  model: EngineModel,
  engines: number,
  requests: readonly SimRequest[],
): number {
  const groups = Map.groupBy(requests, ({ blocks }) => blocks[0]);
  const lines = Array.from({ length: engines }, (): SimRequest[] => []);
  for (const group of [...groups.values()].sort((a, b) => b.length - a.length)) {
    lines.reduce((one, other) => (other.length < one.length ? other : one)).push(...group);
  }
  return drained(
    model,
    engines,
    lines.map((line) => line.sort((a, b) => a.id - b.id)),
  );
}

/** Each engine takes from the line with its number; where there is one line, all take from it. */
function drained(model: EngineModel, engines: number, lines: readonly (readonly SimRequest[])[]): number {
  let answered = 0;
  const sink = { firstToken: (): void => {}, answered: (): void => void answered++ };
  const fleet = Array.from({ length: engines }, (_, number) => new Engine(number, model, sink));
  const taken: Flight[] = [];
  const places = lines.map(() => 0);
  let nowS = 0;
  let measuredS = 0;
  for (;;) {
    for (const engine of fleet) {
      const number = engine.number % lines.length;
      const line = lines[number]!;
      while (engine.waiting === 0 && places[number]! < line.length) {
        const flight = new Flight(line[places[number]!++]!);
        if (!engine.canHold(flight.request)) continue;
        taken.push(flight);
        engine.enqueue(flight, nowS);
      }
    }
    const first = fleet.reduce((one, other) => (other.nextS < one.nextS ? other : one));
    if (first.nextS === Number.POSITIVE_INFINITY) break;
    nowS = Math.max(nowS, first.nextS);
    first.advance();
    const isLeft = lines.some((line, number) => places[number]! < line.length);
    if (isLeft || answered <= taken.length / 2) measuredS = nowS;
  }
  if (taken.length === 0) throw new RangeError("no engine could ever hold any of the requests");
  return taken.reduce((sum, flight) => sum + shareDone(flight, measuredS), 0) / measuredS;
}

/** The requests of a workload as a list; whoever waits for an answer gets it at once. */
export function listOf(workload: Workload): SimRequest[] {
  const requests: SimRequest[] = [];
  while (workload.nextS < Number.POSITIVE_INFINITY) {
    const request = workload.take();
    requests.push(request);
    workload.ended?.(request, "answered", request.atS);
  }
  return requests;
}

function shareDone({ sentS, endS }: Flight, atS: number): number {
  if (endS <= atS) return 1;
  return sentS >= atS ? 0 : (atS - sentS) / (endS - sentS);
}
