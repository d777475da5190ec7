import { Random } from "../core/kit/random.ts";
import { Heap } from "./heap.ts";
import type { AnswerFacts, EngineReport, FleetView, Router, SimRequest } from "./router.ts";

/**
 * Servers as in the textbooks, so that what a simulation says of a router can be held against a formula: each
 * does one request after the other, services are exponential with mean 1 s, arrivals are Poisson.
 */
export interface ServersSetup {
  readonly servers: number;
  /** Arrivals a second and server; < 1. */
  readonly load: number;
  readonly requests: number;
  readonly seed: number;
  /** Null: nobody is chosen before a server is free (one line for all, late binding). */
  readonly router: Router | null;
}

/** Mean seconds from arrival to end; the first fifth, while the servers fill, does not count. */
export function meanSojournS({ servers, load, requests, seed, router }: ServersSetup): number {
  const random = new Random(seed).split(STREAM);
  const freeAtS = new Float64Array(servers);
  const view = new ServersView(servers);
  const running: Heap<Running> = new Heap((a, b) => a.endS < b.endS);
  let nowS = 0;
  let sumS = 0;
  let counted = 0;
  for (let id = 0; id < requests; id++) {
    nowS += random.exponential(1 / (servers * load));
    const serviceS = random.exponential(1);
    const request: SimRequest = { ...ANY_REQUEST, id, atS: nowS * ROUTER_S };
    for (let done = running.peek(); done !== undefined && done.endS <= nowS; done = running.peek()) {
      running.pop();
      tell(router, done);
    }
    const server = router === null ? earliest(freeAtS) : router.route(request, view, nowS * ROUTER_S);
    const endS = Math.max(nowS, freeAtS[server]!) + serviceS;
    freeAtS[server] = endS;
    if (router !== null) running.push({ request, server, endS });
    if (id < requests * FILLING_SHARE) continue;
    sumS += endS - nowS;
    counted++;
  }
  return sumS / counted;
}

/** M/M/1: what random choice makes of each server. */
export function randomMeanS(load: number): number {
  return 1 / (1 - load);
}

/** E_n/M/1: each server sees every n-th arrival. sigma = (n load / (n load + 1 - sigma))^n. */
export function roundRobinMeanS(servers: number, load: number): number {
  const rate = servers * load;
  let sigma = 0.5;
  for (let i = 0; i < 10_000; i++) sigma = (rate / (rate + 1 - sigma)) ** servers;
  return 1 / (1 - sigma);
}

/** The shorter of two queues, servers to infinity: the sum of load^(2^i - 2). Source: Mitzenmacher 1996. */
export function powerOfTwoMeanS(load: number): number {
  let sum = 0;
  for (let i = 1; i <= 20; i++) sum += load ** (2 ** i - 2);
  return sum;
}

/** M/M/n, one line for all (Erlang C). */
export function lateBindingMeanS(servers: number, load: number): number {
  const offered = servers * load;
  let blocking = 1;
  for (let n = 1; n <= servers; n++) blocking = (offered * blocking) / (n + offered * blocking);
  const waiting = blocking / (1 - load * (1 - blocking));
  return 1 + waiting / (servers - offered);
}

interface Running {
  readonly request: SimRequest;
  readonly server: number;
  readonly endS: number;
}

/**
 * For the router a mean service takes 1 ms: what it does every 100 ms costs less then, and changes nothing.
 */
const ROUTER_S = 0.001;
const FILLING_SHARE = 0.2;
const STREAM = 3;

const ANY_REQUEST: SimRequest = {
  id: 0,
  atS: 0,
  inputTokens: 1,
  outputTokens: 1,
  outputTokensMax: 0,
  blocks: [],
  blockTokens: 64,
  session: -1,
};

function tell(router: Router | null, { request, server, endS }: Running): void {
  const atS = endS * ROUTER_S;
  const facts: AnswerFacts = {
    engine: server,
    ttftS: atS - request.atS,
    cachedTokens: 0,
    outputTokens: 1,
    decodeS: 0,
  };
  router?.firstToken?.(request, server, atS);
  router?.finished?.(request, facts, atS);
}

function earliest(freeAtS: Float64Array): number {
  let first = 0;
  for (let server = 1; server < freeAtS.length; server++) {
    if (freeAtS[server]! < freeAtS[first]!) first = server;
  }
  return first;
}

/** Servers that say nothing of themselves. */
class ServersView implements FleetView {
  readonly engines: readonly number[];

  constructor(servers: number) {
    this.engines = Array.from({ length: servers }, (_, server) => server);
  }

  polled(): EngineReport {
    return { waiting: 0, running: 0, kvUsage: 0, waitingTokens: 0, contextTokens: 0, finished: 0 };
  }

  cachedTokens(): number {
    return 0;
  }

  kvTokens(): number {
    return Number.POSITIVE_INFINITY;
  }
}
