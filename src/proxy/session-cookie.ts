import { createHmac, timingSafeEqual } from "node:crypto";
import type { RequestHead } from "../http1/head.ts";
import { cookieOf } from "./keys.ts";

/**
 * The cookie that names a session's backend: `1.KEY.TAG.EXPIRY.SIGNATURE`, at most 120 bytes. The tag is a
 * keyed hash of the backend's id, so that nothing of our inside can be read from it; the signature covers
 * pool, tag and expiry. Two keys may be live: the first signs, both verify, so that keys can be changed
 * without losing a session.
 */
export class SessionCookies {
  readonly #keys: readonly SessionKey[];
  readonly #pool: string;
  readonly #ttlMs: number;
  readonly name: string;
  readonly #verified: Map<string, string> = new Map();
  /** By id: a reload asks for all of them again. */
  #tags: Map<string, string[]> = new Map();

  /** `secrets`: one or two, at least 16 characters each. */
  constructor(name: string, pool: string, ttlMs: number, secrets: readonly string[]) {
    this.name = name;
    this.#pool = pool;
    this.#ttlMs = ttlMs;
    this.#keys = secrets.map((secret) => ({ secret, id: digest(secret, "key id").slice(0, 4) }));
  }

  /** What stands for the backends of these ids in cookies, each with its id. */
  tagsOf(ids: readonly string[]): Map<string, string> {
    const before = this.#tags;
    this.#tags = new Map();
    for (const id of ids) this.#tags.set(id, before.get(id) ?? this.#tagsFor(id));
    return new Map([...this.#tags].flatMap(([id, tags]) => tags.map((tag) => [tag, id] as const)));
  }

  #tagsFor(id: string): string[] {
    return this.#keys.map((key) => digest(key.secret, `tag ${this.#pool} ${id}`).slice(0, TAG_LENGTH));
  }

  /** The `set-cookie` line with its CRLF; one that was set by https comes back by https only. */
  setCookieLine(id: string, wallMs: number, isSecure: boolean): string {
    const key = this.#keys[0]!;
    const expiry = Math.ceil((wallMs + this.#ttlMs) / 1000).toString(36);
    const tag = (this.#tags.get(id) ?? this.#tagsFor(id))[0]!;
    const signature = this.#sign(key, tag, expiry);
    const value = `1.${key.id}.${tag}.${expiry}.${signature}`;
    const secure = isSecure ? "; Secure" : "";
    return `set-cookie: ${this.name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}\r\n`;
  }

  /** The tag that a cookie's value carries, or null when it is forged, expired or of another pool. */
  verify(value: string, wallMs: number): string | null {
    const parts = value.split(".");
    if (parts.length !== 5 || value.length > COOKIE_LENGTH_MAX) return null;
    const [version, keyId, tag, expiry, signature] = parts as [string, string, string, string, string];
    if (version !== "1" || !(Number.parseInt(expiry, 36) * 1000 > wallMs)) return null;
    const known = this.#verified.get(value);
    if (known !== undefined) return known;
    for (const key of this.#keys) {
      if (key.id !== keyId || !isEqual(signature, this.#sign(key, tag, expiry))) continue;
      this.#remember(value, tag);
      return tag;
    }
    return null;
  }

  /** The Cookie line without our cookie, with its CRLF; "" when nothing is left. */
  rewriteCookie(cookies: string): string {
    if (!cookies.includes(this.name)) return `cookie: ${cookies}\r\n`;
    const others = cookies.split(";").filter((pair) => pair.split("=")[0]!.trim() !== this.name);
    const rest = others.join(";").trim();
    return rest === "" ? "" : `cookie: ${rest}\r\n`;
  }

  #sign(key: SessionKey, tag: string, expiry: string): string {
    return digest(key.secret, `cookie ${this.#pool} ${tag} ${expiry}`).slice(0, SIGNATURE_LENGTH);
  }

  #remember(value: string, tag: string): void {
    if (this.#verified.size >= VERIFIED_MAX) this.#verified.clear();
    this.#verified.set(value, tag);
  }
}

/** The tag that the request's session cookie carries; null when it has none, or none that is good here. */
export function sessionTag(cookies: SessionCookies, head: RequestHead): string | null {
  const value = cookieOf(head, cookies.name);
  return value === null ? null : cookies.verify(value, Date.now());
}

interface SessionKey {
  readonly secret: string;
  readonly id: string;
}

const TAG_LENGTH = 16;
/** 22 characters of base64url are 132 bits of the HMAC. */
const SIGNATURE_LENGTH = 22;
const COOKIE_LENGTH_MAX = 120;
/** Cookies whose signature was checked lately. */
const VERIFIED_MAX = 10_000;

function digest(secret: string, text: string): string {
  return createHmac("sha256", secret).update(text).digest("base64url");
}

function isEqual(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
