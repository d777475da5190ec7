import net from "node:net";
import { EvenerError } from "../errors.ts";
import type { Deadlines, ServerTimeouts } from "../http1/deadlines.ts";
import { type Http1Limits, DEFAULT_LIMITS } from "../http1/limits.ts";
import { ServerConnection } from "../http1/server.ts";
import { acceptTransport } from "../http1/socket-transport.ts";
import { AccessRule, isLoopback, tokenRequired } from "./access.ts";
import { type AdminContext, AdminExchange } from "./admin-exchange.ts";
import { AdminApi } from "./api.ts";
import { RecentPicks } from "./recent-picks.ts";
import type { AdminSource } from "./source.ts";
import { StatusReader } from "./status.ts";

/** A running admin listener. */
export interface Admin {
  /** Where it listens, also when any free port was asked for. */
  readonly port: number;
  /** Closes the listener and its connections; what has been answered is delivered. */
  close(): Promise<void>;
}

/** What an admin listener needs. */
export interface AdminSetup {
  /** An address or name without brackets. */
  readonly host: string;
  /** 0..65535; 0 is any free port. */
  readonly port: number;
  /** A socket that listens there already; absent: it is opened. */
  readonly descriptor?: number | undefined;
  /** Who shows it may do everything; null only where `host` is loopback. */
  readonly token: string | null;
  readonly source: AdminSource;
  readonly deadlines: Deadlines;
  /** The audit log: told after every change, who made it and what. */
  readonly onChange?: (who: string, what: string) => void;
  /** Told of mistakes of ours, which became a 500. */
  readonly onMistake?: (error: unknown) => void;
}

/**
 * Opens the admin listener: status page, metrics, API. Throws EvenerError: EVENER_ADMIN_TOKEN_REQUIRED when
 * others than this machine could reach it without a token, EVENER_LISTEN_FAILED when the address can not be
 * had.
 */
export async function startAdmin(setup: AdminSetup): Promise<Admin> {
  const access = new AccessRule(setup.host, setup.token);
  const { source, deadlines } = setup;
  const recent = new RecentPicks(source, deadlines);
  const api = new AdminApi(source, new StatusReader(source, recent), setup.onChange ?? NOTHING);
  const connections = new Set<ServerConnection>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  const context: AdminContext = {
    access,
    api,
    deadlines,
    events: source.events,
    port: () => addressOf(server).port,
    onMistake: setup.onMistake ?? NOTHING,
  };
  server.maxConnections = CONNECTIONS_MAX;
  server.on("connection", (socket: net.Socket) => {
    connections.add(accept(socket, context, (connection) => connections.delete(connection)));
  });
  const close = async (): Promise<void> => {
    recent.close();
    await closeAll(server, connections);
  };
  try {
    await listen(server, setup);
    // "localhost" is what the machine's hosts file says it is.
    if (!access.hasToken && !isLoopback(addressOf(server).address)) throw tokenRequired(setup.host);
  } catch (error) {
    await close();
    throw error;
  }
  return { port: addressOf(server).port, close };
}

/** Connections at once; further ones are closed. */
const CONNECTIONS_MAX = 256;
const LIMITS: Http1Limits = DEFAULT_LIMITS;
const TIMEOUTS: ServerTimeouts = { headerMs: 10_000, keepAliveMs: 60_000, progressMs: 30_000 };
/** For bytes of an answer that are still to be delivered when the listener closes. */
const CLOSE_MS = 1_000;
const NOTHING = (): void => {};

function accept(
  socket: net.Socket,
  context: AdminContext,
  onClosed: (connection: ServerConnection) => void,
): ServerConnection {
  return new ServerConnection({
    accept: (handler) => acceptTransport(socket, handler),
    createHandler: (connection) => new AdminExchange(context, connection),
    limits: LIMITS,
    timeouts: TIMEOUTS,
    deadlines: context.deadlines,
    onClosed,
  });
}

function listen(server: net.Server, { host, port, descriptor }: AdminSetup): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenFailed(host, port, error)));
    server.listen(descriptor === undefined ? { host, port } : { fd: descriptor }, () => {
      server.removeAllListeners("error");
      // A listener that has worked may still fail to accept (no descriptors left): the next accept may work
      // again.
      server.on("error", NOTHING);
      resolve();
    });
  });
}

function listenFailed(host: string, port: number, error: NodeJS.ErrnoException): EvenerError {
  const where = `admin listener on ${host.includes(":") ? `[${host}]` : host}:${port}`;
  const [found, advice] = LISTEN_ADVICE[error.code ?? ""] ?? [
    error.message,
    "set admin.bind to another address",
  ];
  return new EvenerError("EVENER_LISTEN_FAILED", `${where}: ${found}; ${advice}`, { cause: error });
}

const LISTEN_ADVICE: Readonly<Record<string, readonly [string, string]>> = {
  EADDRINUSE: ["the port is in use", "stop what listens there, or set admin.bind to another port"],
  EACCES: ["no permission", "ports below 1024 need a privilege; set admin.bind to a higher one"],
  EADDRNOTAVAIL: ["this machine does not have that address", "set admin.bind to one of its own"],
  ENOTFOUND: ["there is no such name", "set admin.bind to an address of this machine"],
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
