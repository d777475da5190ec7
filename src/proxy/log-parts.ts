// Hot path: comparisons; a part of the line is made anew only where something in it has changed.
import { inOnePiece } from "../http1/latin1.ts";
import { jsonText, redactTarget } from "./access-log.ts";
import type { Peer } from "./peer.ts";
import type { EndReason } from "./pool-stats.ts";

/**
 * The middle of an access log line: who asked for what. Kept for the next request of the connection, which
 * mostly asks for the same.
 */
export class LogQuestion {
  readonly #peer: Peer;
  #client = "";
  #method = "";
  #host = "";
  #target = "";
  #route = "";
  #pool = "";
  #text = "";

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  of(client: string, method: string, host: string, target: string, route: string, pool: string): string {
    const isSame =
      this.#target === target &&
      this.#client === client &&
      this.#method === method &&
      this.#host === host &&
      this.#route === route &&
      this.#pool === pool;
    if (isSame && this.#text !== "") return this.#text;
    this.#client = client;
    this.#method = method;
    this.#host = host;
    this.#target = target;
    this.#route = route;
    this.#pool = pool;
    const name = client === this.#peer.address ? this.#peer.name : client;
    // Methods, hosts and names of pools have nothing in them that JSON would escape.
    this.#text = inOnePiece(
      `","client":"${name}","method":"${method}","host":"${host}"` +
        `,"target":${jsonText(redactTarget(target))},"route":${jsonText(route)},"pool":"${pool}"`,
    );
    return this.#text;
  }
}

/** What follows it: who answered, and how. */
export class LogAnswer {
  #backend = "";
  #why = "";
  #attempts = -1;
  #status = 0;
  #reason: EndReason = "ok";
  #text = "";

  of(backend: string, why: string, attempts: number, status: number, reason: EndReason): string {
    const isSame =
      this.#backend === backend &&
      this.#status === status &&
      this.#why === why &&
      this.#attempts === attempts &&
      this.#reason === reason;
    if (isSame) return this.#text;
    this.#backend = backend;
    this.#why = why;
    this.#attempts = attempts;
    this.#status = status;
    this.#reason = reason;
    this.#text = inOnePiece(
      `,"backend":"${backend}","why":"${why}","attempts":${attempts},"status":${status},"reason":"${reason}"`,
    );
    return this.#text;
  }
}
