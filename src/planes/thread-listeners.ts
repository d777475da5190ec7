import type { ListenerConfig } from "../config/config.ts";
import { type Address, addressText } from "../http1/address.ts";
import type { ListenerSpec } from "../proxy/listener.ts";
import type { Adoption } from "./adoptions.ts";
import { Places } from "./places.ts";
import { isDeath, type ThreadHandle } from "./thread-handle.ts";

/** Where data threads listen, each in sockets of its own. */
export class ThreadListeners {
  addresses: Address[] = [];
  readonly #all: AskAll;
  readonly #onDeaf: OnDeaf;
  readonly #places: Places;
  #listeners: readonly ListenerConfig[] = [];
  /** By thread and address: it listens there. */
  readonly #open: Set<string> = new Set();
  /** By thread and address: it can not listen there. */
  readonly #deaf: Set<string> = new Set();

  /** `onDeaf`: told of a thread that has no socket for these addresses, and can not open one. */
  constructor(threads: number, all: AskAll, onDeaf: OnDeaf) {
    this.#all = all;
    this.#onDeaf = onDeaf;
    this.#places = new Places(threads);
  }

  /** See {@link Places.adopt}; for the next `open`. */
  adopt(sockets: ReadonlyMap<string, Adoption>): void {
    this.#places.adopt(sockets);
  }

  /** Opens, changes and closes until exactly these are open, in all threads. */
  async open(listeners: readonly ListenerConfig[]): Promise<void> {
    const before = this.#listeners;
    const held = await this.#places.choose(listeners, before);
    this.#listeners = listeners;
    try {
      const answers = await this.#all((thread) => this.ask(thread));
      if (answers.length > 0) this.addresses = answers[0]!;
    } catch (error) {
      // What some of them have opened is closed again.
      this.#listeners = before;
      await this.#all((thread) => this.ask(thread)).catch(() => {});
      throw error;
    } finally {
      for (const { letGo } of held) letGo();
    }
  }

  /** Has that thread listen. Rejects with EVENER_LISTEN_FAILED, or with its death. */
  async ask(thread: ThreadHandle): Promise<Address[]> {
    const specs = this.#specsOf(thread.number);
    const open = async (some: readonly ListenerSpec[]): Promise<Address[]> => {
      const addresses = (await thread.ask({ do: "listen", listeners: some })) as Address[];
      for (const spec of some) this.#open.add(keyOf(thread.number, spec));
      return addresses;
    };
    const lacks = this.#lacksOf(thread.number, specs);
    try {
      return await open(specs);
    } catch (error) {
      if (isDeath(error) || lacks.length === 0) throw error;
      const addresses = await open(specs.filter((spec) => !lacks.includes(spec)));
      for (const spec of lacks) this.#deaf.add(keyOf(thread.number, spec));
      const isLost = lacks.some((spec) => !this.#isHeard(addressText(spec)));
      this.#onDeaf(thread.number, lacks.map(addressText).join(", "), isLost);
      return addresses;
    }
  }

  /** That thread is dead: the next one of its number begins anew. */
  forget(thread: number): void {
    for (const keys of [this.#deaf, this.#open]) {
      for (const key of keys) if (key.startsWith(`${thread} `)) keys.delete(key);
    }
  }

  /** Of sockets that came from elsewhere there may be too few, and not all let another one beside them. */
  #lacksOf(thread: number, specs: readonly ListenerSpec[]): ListenerSpec[] {
    const all = this.#listeners.filter((listener) => this.#places.isAdopted(listener));
    const adopted = new Set(all.map((it) => addressText({ ...it, port: this.#places.portOf(it) })));
    return specs.filter((spec) => {
      return (
        spec.adopted === undefined && adopted.has(addressText(spec)) && !this.#open.has(keyOf(thread, spec))
      );
    });
  }

  #isHeard(address: string): boolean {
    for (const key of this.#open) if (key.endsWith(` ${address}`)) return true;
    return false;
  }

  /** A unix socket has no port to share: the first thread alone listens there. */
  #specsOf(thread: number): ListenerSpec[] {
    return this.#listeners
      .filter(({ socketPath }) => socketPath === null || thread === 1)
      .map((listener) => this.#places.specOf(listener, thread))
      .filter((spec) => !this.#deaf.has(keyOf(thread, spec)));
  }
}

/** Told of a thread that accepts nothing at these addresses; `isLost`: nor does any other at one of them. */
export type OnDeaf = (thread: number, addresses: string, isLost: boolean) => void;

/** Asks all threads that live; the first refusal is thrown, a death in between is not. */
export type AskAll = <T>(ask: (thread: ThreadHandle) => Promise<T>) => Promise<T[]>;

function keyOf(thread: number, spec: ListenerSpec): string {
  return `${thread} ${addressText(spec)}`;
}
