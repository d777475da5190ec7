// The policy `inference` on the conversation trace: what it must be better than, and what it must bear. The
// full comparison is `npm run sim`; these are floors far below it, so that no luck of a seed fails them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

import { CoreRouter } from "../../src/sim/core-router.ts";
import { engineModel } from "../../src/sim/engine-models.ts";
import { parseFault } from "../../src/sim/faults.ts";
import type { Router, SimRequest } from "../../src/sim/router.ts";
import { run, type RunResult } from "../../src/sim/run.ts";
import { score } from "../../src/sim/score.ts";
import { parseTrace } from "../../src/sim/workloads/trace-text.ts";
import { traceWorkload } from "../../src/sim/workloads/trace.ts";

const FILE = "scenarios/traces/mooncake-conversation.jsonl.gz";
const SOURCE = traceWorkload("conversation", parseTrace(gunzipSync(readFileSync(FILE)).toString("utf8")));
const MODEL = engineModel("a100-8b")!;
const ENGINES = 8;

interface Conditions {
  readonly requestsPerS?: number;
  readonly faults?: readonly string[];
}

function simulate(router: Router, { requestsPerS = 3, faults = [] }: Conditions = {}): RunResult {
  const workload = SOURCE.create({ requests: 3_000, seed: 1, requestsPerS, isJittered: true });
  return run({ model: MODEL, engines: ENGINES, workload, router, faults: faults.map(parseFault) });
}

test("has a higher goodput and a sooner first token than the policies that do not look at prompts", (t) => {
  const ours = score(simulate(new CoreRouter("inference", 1)));
  for (const name of ["least_request", "round_robin", "p2c", "peak_ewma"]) {
    const other = score(simulate(new CoreRouter(name, 1)));
    t.diagnostic(`${name}: goodput ${other.goodput.toFixed(3)}, mean TTFT ${other.ttftMeanS.toFixed(2)} s`);
    assert.ok(ours.goodput > other.goodput + 0.05, `${ours.goodput}, ${name} ${other.goodput}`);
    assert.ok(ours.ttftMeanS < 0.85 * other.ttftMeanS, `${ours.ttftMeanS} s, ${name} ${other.ttftMeanS} s`);
  }
});

test("an engine at 35 % loses its share within seconds, without any metric from it", () => {
  const result = simulate(new CoreRouter("inference", 1), {
    requestsPerS: 2,
    faults: ["0: speed 0.35 from 60s"],
  });
  const shareOf = (fromS: number, toS: number): number => {
    const flights = result.flights.filter(({ sentS }) => sentS >= fromS && sentS < toS);
    const tokens = (all: typeof flights): number =>
      all.reduce((sum, { request }) => sum + request.inputTokens, 0);
    return tokens(flights.filter(({ engine }) => engine === 0)) / tokens(flights);
  };
  assert.ok(shareOf(0, 60) > 0.09, `${shareOf(0, 60)} while it is well`);
  assert.ok(shareOf(66, 100) < 0.085, `${shareOf(66, 100)} of the prompt tokens from 6 s on`);
  assert.ok(shareOf(200, 900) > 0.01, `${shareOf(200, 900)}: it is slow, not useless`);
});

test("token counts that stay wrong by three times cost little; the product corrects them by usage", () => {
  const right = score(simulate(new CoreRouter("inference", 1)));
  for (const factor of [1 / 3, 3]) {
    const wrong = score(simulate(new Miscounting(factor)));
    assert.ok(wrong.goodput > right.goodput - 0.08, `${factor}: ${wrong.goodput}, not ${right.goodput}`);
    assert.ok(
      wrong.ttftMeanS < 1.15 * right.ttftMeanS,
      `${factor}: ${wrong.ttftMeanS} s, not ${right.ttftMeanS} s`,
    );
  }
});

test("engines of which nobody says what they had cached are still found out", () => {
  const told = score(simulate(new CoreRouter("inference", 1)));
  const untold = score(simulate(new Silent("inference", 1)));
  assert.ok(untold.goodput > told.goodput - 0.04, `${untold.goodput}, not ${told.goodput}`);
});

test("the same seed gives the same run, to the bit", () => {
  const [one, two] = [1, 2].map(() => score(simulate(new CoreRouter("inference", 7))));
  assert.deepEqual(one, two);
});

/** Takes every prompt for so many times as long as it is, until answers say otherwise. */
class Miscounting extends CoreRouter {
  readonly #factor: number;

  constructor(factor: number) {
    super("inference", 1);
    this.#factor = factor;
  }

  override route(request: SimRequest, ...rest: [Parameters<Router["route"]>[1], number]): number {
    const inputTokens = Math.max(1, Math.round(request.inputTokens * this.#factor));
    const blockTokens = request.blockTokens * this.#factor;
    return super.route({ ...request, inputTokens, blockTokens }, ...rest);
  }
}

/** Its answers have no usage. */
class Silent extends CoreRouter {
  override finished(...[request, facts, nowS]: Parameters<CoreRouter["finished"]>): void {
    super.finished(request, { ...facts, cachedTokens: Number.NaN }, nowS);
  }
}
