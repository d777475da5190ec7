// Hot path: only on routes that ask for a model or give it another name; one look-up, then one walk a
// pattern.

/** Names of models, some of them with `*` for any characters. Case counts, as it does for backends. */
export class ModelNames {
  readonly written: readonly string[];
  readonly #exact: ReadonlySet<string>;
  readonly #patterns: readonly string[];
  /**
   * How exactly they say what they take, by the least exact of them: a whole name before patterns, and of
   * those the one with more characters beside its `*`.
   */
  readonly rank: number;

  constructor(written: readonly string[]) {
    this.written = written;
    this.#exact = new Set(written.filter((name) => !name.includes("*")));
    this.#patterns = written.filter((name) => name.includes("*"));
    this.rank = Math.min(...written.map(rankOf));
  }

  /** Those without a `*`. */
  get names(): Iterable<string> {
    return this.#exact;
  }

  /** "" is no model, and is taken by none. */
  takes(model: string): boolean {
    if (model === "") return false;
    return this.#exact.has(model) || this.#patterns.some((pattern) => fitsPattern(pattern, model));
  }
}

/** Which model backends are asked for in place of another. */
export class ModelRewrite {
  readonly #exact: ReadonlyMap<string, string>;
  /** The most exact first. */
  readonly #patterns: readonly ModelAlias[];

  constructor(aliases: readonly ModelAlias[]) {
    this.#exact = new Map(
      aliases.filter(({ from }) => !from.includes("*")).map(({ from, to }) => [from, to]),
    );
    this.#patterns = aliases
      .filter(({ from }) => from.includes("*"))
      .toSorted((a, b) => rankOf(b.from) - rankOf(a.from));
  }

  /** The names that are exchanged, without patterns. */
  get names(): Iterable<string> {
    return this.#exact.keys();
  }

  /** The name for backends: the same where nothing is said of it. "" is no model, and stays none. */
  nameFor(model: string): string {
    if (model === "") return "";
    const exact = this.#exact.get(model);
    if (exact !== undefined) return exact;
    return this.#patterns.find(({ from }) => fitsPattern(from, model))?.to ?? model;
  }
}

/** `from` may have `*` for any characters. */
export interface ModelAlias {
  readonly from: string;
  readonly to: string;
}

/** Names have at most 256 characters. */
function rankOf(name: string): number {
  return name.includes("*") ? name.replaceAll("*", "").length + 1 : EXACT_RANK;
}

const EXACT_RANK = 1_000;

/** Each piece between two stars is looked for once, from the left: the time is bounded by both lengths. */
function fitsPattern(pattern: string, model: string): boolean {
  const pieces = pattern.split("*");
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  if (model.length < first.length + last.length) return false;
  if (!model.startsWith(first) || !model.endsWith(last)) return false;
  const end = model.length - last.length;
  let at = first.length;
  for (let i = 1; i < pieces.length - 1; i++) {
    const found = model.indexOf(pieces[i]!, at);
    if (found < 0 || found + pieces[i]!.length > end) return false;
    at = found + pieces[i]!.length;
  }
  return true;
}
