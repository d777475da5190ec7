import type net from "node:net";
import { type Address, addressText } from "../http1/address.ts";
import type { ServerTimeouts } from "../http1/deadlines.ts";
import type { Http1Limits } from "../http1/limits.ts";
import { ServerConnection } from "../http1/server.ts";
import { acceptTransport } from "../http1/socket-transport.ts";
import type { Plan, ProxyContext } from "./context.ts";
import { Exchange } from "./exchange.ts";
import { Listener, type ListenerOwner, type ListenerSpec } from "./listener.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { Peer, type TrustRules } from "./peer.ts";
import { type Introduction, Prefaces } from "./preface.ts";

/**
 * The first door: listeners, and the connections of clients. The plan it works by is replaced as a whole
 * between requests; what is in flight goes on with the one it began with.
 */
export class Proxy implements ListenerOwner {
  readonly context: ProxyContext;
  #settings: ProxySettings;
  readonly #listeners: Map<string, Listener> = new Map();
  readonly #prefaces: Prefaces;
  readonly #memory: MemoryWatch = new MemoryWatch();
  readonly #exchanges: Map<ServerConnection, Exchange> = new Map();
  #handshakes = 0;
  #isDraining = false;
  /** How long a client may rely on what an answer has promised it, where another process has taken over. */
  #graceMs = 0;
  #onEmpty: (() => void) | null = null;

  constructor(context: ProxyContext, settings: ProxySettings) {
    this.context = context;
    this.#settings = settings;
    this.#prefaces = new Prefaces(context.deadlines, (address, reason) => {
      context.refusedPrefaces++;
      context.onPrefaceRefused(address, reason);
    });
  }

  get connections(): number {
    return this.#exchanges.size + this.#prefaces.count + this.#handshakes;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** What new requests go by from now on, and what new connections may cost. */
  apply(plan: Plan, settings: ProxySettings): void {
    this.context.plan = plan;
    this.#settings = settings;
  }

  /**
   * Opens the listeners that are not open yet, brings the others up to date and closes those that are not
   * named; of two for one address the first counts. Throws EVENER_LISTEN_FAILED. `reusePort`: other threads
   * listen on the same ports.
   */
  async listen(specs: readonly ListenerSpec[], reusePort = false): Promise<void> {
    const wanted = new Map<string, ListenerSpec>();
    for (const spec of specs) if (!wanted.has(addressText(spec))) wanted.set(addressText(spec), spec);
    for (const [key, spec] of wanted) {
      if (this.#listeners.has(key)) continue;
      const listener = new Listener(spec, this, this.context.tickets);
      await listener.open(specs, reusePort);
      this.#listeners.set(key, listener);
    }
    for (const [key, listener] of this.#listeners) {
      const spec = wanted.get(key);
      if (spec !== undefined) listener.update(spec);
      else {
        listener.close();
        this.#listeners.delete(key);
      }
    }
    // In the order of their naming, for `addresses`.
    for (const key of wanted.keys()) {
      const listener = this.#listeners.get(key)!;
      this.#listeners.delete(key);
      this.#listeners.set(key, listener);
    }
  }

  /** The addresses that are listened on, in their order; the port is the real one where 0 was asked for. */
  addresses(): Address[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /**
   * Stops accepting, lets what is in flight finish for `timeoutMs`, then ends the rest; true when no request
   * was cut. `isHandedOver`: another process goes on with the listening sockets, and clients are to notice
   * nothing: who is between two requests, or before his first, may send one more for a while.
   */
  async drain(timeoutMs: number, isHandedOver = false): Promise<boolean> {
    this.#isDraining = true;
    const listeners = [...this.#listeners.values()];
    for (const listener of listeners) listener.close(isHandedOver);
    this.#listeners.clear();
    const graceMs = isHandedOver ? Math.min(timeoutMs / 2, GRACE_MS) : 0;
    this.#graceMs = graceMs;
    for (const connection of this.#exchanges.keys()) {
      connection.isLast = true;
      connection.graceMs = graceMs;
    }
    if (graceMs > 0) await this.#untilEmpty(graceMs);
    this.#prefaces.close();
    for (const connection of this.#exchanges.keys()) connection.retire();
    const isEmpty = await this.#untilEmpty(timeoutMs - graceMs);
    this.context.mirrors.close();
    if (isEmpty) return true;
    // Whoever only may send one request more, and has not, is not cut.
    let isClean = this.#handshakes === 0;
    for (const connection of this.#exchanges.keys()) isClean = connection.retire() && isClean;
    for (const listener of listeners) listener.abort();
    for (const exchange of this.#exchanges.values()) exchange.shutDown();
    await this.#untilEmpty(CUT_MS);
    for (const connection of this.#exchanges.keys()) connection.abort();
    this.context.mirrors.close();
    return isClean;
  }

  #untilEmpty(timeoutMs: number): Promise<boolean> {
    if (this.connections === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#onEmpty = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  get isFull(): boolean {
    return this.connections >= this.#settings.connectionsMax || this.#memory.isShort;
  }

  awaitPreface(socket: net.Socket, onReady: (introduction: Introduction) => void): void {
    const { timeouts, trust } = this.#settings;
    this.#prefaces.await(socket, trust.trusted, timeouts.headerMs, onReady);
  }

  onHandshake(): void {
    this.#handshakes++;
  }

  onHandshakeEnd(isFailure: boolean): void {
    this.#handshakes--;
    if (isFailure) this.context.failedHandshakes++;
    if (this.connections === 0) this.#onEmpty?.();
  }

  onConnection(socket: net.Socket, { ends, isTls }: Introduction): void {
    const settings = this.#settings;
    const peer = new Peer(ends, isTls ? "https" : "http", settings.trust);
    let exchange: Exchange | null = null;
    const connection = new ServerConnection({
      accept: (handler) => acceptTransport(socket, handler),
      createHandler: (of) => (exchange = new Exchange(this.context, of, peer)),
      limits: settings.limits,
      timeouts: settings.timeouts,
      deadlines: this.context.deadlines,
      onClosed: (closed) => this.#closed(closed),
    });
    connection.isLast = this.#isDraining;
    connection.graceMs = this.#graceMs;
    this.#exchanges.set(connection, exchange!);
  }

  #closed(connection: ServerConnection): void {
    this.#exchanges.get(connection)?.close();
    this.#exchanges.delete(connection);
    if (this.connections === 0) this.#onEmpty?.();
  }
}

/** What client connections may cost, and whose word counts. */
export interface ProxySettings {
  readonly trust: TrustRules;
  readonly limits: Http1Limits;
  readonly timeouts: ServerTimeouts;
  /** Client connections at once; more are answered 503 and closed. */
  readonly connectionsMax: number;
}

/** A request that is on its way when its connection closes is lost: busy clients send one within that. */
const GRACE_MS = 5_000;
/** After the drain time: for the last answers to leave. */
const CUT_MS = 500;
