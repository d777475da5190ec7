import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import net from "node:net";
import { dirname } from "node:path";
import { EvenerError } from "../errors.ts";
import { type Address, addressText, boundPath } from "../http1/address.ts";
import type { Introduction } from "./preface.ts";
import { FULL, turnAway } from "./refusal.ts";
import type { TicketKeys } from "./ticket-keys.ts";
import { type ListenerTls, TlsAcceptor } from "./tls-acceptor.ts";

/** Where and how to listen: plain data. */
export interface ListenerSpec extends Address {
  /** Every connection begins with a PROXY header; only trusted peers may connect. */
  readonly proxyProtocol: boolean;
  /** Null: plain HTTP. */
  readonly tls: ListenerTls | null;
  /** Mode of the file of a unix socket, such as 0o660. */
  readonly socketMode: number;
  /** Sockets that listen there already; absent: it is opened. */
  readonly adopted?: AdoptedSockets;
}

/** Listening sockets that came from another process. */
export interface AdoptedSockets {
  /** At least one. Connections that wait in any of them are accepted. */
  readonly descriptors: readonly number[];
  /** The file of the unix socket is ours to remove. */
  readonly ownsFile: boolean;
}

/** Who gets the connections of listeners. */
export interface ListenerOwner {
  /** There is no room for another connection. */
  readonly isFull: boolean;
  /** Has the PROXY header read that the connection begins with; `onReady` is not called where none counts. */
  awaitPreface(socket: net.Socket, onReady: (introduction: Introduction) => void): void;
  /** A handshake of TLS begins. */
  onHandshake(): void;
  /** It has ended, after `onConnection` if there was one; `isFailure`: by a mistake of the client's. */
  onHandshakeEnd(isFailure: boolean): void;
  /** It is ready for its first request. */
  onConnection(socket: net.Socket, introduction: Introduction): void;
}

/**
 * One listening socket, and what happens to a connection before its first request:
 * accepted -> [PROXY header] -> [handshake of TLS] -> the owner's.
 */
export class Listener {
  readonly #owner: ListenerOwner;
  /** One, but for several sockets that were adopted. */
  readonly #servers: net.Server[] = [];
  readonly #tickets: TicketKeys;
  #spec: ListenerSpec;
  #tls: TlsAcceptor | null;
  /** The file of the unix socket is there, and ours. */
  #ownsFile = false;

  /** Throws EVENER_LISTEN_FAILED where `spec.tls` can not be used. */
  constructor(spec: ListenerSpec, owner: ListenerOwner, tickets: TicketKeys) {
    this.#owner = owner;
    this.#spec = spec;
    this.#tickets = tickets;
    this.#tls = this.#createTls(spec);
  }

  /**
   * Begins to listen, in sockets that are there or in one of its own; rejects with EVENER_LISTEN_FAILED.
   * `all` are the listeners that there will be; `reusePort`: other threads listen on the same port.
   */
  async open(all: readonly Address[], reusePort: boolean): Promise<void> {
    const { host, port, socketPath = null, adopted } = this.#spec;
    try {
      if (adopted !== undefined) {
        for (const fd of adopted.descriptors) await this.#listen({ fd });
        this.#ownsFile = socketPath !== null && adopted.ownsFile;
      } else if (socketPath !== null) await this.#openFile(socketPath);
      else {
        const ipv6Only = leavesIpv4(this.#spec, all);
        await this.#listen({ host, port, ipv6Only, reusePort, backlog: BACKLOG });
      }
    } catch (error) {
      this.close();
      throw listenError(this.#spec, error as NodeJS.ErrnoException);
    }
  }

  /** What connections from now on get, at the same address; a running handshake ends as it began. */
  update(spec: ListenerSpec): void {
    if (JSON.stringify(spec) === JSON.stringify(this.#spec)) return;
    const next = this.#createTls(spec);
    this.#tls?.close();
    this.#tls = next;
    if (typeof spec.socketPath === "string") chmodSync(spec.socketPath, spec.socketMode);
    this.#spec = spec;
  }

  /** The port is the real one where 0 was asked for. */
  get address(): Address {
    const address = this.#servers[0]?.address() ?? null;
    if (address === null || typeof address === "string") return this.#spec;
    return { host: address.address, port: address.port };
  }

  /** Accepts no more. The file of a unix socket goes, unless another process goes on with it. */
  close(isHandedOver = false): void {
    for (const server of this.#servers) server.close();
    this.#tls?.close();
    const { socketPath = null } = this.#spec;
    if (socketPath !== null && this.#ownsFile && !isHandedOver) removeFile(socketPath);
    this.#ownsFile = false;
  }

  /** Closes what is in a handshake still. */
  abort(): void {
    this.#tls?.abort();
  }

  #createTls(spec: ListenerSpec): TlsAcceptor | null {
    if (spec.tls === null) return null;
    try {
      return new TlsAcceptor(spec.tls, this.#tickets);
    } catch (error) {
      throw listenError(spec, error as NodeJS.ErrnoException);
    }
  }

  /**
   * Under another name at first: closing a socket removes the file that it was bound to, and another process
   * may go on with it. So who comes finds the file with its mode, too.
   */
  async #openFile(path: string): Promise<void> {
    await removeStale(path);
    const bound = boundPath(path);
    await removeStale(bound);
    await this.#listen({ path: bound, backlog: BACKLOG });
    chmodSync(bound, this.#spec.socketMode);
    renameSync(bound, path);
    this.#ownsFile = true;
  }

  #listen(options: net.ListenOptions | { fd: number }): Promise<void> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(socket));
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      // Of a descriptor Node takes the backlog from here only.
      server.listen(options, BACKLOG, () => {
        server.off("error", reject);
        // Accept errors (no descriptors left, say) concern one connection, not the listener.
        server.on("error", () => {});
        resolve();
      });
    });
  }

  #accept(socket: net.Socket): void {
    if (this.#owner.isFull) turnAway(socket, this.#tls === null ? FULL : "");
    else if (!this.#spec.proxyProtocol) this.#secure(socket, { ends: socket, isTls: false });
    else this.#owner.awaitPreface(socket, (introduction) => this.#secure(socket, introduction));
  }

  #secure(socket: net.Socket, introduction: Introduction): void {
    const owner = this.#owner;
    if (this.#tls === null) return owner.onConnection(socket, introduction);
    owner.onHandshake();
    this.#tls.accept(socket, {
      onSecure: (secure) => {
        owner.onConnection(secure, { ends: introduction.ends, isTls: true });
        owner.onHandshakeEnd(false);
      },
      onLost: (isFailure) => owner.onHandshakeEnd(isFailure),
    });
  }
}

const BACKLOG = 4096;

/** One socket for all of IPv6 takes IPv4 as well, unless another one is there for that. */
function leavesIpv4({ host, port }: Address, all: readonly Address[]): boolean {
  return host === "::" && all.some((other) => other.host === "0.0.0.0" && other.port === port);
}

/**
 * Resolves to the port of that TCP address, a free one for 0, when nobody listens there; else rejects as
 * {@link Listener.open}.
 */
export function probePort(address: Address, all: readonly Address[]): Promise<number> {
  const { host, port } = address;
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(address, error)));
    server.listen({ host, port, ipv6Only: leavesIpv4(address, all), exclusive: true }, () => {
      const { port: found } = server.address() as net.AddressInfo;
      server.close(() => resolve(found));
    });
  });
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody else has removed it.
  }
}

/** Takes away the file of a socket on which nobody listens any more. */
async function removeStale(path: string): Promise<void> {
  // Node tells a missing directory as missing rights.
  if (!existsSync(dirname(path))) throw Object.assign(new Error("no directory"), { code: "ENOENT" });
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw Object.assign(new Error("no socket"), { code: "ENOTSOCK" });
  if (await isListenedOn(path)) throw Object.assign(new Error("in use"), { code: "EADDRINUSE" });
  unlinkSync(path);
}

function isListenedOn(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Anything but a refusal (no permission, a full queue) means that somebody may be there.
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; stop it or choose another port",
  EACCES: "ports below 1024 need the right to open them; choose a higher one or grant CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "this machine has no such address; use 127.0.0.1 or 0.0.0.0",
  ENOTFOUND: "the name can not be resolved; use an address",
};
const SOCKET_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; stop it or choose another path",
  ENOTSOCK: "there is a file that is no socket; remove it or choose another path",
  ENOENT: "the directory does not exist; make it",
  EACCES: "no right to write into the directory; grant it or choose another path",
};

/** Why an address can not be listened on, and what to do. */
export function listenError(spec: Address, error: NodeJS.ErrnoException): EvenerError {
  const advice = typeof spec.socketPath === "string" ? SOCKET_ADVICE : ADVICE;
  const why = advice[error.code ?? ""] ?? error.message;
  return new EvenerError("EVENER_LISTEN_FAILED", `listener ${addressText(spec)}: ${why}`, { cause: error });
}
