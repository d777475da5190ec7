import { RE2JS } from "re2js";

/**
 * A regular expression (RE2 syntax) that a whole path must match. Time is linear in the path, whatever the
 * pattern: neither look-around nor back-references exist.
 */
export class PathPattern {
  readonly text: string;
  readonly #compiled: RE2JS;

  /** Throws an Error that says why, when `text` is not a valid pattern or is too large a one. */
  constructor(text: string) {
    this.text = text;
    this.#compiled = RE2JS.compile(text);
    const size = this.#compiled.programSize();
    if (size > PROGRAM_INSTRUCTIONS_MAX) {
      throw new Error(`it is too large: ${size} instructions, at most ${PROGRAM_INSTRUCTIONS_MAX}`);
    }
  }

  matches(path: string): boolean {
    return this.#compiled.testExact(path);
  }
}

/** Time is this times the path's length, at worst: counts such as `{1,500}` make long programs. */
const PROGRAM_INSTRUCTIONS_MAX = 200;
