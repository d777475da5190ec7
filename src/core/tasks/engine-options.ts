/** How patient the engine is. */
export interface EngineOptions {
  /** Without a sign of life for so long, a worker's leases run out. */
  readonly leaseTtlMs: number;
  /** After a start, for agents to come back, on top of the TTL. */
  readonly startGraceMs: number;
  readonly idempotencyKeyKeptMs: number;
  /** This process, of several on one queue. */
  readonly owner: string;
  /** Copies of slow tasks at once, as a part of what runs; at least one. */
  readonly copiesPart: number;
}

export const DEFAULT_ENGINE_OPTIONS: EngineOptions = {
  leaseTtlMs: 10_000,
  startGraceMs: 20_000,
  idempotencyKeyKeptMs: 24 * 3_600_000,
  owner: "evener",
  copiesPart: 0.05,
};
