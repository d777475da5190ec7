import type { ListenerConfig } from "../config/config.ts";
import type { ListenerSpec } from "../proxy/listener.ts";
import { type Adoption, Adoptions } from "./adoptions.ts";
import { type HeldPort, Ports } from "./ports.ts";

/** Where a plane listens: in sockets that came from another process, or on ports of its own. */
export class Places {
  readonly #ports: Ports = new Ports();
  readonly #adoptions: Adoptions;

  /** `threads` share them, numbered from 1. */
  constructor(threads: number) {
    this.#adoptions = new Adoptions(threads);
  }

  /** See {@link Adoptions}; for listeners that are opened from now on. */
  adopt(sockets: ReadonlyMap<string, Adoption>): void {
    this.#adoptions.add(sockets);
  }

  /** There are sockets of another process for it. */
  isAdopted(listener: ListenerConfig): boolean {
    return this.#adoptions.portOf(listener) !== undefined;
  }

  /** See {@link Ports.choose}: to be called before these are opened; `open` are those that are. */
  choose(
    listeners: readonly ListenerConfig[],
    open: readonly ListenerConfig[],
  ): Promise<readonly HeldPort[]> {
    return this.#ports.choose(listeners, [...open, ...listeners.filter((it) => this.isAdopted(it))]);
  }

  /** Its port, also where the configuration asks for any. */
  portOf(listener: ListenerConfig): number {
    return this.#adoptions.portOf(listener) ?? this.#ports.of(listener);
  }

  /** The listener as that thread is to open it. */
  specOf(listener: ListenerConfig, thread: number): ListenerSpec {
    return { ...this.#adoptions.specOf(listener, thread), port: this.portOf(listener) };
  }
}
