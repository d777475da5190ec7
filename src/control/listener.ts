import net from "node:net";
import { isLoopback } from "../core/kit/ip-address.ts";
import { EvenerError } from "../errors.ts";
import type { Deadlines, ServerTimeouts } from "../http1/deadlines.ts";
import { DEFAULT_LIMITS } from "../http1/limits.ts";
import { ServerConnection } from "../http1/server.ts";
import { acceptTransport } from "../http1/socket-transport.ts";
import { AccessRule, tokenRequired } from "./access.ts";
import type { ControlDoor } from "./door.ts";
import { type ControlContext, ControlExchange } from "./exchange.ts";

/** A running control listener: strict HTTP, a token beyond loopback. */
export interface ControlListener {
  /** Where it listens, also when any free port was asked for. */
  readonly port: number;
  /** Closes the listener and its connections; what has been answered is delivered. */
  close(): Promise<void>;
}

/** Where a control listener listens, and who may ask it. */
export interface ControlAddress {
  /** An address or name without brackets. */
  readonly host: string;
  /** 0..65535; 0 is any free port. */
  readonly port: number;
  /** A socket that listens there already; absent: it is opened. */
  readonly descriptor?: number | undefined;
  /** Who shows it may do everything; null only where `host` is loopback. */
  readonly token: string | null;
  readonly deadlines: Deadlines;
  /** Told of mistakes of ours, which became a 500. */
  readonly onMistake?: (error: unknown) => void;
}

/**
 * Opens the listener. `name`: its block in the configuration, such as `admin`. Throws EvenerError:
 * EVENER_ADMIN_TOKEN_REQUIRED when others than this machine could reach it without a token,
 * EVENER_LISTEN_FAILED when the address can not be had.
 */
export async function openControl(
  name: string,
  address: ControlAddress,
  door: ControlDoor,
): Promise<ControlListener> {
  const access = new AccessRule(name, address.host, address.token);
  const connections = new Set<ServerConnection>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  const context: ControlContext = {
    access,
    door,
    port: () => addressOf(server).port,
    onMistake: address.onMistake ?? NOTHING,
  };
  server.maxConnections = CONNECTIONS_MAX;
  server.on("connection", (socket: net.Socket) => {
    connections.add(accept(socket, context, address.deadlines, (closed) => connections.delete(closed)));
  });
  const close = (): Promise<void> => closeAll(server, connections);
  try {
    await listen(server, name, address);
    // "localhost" is what the machine's hosts file says it is.
    if (!access.hasToken && !isLoopback(addressOf(server).address)) throw tokenRequired(name, address.host);
  } catch (error) {
    await close();
    throw error;
  }
  return { port: addressOf(server).port, close };
}

/** Connections at once; further ones are closed. */
const CONNECTIONS_MAX = 256;
const TIMEOUTS: ServerTimeouts = { headerMs: 10_000, keepAliveMs: 60_000, progressMs: 30_000 };
/** For bytes of an answer that are still to be delivered when the listener closes. */
const CLOSE_MS = 1_000;
const NOTHING = (): void => {};

function accept(
  socket: net.Socket,
  context: ControlContext,
  deadlines: Deadlines,
  onClosed: (connection: ServerConnection) => void,
): ServerConnection {
  return new ServerConnection({
    accept: (handler) => acceptTransport(socket, handler),
    createHandler: (connection) => new ControlExchange(context, connection),
    limits: DEFAULT_LIMITS,
    timeouts: TIMEOUTS,
    deadlines,
    onClosed,
  });
}

function listen(server: net.Server, name: string, address: ControlAddress): Promise<void> {
  const { host, port, descriptor } = address;
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenFailed(name, host, port, error)));
    server.listen(descriptor === undefined ? { host, port } : { fd: descriptor }, () => {
      server.removeAllListeners("error");
      // A listener that has worked may still fail to accept (no descriptors left): the next accept may work
      // again.
      server.on("error", NOTHING);
      resolve();
    });
  });
}

function listenFailed(name: string, host: string, port: number, error: NodeJS.ErrnoException): EvenerError {
  const where = `${name} listener on ${host.includes(":") ? `[${host}]` : host}:${port}`;
  const [found, advice] = LISTEN_ADVICE[error.code ?? ""] ?? [
    error.message,
    "set NAME.bind to another address",
  ];
  const text = `${where}: ${found}; ${advice.replace("NAME", name)}`;
  return new EvenerError("EVENER_LISTEN_FAILED", text, { cause: error });
}

const LISTEN_ADVICE: Readonly<Record<string, readonly [string, string]>> = {
  EADDRINUSE: ["the port is in use", "stop what listens there, or set NAME.bind to another port"],
  EACCES: ["no permission", "ports below 1024 need a privilege; set NAME.bind to a higher one"],
  EADDRNOTAVAIL: ["this machine does not have that address", "set NAME.bind to one of its own"],
  ENOTFOUND: ["there is no such name", "set NAME.bind to an address of this machine"],
};

async function closeAll(server: net.Server, connections: ReadonlySet<ServerConnection>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  for (const connection of connections) {
    if (connection.transport.bufferedBytes > 0) connection.transport.end();
    else connection.transport.destroy();
  }
  const limit = setTimeout(() => {
    for (const connection of connections) connection.transport.destroy();
  }, CLOSE_MS);
  await closed;
  clearTimeout(limit);
}

function addressOf(server: net.Server): net.AddressInfo {
  return server.address() as net.AddressInfo;
}
