// Hot path: taking and giving back are a push and a pop.
import type { Endpoint } from "../core/endpoint.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { Http1Limits } from "../http1/limits.ts";
import type { Address } from "../http1/address.ts";
import { type FetchedResponse, fetchOnce } from "../http1/client.ts";
import { proxyHeader, type ProxyVersion } from "../http1/proxy-protocol.ts";
import { connectTransport } from "../http1/socket-transport.ts";
import { TlsClient, type TlsClientOptions } from "../http1/tls-client.ts";
import type { Peer } from "./peer.ts";
import { UpstreamConnection, type UpstreamListener, type UpstreamOwner } from "./upstream.ts";

/**
 * The connections to one backend: idle ones are used last in, first out, so that surplus ones grow old and
 * close.
 */
export class UpstreamPool implements UpstreamOwner {
  readonly #target: UpstreamTarget;
  readonly #tls: TlsClient | null;
  readonly #limits: Http1Limits;
  readonly #deadlines: Deadlines;
  readonly #idle: UpstreamConnection[] = [];
  #isClosed = false;
  /** Lines that every request to this backend gets, each with its CRLF. */
  readonly #headerLines: string;
  readonly #hostLine: string;
  /** What a client may have sent in their place. */
  readonly #replaced: RegExp | null;

  constructor(target: UpstreamTarget, limits: Http1Limits, deadlines: Deadlines) {
    this.#target = target;
    this.#tls = target.tls === null ? null : new TlsClient(target.tls);
    this.#limits = limits;
    this.#deadlines = deadlines;
    let lines = "";
    for (const [name, value] of Object.entries(target.headers)) lines += `${name}: ${value}\r\n`;
    this.#headerLines = lines;
    const host = target.host.includes(":") ? `[${target.host}]` : target.host;
    this.#hostLine = `host: ${host}:${target.port}\r\n`;
    const names = Object.keys(target.headers).map((name) => name.replaceAll(/[^\w-]/g, "\\$&"));
    this.#replaced =
      lines === "" ? null : new RegExp(`(?<=\\r\\n)(?:${names.join("|")}):[^\\r\\n]*\\r\\n`, "gi");
  }

  /**
   * A request's head as this backend gets it: with its own header lines in place of the client's, and with
   * its own name as Host where the client gave none.
   */
  headFor(head: string, lacksHost: boolean): string {
    const full = this.#replaced === null ? head : head.replaceAll(this.#replaced, "") + this.#headerLines;
    return lacksHost ? full + this.#hostLine : full;
  }

  /** The PROXY header for requests of `client` that come through `peer`; "" where none is sent. */
  prefaceFor(peer: Peer, client: string): string {
    const { proxyProtocol } = this.#target;
    return proxyProtocol === null ? "" : proxyHeader(proxyProtocol, peer.endsFor(client));
  }

  /** An idle connection that is still good and began with `preface`, or null. */
  takeIdle(preface: string): UpstreamConnection | null {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const connection = this.#idle[i]!;
      if (connection.preface !== preface) continue;
      if (i === this.#idle.length - 1) this.#idle.pop();
      else this.#idle.splice(i, 1);
      if (connection.isUsable) return connection;
      connection.destroy();
    }
    return null;
  }

  /** Begins to connect; `listener.onConnected` or `.onUpstreamFailed` follows. */
  connect(listener: UpstreamListener, preface: string): UpstreamConnection {
    const connection = new UpstreamConnection(this, this.#limits, this.#deadlines);
    connection.attach(listener);
    connection.preface = preface;
    const { host, port, socketPath = null, connectTimeoutMs } = this.#target;
    connection.transport = connectTransport(
      { host, port, socketPath, tls: this.#tls, timeoutMs: connectTimeoutMs, preface },
      connection,
      (transport) => connection.connected(transport),
    );
    return connection;
  }

  /** Gives a connection back for the next request. */
  giveBack(connection: UpstreamConnection): void {
    const { idleMax } = this.#target;
    // Those of clients that have left would keep the place of those of clients that are here.
    const isForOne = connection.preface !== "";
    if (isForOne && idleMax > 0 && this.#idle.length >= idleMax) this.#idle.shift()!.destroy();
    if (this.#isClosed || this.#idle.length >= idleMax || connection.keepMs === 0) {
      connection.destroy();
      return;
    }
    connection.park(this.#target.idleMs);
    this.#idle.push(connection);
  }

  lost(connection: UpstreamConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** A question of our own, on a connection of its own. Rejects with FetchError. */
  fetch(path: string, limits: FetchLimits): Promise<FetchedResponse> {
    const { host, port, socketPath = null, headers, proxyProtocol } = this.#target;
    const preface = proxyProtocol === null ? {} : { preface: proxyHeader(proxyProtocol, null) };
    return fetchOnce({ host, port, socketPath, tls: this.#tls, headers, path, ...preface, ...limits });
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  /** Closes what is idle; what is in use closes when it is given back. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }
}

/** What a question of our own may cost. */
export interface FetchLimits {
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
}

/** Where a backend is and how its connections are kept. */
export interface UpstreamTarget extends Address {
  /** Null: plain HTTP. */
  readonly tls: TlsClientOptions | null;
  readonly connectTimeoutMs: number;
  /** Idle connections that are kept, at most. */
  readonly idleMax: number;
  readonly idleMs: number;
  /** Sent with every request to it. */
  readonly headers: Readonly<Record<string, string>>;
  /** Version of the PROXY header that begins every connection; null = none. */
  readonly proxyProtocol: ProxyVersion | null;
}

/** The connections of every backend of a pool. */
export class Upstreams {
  readonly #pools: Map<string, { pool: UpstreamPool; target: UpstreamTarget }> = new Map();
  readonly #limits: Http1Limits;
  readonly #deadlines: Deadlines;

  constructor(limits: Http1Limits, deadlines: Deadlines) {
    this.#limits = limits;
    this.#deadlines = deadlines;
  }

  /** Those that stay the same keep their connections. */
  update(targets: ReadonlyMap<string, UpstreamTarget>): void {
    for (const [id, { pool, target }] of this.#pools) {
      const next = targets.get(id);
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(target)) continue;
      pool.close();
      this.#pools.delete(id);
    }
    for (const [id, target] of targets) {
      if (this.#pools.has(id)) continue;
      this.#pools.set(id, { pool: new UpstreamPool(target, this.#limits, this.#deadlines), target });
    }
  }

  /**
   * A question of our own to a backend, on a connection of its own; null when it has left. Rejects as fetches
   * do.
   */
  fetch(id: string, path: string, limits: FetchLimits): Promise<FetchedResponse | null> {
    const known = this.#pools.get(id);
    return known === undefined ? Promise.resolve(null) : known.pool.fetch(path, limits);
  }

  /** The connections of an endpoint; null when it has left between pick and use. */
  of(endpoint: Endpoint): UpstreamPool | null {
    return this.#pools.get(endpoint.id)?.pool ?? null;
  }

  close(): void {
    this.update(new Map());
  }
}
