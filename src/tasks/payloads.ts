import type { TaskStore } from "../store/store.ts";

/** Payloads of tasks that wait, as far as there is room for them here; the store has them all. */
export class Payloads {
  readonly #store: TaskStore;
  /** Null: it has none. */
  readonly #kept: Map<string, Uint8Array | null> = new Map();
  #bytes = 0;

  constructor(store: TaskStore) {
    this.#store = store;
  }

  keep(id: string, payload: Uint8Array | null): void {
    const bytes = payload?.length ?? 0;
    if (this.#bytes + bytes > KEPT_BYTES_MAX || this.#kept.size >= KEPT_MAX) return;
    this.#kept.set(id, payload);
    this.#bytes += bytes;
  }

  forget(id: string): void {
    this.#bytes -= this.#kept.get(id)?.length ?? 0;
    this.#kept.delete(id);
  }

  /** Forgets those that are not open any more. */
  keepOnly(isOpen: (id: string) => boolean): void {
    for (const id of this.#kept.keys()) if (!isOpen(id)) this.forget(id);
  }

  /** What these tasks are sent with, in their order. Those that are not here are asked for. */
  of(ids: readonly string[]): (Uint8Array | null)[] | Promise<(Uint8Array | null)[]> {
    if (ids.every((id) => this.#kept.has(id))) return ids.map((id) => this.#kept.get(id)!);
    return this.#fetch(ids);
  }

  async #fetch(ids: readonly string[]): Promise<(Uint8Array | null)[]> {
    const stored = await this.#store.payloads(ids.filter((id) => !this.#kept.has(id)));
    return ids.map((id) => this.#kept.get(id) ?? stored.get(id) ?? null);
  }
}

const KEPT_BYTES_MAX = 64 * 1024 * 1024;
const KEPT_MAX = 200_000;
