import net from "node:net";
import { EvenerError } from "../errors.ts";
import type { ServerTimeouts } from "../http1/deadlines.ts";
import type { Http1Limits } from "../http1/limits.ts";
import { ServerConnection } from "../http1/server.ts";
import { acceptTransport } from "../http1/socket-transport.ts";
import type { Plan, ProxyContext } from "./context.ts";
import { Exchange } from "./exchange.ts";
import { Peer, type TrustRules } from "./peer.ts";
import { type Introduction, Prefaces } from "./preface.ts";

/**
 * The first door: listeners, and the connections of clients. The plan it works by is replaced as a whole
 * between requests; what is in flight goes on with the one it began with.
 */
export class Proxy {
  readonly context: ProxyContext;
  #settings: ProxySettings;
  readonly #listeners: Map<string, Listener> = new Map();
  readonly #prefaces: Prefaces;
  readonly #exchanges: Map<ServerConnection, Exchange> = new Map();
  #isDraining = false;
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
    return this.#exchanges.size + this.#prefaces.count;
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
   * Opens the listeners that are not open yet and closes those that are not named; of two for one address
   * the first counts. Throws EVENER_LISTEN_FAILED. `reusePort`: other threads listen on the same ports.
   */
  async listen(binds: readonly ListenerSpec[], reusePort = false): Promise<void> {
    const wanted = new Set<string>();
    for (const bind of binds) {
      const key = bindKey(bind);
      if (wanted.has(key)) continue;
      wanted.add(key);
      const open = this.#listeners.get(key);
      if (open === undefined) this.#listeners.set(key, await this.#open(bind, reusePort));
      else open.spec = bind;
    }
    for (const [key, { server }] of this.#listeners) {
      if (wanted.has(key)) continue;
      server.close();
      this.#listeners.delete(key);
    }
  }

  /** The addresses that are listened on; the port is the real one where 0 was asked for. */
  addresses(): { host: string; port: number }[] {
    return [...this.#listeners.values()].map(({ server }) => {
      const address = server.address() as net.AddressInfo;
      return { host: address.address, port: address.port };
    });
  }

  /**
   * Stops accepting, lets what is in flight finish for `timeoutMs`, then ends the rest; true when none was
   * cut.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#isDraining = true;
    for (const { server } of this.#listeners.values()) server.close();
    this.#listeners.clear();
    this.#prefaces.close();
    for (const connection of this.#exchanges.keys()) connection.retire();
    const isEmpty = await this.#untilEmpty(timeoutMs);
    this.context.mirrors.close();
    if (isEmpty) return true;
    for (const exchange of this.#exchanges.values()) exchange.shutDown();
    await this.#untilEmpty(CUT_MS);
    for (const connection of this.#exchanges.keys()) connection.abort();
    this.context.mirrors.close();
    return false;
  }

  #untilEmpty(timeoutMs: number): Promise<boolean> {
    if (this.#exchanges.size === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#onEmpty = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #open(bind: ListenerSpec, reusePort: boolean): Promise<Listener> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true });
    const listener: Listener = { server, spec: bind };
    server.on("connection", (socket) => this.#accept(socket, listener));
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(bind, error)));
      server.listen({ host: bind.host, port: bind.port, backlog: BACKLOG, reusePort }, () => {
        // Accept errors (no descriptors left, say) concern one connection, not the listener.
        server.on("error", () => {});
        resolve(listener);
      });
    });
  }

  #accept(socket: net.Socket, { spec }: Listener): void {
    const { connectionsMax, timeouts, trust } = this.#settings;
    if (this.connections >= connectionsMax) return refuseConnection(socket);
    if (!spec.proxyProtocol) return this.#serve(socket, { ends: socket, isTls: false });
    this.#prefaces.await(socket, trust.trusted, timeouts.headerMs, (introduction) =>
      this.#serve(socket, introduction),
    );
  }

  #serve(socket: net.Socket, { ends, isTls }: Introduction): void {
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
    this.#exchanges.set(connection, exchange!);
  }

  #closed(connection: ServerConnection): void {
    this.#exchanges.delete(connection);
    if (this.#exchanges.size === 0) this.#onEmpty?.();
  }
}

/** Where to listen, and what is spoken there before HTTP. */
export interface ListenerSpec {
  readonly host: string;
  readonly port: number;
  /** Every connection begins with a PROXY header; only trusted peers may connect. */
  readonly proxyProtocol: boolean;
}

interface Listener {
  readonly server: net.Server;
  spec: ListenerSpec;
}

/** What client connections may cost, and whose word counts. */
export interface ProxySettings {
  readonly trust: TrustRules;
  readonly limits: Http1Limits;
  readonly timeouts: ServerTimeouts;
  /** Client connections at once; more are answered 503 and closed. */
  readonly connectionsMax: number;
}

const BACKLOG = 4096;
/** After the drain time: for the last answers to leave. */
const CUT_MS = 500;

function bindKey({ host, port }: { host: string; port: number }): string {
  return `${host} ${port}`;
}

/** A full house says so, instead of leaving the client without an answer (fault 19). */
function refuseConnection(socket: net.Socket): void {
  socket.on("error", () => {});
  // Unread bytes would turn the close into a reset, and the answer would be lost: so it may stay for a while.
  // In a flood the descriptors are needed more.
  if (refusals >= REFUSALS_MAX) return void socket.end(REFUSAL, () => socket.destroy());
  refusals++;
  socket.on("close", () => refusals--);
  socket.resume();
  socket.end(REFUSAL);
  setTimeout(() => socket.destroy(), CUT_MS).unref();
}

/** Refused connections that are open still. */
let refusals = 0;
const REFUSALS_MAX = 32;
const REFUSAL =
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n" +
  'proxy-status: evener; error=connection_limit_reached; details="EVENER_SATURATED"\r\n\r\n';

/** Resolves to the port of that address, a free one for 0, when nobody listens there; else as `listen`. */
export function probePort(bind: { host: string; port: number }): Promise<number> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(bind, error)));
    server.listen({ host: bind.host, port: bind.port, exclusive: true }, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Why an address can not be listened on, and what to do. */
export function listenError(bind: { host: string; port: number }, error: NodeJS.ErrnoException): EvenerError {
  const where = `${bind.host.includes(":") ? `[${bind.host}]` : bind.host}:${bind.port}`;
  const advice: Record<string, string> = {
    EADDRINUSE: "another program listens there; stop it or choose another port",
    EACCES: "ports below 1024 need the right to open them; choose a higher one or grant CAP_NET_BIND_SERVICE",
    EADDRNOTAVAIL: "this machine has no such address; use 127.0.0.1 or 0.0.0.0",
    ENOTFOUND: "the name can not be resolved; use an address",
  };
  const why = advice[error.code ?? ""] ?? error.message;
  return new EvenerError("EVENER_LISTEN_FAILED", `listener ${where}: ${why}`, { cause: error });
}
