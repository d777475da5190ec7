import type { RequestHead } from "../http1/head.ts";
import { ANSWERS } from "./answers.ts";
import type { OwnAnswer } from "./answer.ts";
import { PrefixRewrite } from "./prefix-rewrite.ts";
import { hostName } from "./route-match.ts";
import type { RedirectSpec } from "./route-spec.ts";

/**
 * Sends clients elsewhere. What is not replaced is left to the client (RFC 3986 section 4.2), so that it is
 * right behind a TLS terminator, too: only the path where scheme and host stay, `//host/path` where the
 * scheme does.
 */
export class Redirect {
  readonly #spec: RedirectSpec;
  readonly #prefix: PrefixRewrite | null;
  /** Further lines of the answer, with their CRLF. */
  readonly #lines: string;

  constructor(spec: RedirectSpec, lines: string) {
    this.#spec = spec;
    this.#prefix = spec.prefix === null ? null : new PrefixRewrite(spec.prefix);
    this.#lines = lines;
  }

  /** The answer to the request, an error where its target can not be said. */
  answerTo(head: RequestHead): OwnAnswer {
    const { status, scheme, host } = this.#spec;
    const target = this.#target(head);
    if (target === null) return ANSWERS.doubleSlash;
    let origin = "";
    // A path that begins with "//" alone would name a host.
    if (scheme !== null || host !== null || target.startsWith("//")) {
      // The port belongs to the scheme that is left.
      const authority = host ?? (scheme === null ? head.host : hostName(head.host));
      if (authority === "") return ANSWERS.noHost;
      origin = `${scheme === null ? "" : `${scheme}:`}//${authority}`;
    }
    return { kind: "fixed", status, lines: `location: ${origin}${target}\r\n${this.#lines}`, body: "" };
  }

  #target(head: RequestHead): string | null {
    // What is asked of the server as a whole ("*") has no path to keep.
    const { originTarget, path } = head;
    if (this.#spec.path !== null) return this.#spec.path + originTarget.slice(path.length);
    if (this.#prefix?.takes(path) === true) return this.#prefix.apply(head);
    return path === "*" ? "/" : originTarget;
  }
}
