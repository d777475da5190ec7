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
  const line = requests.map((request) => new Flight(request));
  let answered = 0;
  const sink = { firstToken: (): void => {}, answered: (): void => void answered++ };
  const fleet = Array.from({ length: engines }, (_, number) => new Engine(number, model, sink));
  const taken: Flight[] = [];
  let place = 0;
  let nowS = 0;
  let measuredS = 0;
  for (;;) {
    for (const engine of fleet) {
      while (engine.waiting === 0 && place < line.length) {
        const flight = line[place++]!;
        if (!engine.canHold(flight.request)) continue;
        taken.push(flight);
        engine.enqueue(flight, nowS);
      }
    }
    const first = fleet.reduce((one, other) => (other.nextS < one.nextS ? other : one));
    if (first.nextS === Number.POSITIVE_INFINITY) break;
    nowS = Math.max(nowS, first.nextS);
    first.advance();
    if (place < line.length || answered <= taken.length / 2) measuredS = nowS;
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
