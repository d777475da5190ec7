import type { ListenerConfig } from "../config/config.ts";
import { addressText } from "../http1/address.ts";
import type { AdoptedSockets, ListenerSpec } from "../proxy/listener.ts";

/** Listening sockets of another process that one listener is to go on with. */
export interface Adoption extends AdoptedSockets {
  /** The port that they have, also where the configuration asks for any; 0 for a unix socket. */
  readonly port: number;
}

/**
 * Who gets which of the sockets that came from another process. All of them are accepted on: connections wait
 * in each. A socket belongs to the thread that opened it, and ends with it.
 */
export class Adoptions {
  readonly #threads: number;
  /** By the address as configured. */
  readonly #sockets: Map<string, Adoption> = new Map();
  /** By thread and address: given to it already. */
  readonly #given: Set<string> = new Set();

  /** `threads` share them, numbered from 1. */
  constructor(threads: number) {
    this.#threads = threads;
  }

  /** `sockets`: by the address of the listener, as configured. */
  add(sockets: ReadonlyMap<string, Adoption>): void {
    for (const [address, adoption] of sockets) this.#sockets.set(address, adoption);
  }

  /** The port of adopted sockets of that listener; undefined where there are none. */
  portOf(listener: ListenerConfig): number | undefined {
    return this.#sockets.get(addressText(listener))?.port;
  }

  /** The listener as that thread is to open it. */
  specOf(listener: ListenerConfig, thread: number): ListenerSpec {
    const address = addressText(listener);
    const found = this.#sockets.get(address);
    const key = `${thread} ${address}`;
    if (found === undefined || this.#given.has(key)) return listener;
    this.#given.add(key);
    const threads = listener.socketPath === null ? this.#threads : 1;
    const descriptors = found.descriptors.filter((_, i) => i % threads === thread - 1);
    if (descriptors.length === 0) return listener;
    return { ...listener, adopted: { descriptors, ownsFile: found.ownsFile } };
  }
}
