/**
 * What: `least_load` of smg (the SGLang model gateway): drain time of the queued tokens, and a barrier
 * against full KV caches.
 * Formula: argmin (waiting uncached tokens + prompt tokens sent since the last poll) / throughput
 * + 0.15 s x k / (1 - k), k the share of the KV cache in use, at most 0.999; the first of equal ones. Polls
 * every 10 s; throughput 2000 tokens/s.
 * Source: lightseekorg/smg model_gateway/src/policies/least_load.rs at 3bb34d0.
 * Left out: `gen_throughput` of engines that report it. The report here has none, as vLLM's, so the default
 * is used, which is kinder: with the rate of decoding the busiest engine looks fastest (in a trial goodput
 * fell from 0.85 to 0.54). Workers without a report: an engine that has just joined is taken for idle. Polls
 * are taken to happen at whole multiples of 10 s.
 */
import type { FleetView, Router, RouterSpec, SimRequest } from "../router.ts";
import { firstLeast } from "./choose.ts";

const POLL_S = 10;
const THROUGHPUT_TOKENS_PER_S = 2000;
const KV_PRESSURE_S = 0.15;
const KV_USAGE_MAX = 0.999;

class SmgLeastLoad implements Router {
  readonly name = "smg_least_load";
  #poll = -1;
  /** Prompt tokens by engine, since the last poll. */
  readonly #sentTokens: number[] = [];

  route(request: SimRequest, view: FleetView, nowS: number): number {
    const poll = Math.floor(nowS / POLL_S);
    if (poll !== this.#poll) {
      this.#poll = poll;
      this.#sentTokens.fill(0);
    }
    const engine = firstLeast(view.engines, (engine) => this.#scoreS(engine, view));
    // A fleet of one is answered before anything is booked, as in the original.
    if (view.engines.length > 1) this.#sentTokens[engine] = this.#sentAt(engine) + request.inputTokens;
    return engine;
  }

  #scoreS(engine: number, view: FleetView): number {
    const report = view.polled(engine, POLL_S);
    const k = Math.min(KV_USAGE_MAX, Math.max(0, report.kvUsage));
    const tokens = report.waitingTokens + this.#sentAt(engine);
    return tokens / THROUGHPUT_TOKENS_PER_S + (KV_PRESSURE_S * k) / (1 - k);
  }

  #sentAt(engine: number): number {
    return this.#sentTokens[engine] ?? 0;
  }
}

export const smgLeastLoad: RouterSpec = {
  name: "smg_least_load",
  summary: "argmin (queued tokens + tokens sent since the poll) / 2000 + 0.15 k / (1 - k), polls of 10 s",
  create: () => new SmgLeastLoad(),
};
