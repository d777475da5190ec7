import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";

/**
 * Tells when one of a set of files was saved: also where an editor, or Kubernetes, puts a new file in its
 * place. So the directories are watched.
 */
export class FileWatch {
  readonly #changed: () => void;
  /** By directory: its watcher, and the names in it that matter. */
  readonly #watched: Map<string, { watcher: FSWatcher; names: Set<string> }> = new Map();
  #timer: NodeJS.Timeout | null = null;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Makes these the files that are watched. A directory that can not be watched is told to `onProblem`. */
  watch(paths: readonly string[], onProblem: (directory: string, error: Error) => void): void {
    const wanted = new Map<string, Set<string>>();
    for (const path of paths) {
      const directory = dirname(resolve(path));
      wanted.set(directory, (wanted.get(directory) ?? new Set()).add(basename(path)));
    }
    for (const [directory, { watcher }] of this.#watched) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watched.delete(directory);
    }
    for (const [directory, names] of wanted) {
      const known = this.#watched.get(directory);
      if (known !== undefined) known.names = names;
      else this.#begin(directory, names, onProblem);
    }
  }

  /** Watches nothing any more. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #begin(directory: string, names: Set<string>, onProblem: (directory: string, error: Error) => void): void {
    try {
      const watcher = watch(directory, (_event, file) => this.#noticed(directory, file));
      watcher.unref();
      watcher.on("error", (error) => onProblem(directory, error));
      this.#watched.set(directory, { watcher, names });
    } catch (error) {
      onProblem(directory, error as Error);
    }
  }

  #noticed(directory: string, file: string | null): void {
    const names = this.#watched.get(directory)?.names;
    if (file !== null && file !== KUBERNETES_LINK && names?.has(file) !== true) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#changed, SETTLE_MS);
  }
}

/** Editors write a file in several steps, and a certificate and its key are two files. */
const SETTLE_MS = 100;
/** What a mounted ConfigMap or Secret is switched by. */
const KUBERNETES_LINK = "..data";
