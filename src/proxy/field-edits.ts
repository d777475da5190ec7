// Hot path: only on routes with edits; a set look-up a field line, one string made once.
import { FIELD, fieldIdOf } from "../http1/fields.ts";
import type { MessageHead } from "../http1/head.ts";
import type { FieldEditsSpec, FieldSpec } from "./route-spec.ts";

/** Field lines of a message that a route replaces, adds or takes out. */
export class FieldEdits {
  /** Lines that are added, each with its CRLF. */
  readonly lines: string;
  /** Those of them that an answer of our own does not write itself. */
  readonly linesOfOwn: string;
  readonly #ids: Uint8Array = new Uint8Array(256);
  /** Names as they are compared: lower case, "-" for "_". */
  readonly #names: ReadonlySet<string>;

  constructor({ set, add, remove }: FieldEditsSpec) {
    const dropped = [...set.map(({ name }) => name), ...remove];
    for (const name of dropped) this.#ids[fieldIdOf(name)] = 1;
    this.#ids[FIELD.unknown] = 0;
    this.#names = new Set(dropped.map((name) => name.replaceAll("_", "-")));
    this.lines = fieldLines([...set, ...add]);
    this.linesOfOwn = fieldLines([...set, ...add].filter(({ name }) => !WRITTEN_BY_US.has(name)));
  }

  /**
   * Line `index` goes no further. Some servers read "_" as "-": a line that the route sets can not be given
   * by the client in that disguise (CVE class 7).
   */
  drops(head: MessageHead, index: number): boolean {
    const id = head.ids[index]!;
    if (id !== FIELD.unknown) return this.#ids[id] === 1;
    return this.#names.has(head.nameAt(index).toLowerCase().replaceAll("_", "-"));
  }
}

/** Null where there is nothing to do, so that plain routes pay nothing. */
export function fieldEdits(spec: FieldEditsSpec): FieldEdits | null {
  const isEmpty = spec.set.length + spec.add.length + spec.remove.length === 0;
  return isEmpty ? null : new FieldEdits(spec);
}

/** Each with its CRLF. */
export function fieldLines(fields: readonly FieldSpec[]): string {
  return fields.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
}

const WRITTEN_BY_US: ReadonlySet<string> = new Set([
  "allow",
  "content-type",
  "location",
  "proxy-status",
  "retry-after",
]);
