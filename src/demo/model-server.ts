import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Random } from "../core/kit/random.ts";
import { DEMO_ENGINE, type EngineOptions } from "./engine.ts";
import { ModelApi, type ModelServerStats } from "./model-api.ts";

/**
 * Starts a small model server that speaks the OpenAI API on `node:http`: a peer for Evener's own parser that
 * shares no line with it. Rejects with the system's error where the port is taken (`EADDRINUSE`).
 */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { name, slowness = 1, failureRate = 0, seed = 1, host = "127.0.0.1", port = 0 } = options;
  const engine: EngineOptions = { ...DEMO_ENGINE, slowness, ...options.engine };
  const api = new ModelApi(
    { name, model: options.model ?? DEMO_MODEL, failureRate, engine },
    new Random(seed),
  );
  const server = createServer((request, response) => {
    // A connection whose last answer ends while the server closes would stay open, idle.
    response.once("close", () => {
      if (!server.listening) server.closeIdleConnections();
    });
    api.handle(request, response);
  });
  // Longer than a balancer keeps an idle connection: the one that reuses it should be the one that closes it.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listen(server, port, host);
  return new RunningServer(name, host, server, api);
}

/** A demo server that runs. */
export interface ModelServer {
  readonly name: string;
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly port: number;
  stats(): ModelServerStats;
  /** Stops listening, lets answers under way end for at most two seconds, cuts off the rest. */
  close(): Promise<void>;
  /**
   * As a crash: every connection is destroyed now, nothing listens any more. The port may be used again at
   * once.
   */
  kill(): void;
}

/** How to start a demo server. */
export interface ModelServerOptions {
  /** Shown in `x-demo-server` and in `system_fingerprint`. */
  readonly name: string;
  readonly host?: "127.0.0.1";
  /** 0, the default, takes any free one. */
  readonly port?: number;
  /** `demo-model` unless said. */
  readonly model?: string;
  /** 1 is full speed, 4 takes four times as long. */
  readonly slowness?: number;
  /** Share of the requests that fail on purpose, 0..1. */
  readonly failureRate?: number;
  readonly seed?: number;
  readonly engine?: Partial<EngineOptions>;
}

/** The model that every demo server serves. */
export const DEMO_MODEL = "demo-model";

class RunningServer implements ModelServer {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly #server: Server;
  readonly #api: ModelApi;
  readonly #sockets: Set<Socket> = new Set();

  constructor(name: string, host: string, server: Server, api: ModelApi) {
    this.name = name;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://${host}:${this.port}`;
    this.#server = server;
    this.#api = api;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  stats(): ModelServerStats {
    return this.#api.stats();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#cutOff(), CLOSE_MS_MAX);
    await closed;
    clearTimeout(timer);
    this.#api.stop();
  }

  kill(): void {
    this.#server.close();
    this.#cutOff();
  }

  #cutOff(): void {
    this.#api.stop();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const KEEP_ALIVE_MS = 75_000;
const CLOSE_MS_MAX = 2_000;

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
