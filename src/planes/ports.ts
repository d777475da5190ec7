import net from "node:net";
import type { ListenerConfig } from "../config/config.ts";
import { addressText } from "../http1/address.ts";
import { listenError, probePort } from "../proxy/listener.ts";
import { SHARES_PORTS } from "./thread-count.ts";

/** The ports that data threads listen on together: as configured, or the one that stands for 0. */
export class Ports {
  /** By the address as configured. */
  readonly #found: Map<string, number> = new Map();

  /**
   * A port for each that asks for any; those that are not `open` yet are free, or it is EVENER_LISTEN_FAILED.
   * To be let go when they are.
   */
  async choose(
    listeners: readonly ListenerConfig[],
    open: readonly ListenerConfig[],
  ): Promise<readonly HeldPort[]> {
    const held: HeldPort[] = [];
    const known = new Set(open.map(addressText));
    try {
      for (const listener of listeners) {
        if (listener.socketPath !== null || known.has(addressText(listener))) continue;
        if (listener.port === 0 && SHARES_PORTS) held.push(await this.#hold(listener));
        else await this.#probe(listener, listeners);
      }
    } catch (error) {
      for (const { letGo } of held) letGo();
      throw error;
    }
    return held;
  }

  async #hold(listener: ListenerConfig): Promise<HeldPort> {
    const free = await holdFreePort(listener.host);
    this.#found.set(addressText(listener), free.port);
    return free;
  }

  /** Sockets that share a port would share it with any other program that does. */
  async #probe(listener: ListenerConfig, listeners: readonly ListenerConfig[]): Promise<void> {
    const free = await probePort(listener, listeners);
    if (listener.port === 0) this.#found.set(addressText(listener), free);
  }

  /** The port of that listener. */
  of(listener: ListenerConfig): number {
    return this.#found.get(addressText(listener)) ?? listener.port;
  }
}

/** A free port that nobody else is given until it is let go. */
export interface HeldPort {
  readonly port: number;
  readonly letGo: () => void;
}

/**
 * Finds a free port of `host` for sockets that share one (`reusePort`), and holds it until they are open: in
 * between, the system would give it to the next who asks for any. Throws EVENER_LISTEN_FAILED.
 */
function holdFreePort(host: string): Promise<HeldPort> {
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError({ host, port: 0 }, error)));
    server.listen({ host, port: 0, reusePort: true, exclusive: true }, () => {
      const { port } = server.address() as net.AddressInfo;
      resolve({ port, letGo: () => void server.close() });
    });
  });
}
