import type { Endpoint } from "../endpoint.ts";
import type { Wish } from "../health/endpoint-health.ts";
import type { OutlierData } from "../health/outlier.ts";
import type { SlowData } from "../health/slow-watch.ts";
import type { ProbeState } from "../health/probe-state.ts";
import type { Ledger } from "../ledger.ts";
import type { Pool } from "../pool.ts";

/**
 * What a pool knows of its endpoints, for a process that takes over: what operators have set, what probes,
 * agents and real work have shown, how fast the endpoints are. Counts are not among it.
 */
export function remember(pool: Pool, nowMs: number): EndpointMemory[] {
  return pool.members.list.map((endpoint) => {
    const { health, weightOverride, limitOverride, slot } = endpoint;
    const { probe, operator, agent, agentShare, slow, slowShare, rampFromMs, outlier } = health;
    return {
      id: endpoint.id,
      address: endpoint.spec.address,
      weightOverride,
      limitOverride,
      probe,
      operator,
      agent,
      agentShare,
      slow: slow.dump(nowMs),
      slowShare,
      rampedMs: nowMs - rampFromMs,
      outlier: outlier.dump(nowMs),
      columns: Object.fromEntries(COLUMNS.map((name) => [name, pool.ledger[name][slot]!])),
      ages: Object.fromEntries(TIMES.map((name) => [name, nowMs - pool.ledger[name][slot]!])),
    };
  });
}

/**
 * Endpoints of the same id and address are taken to be as they were; others begin anew. `watch`: who still
 * looks at them: what nobody would ever take back is not taken over.
 */
export function recall(pool: Pool, memories: readonly EndpointMemory[], watch: Watch, nowMs: number): void {
  for (const memory of memories) {
    const endpoint = pool.members.get(memory.id);
    if (endpoint?.spec.address !== memory.address) continue;
    endpoint.weightOverride = memory.weightOverride;
    endpoint.limitOverride = memory.limitOverride;
    recallHealth(endpoint, pool, memory, watch, nowMs);
    recallSpeed(endpoint.slot, pool.ledger, memory, nowMs);
  }
  pool.changed();
}

/** Who looks at the endpoints of a pool, beside real work. */
export interface Watch {
  readonly hasProbes: boolean;
  readonly hasAgents: boolean;
}

/** One endpoint as plain data; times are distances from now in milliseconds. */
export interface EndpointMemory {
  readonly id: string;
  readonly address: string;
  readonly weightOverride: number | null;
  readonly limitOverride: number | null;
  readonly probe: ProbeState;
  readonly operator: Wish;
  readonly agent: Wish;
  readonly agentShare: number;
  readonly slow: SlowData;
  readonly slowShare: number;
  readonly rampedMs: number;
  readonly outlier: OutlierData;
  readonly columns: Readonly<Record<string, number>>;
  readonly ages: Readonly<Record<string, number>>;
}

function recallHealth(
  { health }: Endpoint,
  { options }: Pool,
  memory: EndpointMemory,
  { hasProbes, hasAgents }: Watch,
  nowMs: number,
): void {
  health.operator = memory.operator;
  health.rampFromMs = nowMs - memory.rampedMs;
  if (hasProbes) health.probe = memory.probe;
  if (hasAgents) {
    health.agent = memory.agent;
    health.agentShare = memory.agentShare;
  }
  if (options.slowdown !== null) {
    health.slow.load(memory.slow, nowMs);
    health.slowShare = memory.slowShare;
  }
  if (options.outlier !== null) health.outlier.load(memory.outlier, nowMs);
}

function recallSpeed(slot: number, ledger: Ledger, memory: EndpointMemory, nowMs: number): void {
  for (const name of COLUMNS) ledger[name][slot] = memory.columns[name] ?? ledger[name][slot]!;
  for (const name of TIMES) {
    const ageMs = memory.ages[name];
    if (ageMs !== undefined) ledger[name][slot] = nowMs - ageMs;
  }
}

const COLUMNS = [
  "latencyMs",
  "steadyMs",
  "pastMs",
  "peakMs",
  "samples",
  "burden",
  "cpu",
  "memory",
  "gpu",
  "queued",
] as const;
const TIMES = [
  "sampledAtMs",
  "reportedAtMs",
  "probationSinceMs",
  "exploreAtMs",
  "restUntilMs",
  "heardAtMs",
  "silentSinceMs",
] as const;
