import type { EngineModel } from "../../src/sim/engine-models.ts";
import { Engine } from "../../src/sim/engine.ts";
import { Flight } from "../../src/sim/flight.ts";
import type { SimRequest } from "../../src/sim/router.ts";

/**
 * Numbers that can be added up by hand: a step costs 1 s a prompt token, 10 s a decode step, nothing else.
 */
export const PLAIN: EngineModel = {
  name: "plain",
  summary: "for tests",
  kvTokens: 1000,
  runningMax: 8,
  stepTokensMax: 100,
  floorS: 0,
  prefillStepS: 0,
  decodeStepS: 10,
  prefillTokenS: 1,
  decodeTokenS: 0,
  attentionS: 0,
  contextS: 0,
  contextSquaredS: 0,
};

export function request(given: Partial<SimRequest> = {}): SimRequest {
  return {
    id: 0,
    atS: 0,
    inputTokens: 50,
    outputTokens: 3,
    outputTokensMax: 0,
    blocks: [],
    blockTokens: 10,
    session: -1,
    ...given,
  };
}

/** An engine with a diary: `first 0 50` is the first token of request 0 at second 50. */
export class Bench {
  readonly engine: Engine;
  readonly diary: string[] = [];
  nowS = 0;

  constructor(model: EngineModel = PLAIN) {
    this.engine = new Engine(0, model, {
      firstToken: ({ request }, atS) => this.diary.push(`first ${request.id} ${round(atS)}`),
      answered: ({ request }, atS) => this.diary.push(`end ${request.id} ${round(atS)}`),
    });
  }

  /** Puts a request in at its time, after all that happens before. */
  send(given: Partial<SimRequest>): Flight {
    const flight = new Flight(request(given));
    this.runTo(flight.request.atS);
    this.engine.enqueue(flight, this.nowS);
    return flight;
  }

  runTo(untilS: number): void {
    while (this.engine.nextS <= untilS) {
      this.nowS = Math.max(this.nowS, this.engine.nextS);
      this.engine.advance();
    }
    if (untilS < Number.POSITIVE_INFINITY) this.nowS = untilS;
  }

  runOut(): void {
    this.runTo(Number.MAX_VALUE);
  }
}

function round(value: number): number {
  return Math.round(value * 1e9) / 1e9;
}
