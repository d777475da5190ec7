import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopback } from "../core/kit/ip-address.ts";
import { EvenerError } from "../errors.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import { type ControlAnswer, errorAnswer } from "./answer.ts";

/**
 * Who may ask a control listener. With a token: whoever shows it. Without (loopback only): whoever is on
 * this machine, and no web page that a browser on this machine has open (DNS rebinding, cross-site
 * requests).
 */
export class AccessRule {
  /** SHA-256 of the token; the token itself is not kept. */
  readonly #digest: Buffer | null;

  readonly #door: string;

  /**
   * `door`: its block in the configuration, such as `admin`. Throws EVENER_ADMIN_TOKEN_REQUIRED: an empty
   * token, or none where others than this machine can reach `host`.
   */
  constructor(door: string, host: string, token: string | null) {
    if (token === "") {
      throw new EvenerError(
        "EVENER_ADMIN_TOKEN_REQUIRED",
        `${door}.token is empty; give it a value (openssl rand -hex 32) or leave it out on loopback`,
      );
    }
    if (token === null && !isLoopback(host)) throw tokenRequired(door, host);
    this.#door = door;
    this.#digest = token === null ? null : digestOf(Buffer.from(token, "utf8"));
  }

  get hasToken(): boolean {
    return this.#digest !== null;
  }

  /**
   * Null when the request may go on, else the refusal. `port`: of the listener. `isPublic`: needs no token.
   */
  check(head: RequestHead, port: number, isPublic: boolean): ControlAnswer | null {
    if (this.#digest === null && !isLoopbackHost(head.host, port)) {
      return errorAnswer(
        "EVENER_FORBIDDEN",
        `without a token only this machine may ask, as http://127.0.0.1:${port} or` +
          ` http://localhost:${port}; for any other name set ${this.#door}.token`,
      );
    }
    // A page may read nothing of another origin's answers, but all of its WebSockets.
    const isRead = (head.method === "GET" || head.method === "HEAD") && head.upgrade === null;
    if (!isRead && !isOwnOrigin(head.value(FIELD.origin), head.host)) {
      return errorAnswer("EVENER_FORBIDDEN", "a web page of another origin may not change anything here");
    }
    if (isPublic || this.#digest === null) return null;
    const shown = shownToken(head.value(FIELD.authorization));
    if (shown !== null && timingSafeEqual(digestOf(shown), this.#digest)) return null;
    return errorAnswer("EVENER_UNAUTHORIZED", howToShow(this.#door), challenges(this.#door));
  }
}

/** The refusal to listen on `host` without a token. */
export function tokenRequired(door: string, host: string): EvenerError {
  return new EvenerError(
    "EVENER_ADMIN_TOKEN_REQUIRED",
    `${door} listener on ${host}: others than this machine could reach it; set ${door}.token` +
      " (openssl rand -hex 32), or bind it to 127.0.0.1",
  );
}

/**
 * A page on another site can not choose the Host that its browser sends: a name that is ours is no
 * rebinding.
 */
function isLoopbackHost(host: string, port: number): boolean {
  const suffix = `:${port}`;
  let name = host;
  if (host.endsWith(suffix)) name = host.slice(0, -suffix.length);
  else if (port !== HTTP_PORT) return false;
  return name === "[::1]" || (!name.includes(":") && isLoopback(name));
}

/** No Origin: no browser, or none that asks across sites. */
function isOwnOrigin(origin: string | null, host: string): boolean {
  if (origin === null) return true;
  const asked = URL.parse(`http://${host}`);
  const from = URL.parse(origin);
  return asked !== null && from !== null && from.host !== "" && from.host === asked.host;
}

/**
 * The token as bytes, from `Bearer TOKEN` or from `Basic`, whose password it is; null when there is neither.
 */
function shownToken(authorization: string | null): Buffer | null {
  const match = /^(bearer|basic) +([^ ]+)$/i.exec(authorization ?? "");
  if (match === null) return null;
  if (match[1]!.toLowerCase() === "bearer") return Buffer.from(match[2]!, "latin1");
  const pair = Buffer.from(match[2]!, "base64");
  // Node passes over whatever is no base64: there would be many spellings of one token.
  if (pair.toString("base64") !== match[2]) return null;
  const colon = pair.indexOf(0x3a);
  return colon < 0 ? null : pair.subarray(colon + 1);
}

/** Digests have one length, so that comparing them tells nothing about the token's. */
function digestOf(bytes: Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

const HTTP_PORT = 80;

function howToShow(door: string): string {
  return (
    `this needs the ${door} token: curl -H 'authorization: Bearer TOKEN' ..., or in a browser any user name` +
    " with the token as password"
  );
}

function challenges(door: string): string {
  const realm = `realm="evener ${door}"`;
  return `www-authenticate: Basic ${realm}, charset="UTF-8"\r\nwww-authenticate: Bearer ${realm}\r\n`;
}
