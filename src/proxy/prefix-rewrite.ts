// Hot path: only on routes that rewrite; two slices.
import type { RequestHead } from "../http1/head.ts";
import type { PrefixSpec } from "./route-spec.ts";
import { hasPrefix } from "./route-match.ts";

/** Puts another beginning in the place of a path's first segments; all that follows stays byte for byte. */
export class PrefixRewrite {
  readonly #from: string;
  readonly #to: string;

  constructor({ from, to }: PrefixSpec) {
    this.#from = from;
    this.#to = to;
  }

  /** For `x-forwarded-prefix`: what is taken off with nothing in its place; else "". */
  get stripped(): string {
    return this.#to === "" ? this.#from : "";
  }

  /** The path begins with these segments. */
  takes(path: string): boolean {
    return this.#from === "" ? path.startsWith("/") : hasPrefix(path, this.#from);
  }

  /**
   * The new target, with its query; null when it would begin with "//", which some servers read as a host.
   * Call it where {@link takes} is true. No dot segment can come up: whole segments go, checked ones come.
   */
  apply({ originTarget, path }: RequestHead): string | null {
    const rest = originTarget.slice(this.#from.length);
    if (this.#to !== "") return this.#to + rest;
    if (path.length === this.#from.length) return `/${rest}`;
    return rest.startsWith("//") ? null : rest;
  }
}
