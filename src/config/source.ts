import type { Alias, Document, Node, Pair } from "yaml";
import { isAlias, isMap, isScalar, isSeq, parseDocument } from "yaml";

import { expandVariables } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { noteFileValue } from "./file-value.ts";
import type { Finding, Path, Problem } from "./problem.ts";
import { formatPath } from "./problem.ts";

/** A YAML text as plain values, with the place of each. */
export class Source {
  /** Plain values, variables filled in; undefined when the text is no YAML (see `problems`). */
  readonly value: unknown;
  /** Syntax errors, missing variables and the like. */
  readonly problems: Problem[] = [];
  readonly #text: string;
  readonly #outside: Outside;
  /** Offsets at which lines begin. The parser's own counter misses some in what it does not understand. */
  readonly #lineStarts: readonly number[];
  readonly #document: Document.Parsed | undefined;
  #nodes = 0;
  #aliases = 0;

  constructor(text: string, outside: Outside) {
    this.#text = text;
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
    this.#outside = outside;
    this.#document = this.#parse();
    if (this.#document === undefined || this.problems.length > 0) return;
    this.value = this.#toValue(this.#document.contents, [], 0);
  }

  /** Puts a finding at its place; where the path is not in the file, at the deepest part that is. */
  place(finding: Finding): Problem {
    const { path, message, hint, code } = finding;
    const problem = {
      ...this.#position(this.#offsetOf(path, finding.at ?? "value")),
      path: formatPath(path),
      message,
    };
    return { ...problem, ...(hint === undefined ? {} : { hint }), ...(code === undefined ? {} : { code }) };
  }

  #parse(): Document.Parsed | undefined {
    let document: Document.Parsed;
    try {
      // Keys that are there twice are found here: the parser compares each with each.
      document = parseDocument(this.#text, { prettyErrors: false, intAsBigInt: false, uniqueKeys: false });
    } catch (error) {
      this.#report(0, [], yamlMessage((error as Error).message));
      return undefined;
    }
    const lines = new Set<number>();
    for (const { pos, message } of [...document.errors, ...document.warnings]) {
      // What the parser says about the rest of a line follows from its first error.
      const { line } = this.#position(pos[0]);
      if (!lines.has(line)) this.#report(pos[0], [], yamlMessage(message), this.#variableHint(line));
      lines.add(line);
    }
    return document;
  }

  #toValue(node: Node | null, path: Path, depth: number): unknown {
    this.#nodes++;
    if (depth > DEPTH_MAX) return this.#refuse(node, path, `is nested more than ${DEPTH_MAX} deep`);
    if (this.#nodes > NODES_MAX) {
      if (this.#nodes === NODES_MAX + 1)
        this.#refuse(node, path, `more than ${NODES_MAX} values are written`);
      return undefined;
    }
    if (isAlias(node)) return this.#toAliased(node, path, depth);
    if (isMap(node)) return this.#toMap(node.items, path, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) => this.#toValue(item as Node, [...path, index], depth + 1));
    }
    if (!isScalar(node)) return null;
    return typeof node.value === "string" ? this.#expand(node.value, node, path) : node.value;
  }

  #toAliased(node: Alias, path: Path, depth: number): unknown {
    this.#aliases++;
    if (this.#aliases > ALIASES_MAX) {
      if (this.#aliases === ALIASES_MAX + 1)
        this.#refuse(node, path, `more than ${ALIASES_MAX} aliases are used`);
      return undefined;
    }
    const target = node.resolve(this.#document!);
    if (target === undefined)
      return this.#refuse(node, path, `there is no anchor "&${node.source}" before this`);
    return this.#toValue(target, path, depth + 1);
  }

  #toMap(pairs: readonly Pair[], path: Path, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {};
    for (const pair of pairs) {
      const key = keyOf(pair);
      if (key === undefined || key === "__proto__") {
        this.#refuse(pair.key as Node | null, path, `${key ?? "a map or a list"} can not be a key`);
        continue;
      }
      if (Object.hasOwn(map, key)) {
        this.#refuse(pair.key as Node, [...path, key], "this key is there twice; remove one of them");
        continue;
      }
      map[key] = this.#toValue(pair.value as Node | null, [...path, key], depth + 1);
    }
    const { file } = map;
    if (typeof file === "string" && pairs.length === 1)
      noteFileValue(map, () => this.#outside.readFile(file));
    return map;
  }

  #expand(text: string, node: Node, path: Path): string {
    return expandVariables(text, this.#outside.env, (name, message) => {
      const [start, end] = node.range ?? [0, 0];
      const inside = this.#text.slice(start, end).indexOf(name);
      this.#report(start + Math.max(0, inside), path, message);
    });
  }

  #offsetOf(path: Path, at: "key" | "value"): number {
    let node: Node | null | undefined = this.#document?.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [index, part] of path.entries()) {
      const owner: Node | null | undefined = isAlias(node) ? node.resolve(this.#document!) : node;
      if (isSeq(owner)) {
        node = owner.items[part as number] as Node | undefined;
        offset = node?.range?.[0] ?? offset;
        continue;
      }
      const pair: Pair | undefined = isMap(owner)
        ? owner.items.find((one) => keyOf(one) === String(part))
        : undefined;
      if (pair === undefined) break;
      node = pair.value as Node | null;
      const isKeyWanted = at === "key" && index === path.length - 1;
      const isEmpty = node?.range === undefined || node.range === null || node.range[0] === node.range[1];
      offset = (isKeyWanted || isEmpty ? (pair.key as Node).range?.[0] : node?.range?.[0]) ?? offset;
    }
    return offset;
  }

  #position(offset: number): { line: number; column: number } {
    const next = this.#lineStarts.findIndex((start) => start > offset);
    const line = next < 0 ? this.#lineStarts.length : next;
    return { line, column: offset - this.#lineStarts[line - 1]! + 1 };
  }

  #refuse(node: Node | null, path: Path, message: string): undefined {
    if (this.problems.length < REFUSALS_MAX) this.#report(node?.range?.[0] ?? 0, path, message);
    return undefined;
  }

  #report(offset: number, path: Path, message: string, hint?: string): void {
    const place = { ...this.#position(offset), path: formatPath(path) };
    this.problems.push({ ...place, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** In `{ ... }` and `[ ... ]` a bare `${NAME}` ends the value at its brace. */
  #variableHint(line: number): string | undefined {
    const written = this.#text.split("\n", line)[line - 1] ?? "";
    return written.includes("${") ? 'inside { } and [ ] write "${NAME}" in quotes' : undefined;
  }
}

/** What a file may refer to. */
export interface Outside {
  readonly env: Environment;
  /** Contents of a file named in the configuration; throws when it can not be read. */
  readonly readFile: (path: string) => string;
}

const DEPTH_MAX = 32;
const NODES_MAX = 100_000;
const ALIASES_MAX = 100;
const REFUSALS_MAX = 100;

function keyOf(pair: Pair): string | undefined {
  return isScalar<string | number | boolean | null>(pair.key) ? String(pair.key.value ?? "") : undefined;
}

function yamlMessage(message: string): string {
  if (message.includes("call stack")) return `is nested more than ${DEPTH_MAX} deep`;
  if (message.startsWith("Source contains multiple")) return "one document is expected; remove the second";
  return `not valid YAML: ${message.replace(/\s+/g, " ")}`;
}
