/**
 * What commands have written lately, by task: for those who follow it live. The whole of it comes with the
 * result.
 */
export class OutputLog {
  readonly #logs: Map<string, TaskOutput> = new Map();
  readonly #watchers: Map<string, Set<() => void>> = new Map();

  append(task: string, stream: "stdout" | "stderr", bytes: Uint8Array): void {
    const log = this.#logs.get(task) ?? { parts: [], bytes: 0, dropped: 0 };
    this.#logs.delete(task);
    this.#logs.set(task, log);
    log.parts.push({ stream, bytes: Buffer.from(bytes) });
    log.bytes += bytes.length;
    while (log.bytes > LOG_BYTES_MAX && log.parts.length > 1) {
      const first = log.parts.shift()!;
      log.bytes -= first.bytes.length;
      log.dropped++;
    }
    if (this.#logs.size > LOGS_MAX) this.#logs.delete(this.#logs.keys().next().value!);
    this.wake(task);
  }

  /** Parts from number `from` on; numbers count all parts, those that are gone included. */
  since(task: string, from: number): { readonly parts: readonly OutputPart[]; readonly next: number } {
    const log = this.#logs.get(task);
    if (log === undefined) return { parts: [], next: from };
    return { parts: log.parts.slice(Math.max(0, from - log.dropped)), next: log.dropped + log.parts.length };
  }

  /** Calls `onNews` whenever there is more, or the task has ended; returns how to stop that. */
  watch(task: string, onNews: () => void): () => void {
    const watchers = this.#watchers.get(task) ?? new Set();
    this.#watchers.set(task, watchers.add(onNews));
    return () => {
      watchers.delete(onNews);
      if (watchers.size === 0) this.#watchers.delete(task);
    };
  }

  /** Something about the task is new. */
  wake(task: string): void {
    for (const onNews of this.#watchers.get(task) ?? []) onNews();
  }
}

/** What was written at once. */
export interface OutputPart {
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

interface TaskOutput {
  readonly parts: OutputPart[];
  bytes: number;
  dropped: number;
}

const LOG_BYTES_MAX = 256 * 1024;
const LOGS_MAX = 1_000;
