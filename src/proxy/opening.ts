// Hot path: three comparisons; a text is made only where a connection asks for something else than before.
import { inOnePiece } from "../http1/latin1.ts";

/** The first lines of a head for a backend: kept for the next request of the connection. */
export class Opening {
  #method = "";
  #target = "";
  #host = "";
  #text = "";

  /** Request line and Host; without one where `host` is "". */
  of(method: string, target: string, host: string): string {
    if (this.#target === target && this.#method === method && this.#host === host) return this.#text;
    this.#method = method;
    this.#target = target;
    this.#host = host;
    const line = `${method} ${target} HTTP/1.1\r\n`;
    this.#text = inOnePiece(host === "" ? line : `${line}host: ${host}\r\n`);
    return this.#text;
  }
}
