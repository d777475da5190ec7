import { caddy } from "./caddy.ts";
import { envoy } from "./envoy.ts";
import { evener } from "./evener.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";
import type { Peer } from "./peer.ts";

/** All peers, in the order in which they run and are shown. */
export const PEERS: readonly Peer[] = [nginx, haproxy, evener, envoy, caddy];

/** The peer that the others are set against. */
export const YARDSTICK: Peer = nginx;

/** The one that this project is about. */
export const OURS: Peer = evener;
