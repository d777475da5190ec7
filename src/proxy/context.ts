import type { PlacementLog } from "../core/inference/placement-log.ts";
import type { Clock } from "../core/kit/clock.ts";
import type { Random } from "../core/kit/random.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { AccessLog } from "./access-log.ts";
import type { RequestIds } from "./request-id.ts";
import type { Mirrors } from "./mirror.ts";
import type { ModelLists } from "./model-list.ts";
import type { RouteTable } from "./route-table.ts";
import type { TicketKeys } from "./ticket-keys.ts";

/**
 * What every request of a data plane shares. `plan` is replaced as a whole when the configuration changes.
 */
export interface ProxyContext {
  plan: Plan;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  readonly ids: RequestIds;
  readonly accessLog: AccessLog;
  readonly tickets: TicketKeys;
  /** Our name in Via: tells our own requests when they come back. */
  readonly pseudonym: string;
  readonly mirrors: Mirrors;
  readonly modelLists: ModelLists;
  /** Where prompts went, and why. */
  readonly placements: PlacementLog;
  /** Requests that were answered without a backend, as they asked for or as their route says. */
  answeredLocally: number;
  /** Requests that found no route. */
  unrouted: number;
  /** Requests that could not be understood. */
  malformed: number;
  /** Connections closed for their PROXY header, or for want of one. */
  refusedPrefaces: number;
  /** Is told of each of those: the peer's address, and what it did. */
  readonly onPrefaceRefused: (address: string, reason: string) => void;
  /** Connections whose handshake of TLS failed. */
  failedHandshakes: number;
}

/** Where requests go: immutable, so that a request sees one configuration from its begin to its end. */
export interface Plan {
  readonly routes: RouteTable;
}
