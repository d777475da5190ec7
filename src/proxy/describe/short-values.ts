// Hot path: a handful of short values a request; each becomes one small string.
import { hashText } from "../../core/kit/hash.ts";
import { NO_KEY } from "../../core/work.ts";
import type { LlmApi } from "./llm-api.ts";
import type { RequestFacts } from "./request-facts.ts";
import { ROLE } from "./role.ts";

const ROLES = ROLE.session + 1;
const INTEGER_MAX = 2_147_483_647;
const ABSENT = 0;
const TEXT = 1;
const LITERAL = 2;

/** The last value of each role that is no section, as it stands in the body; what it means is asked later. */
export class ShortValues {
  readonly #texts: string[] = Array.from({ length: ROLES }, () => "");
  readonly #kinds = new Uint8Array(ROLES);

  reset(): void {
    this.#kinds.fill(ABSENT);
  }

  /** The key has come again: its value so far is void, whatever the next one is. */
  drop(role: number): void {
    this.#kinds[role] = ABSENT;
  }

  /** The same for all keys of an object. */
  dropAll(roles: readonly number[]): void {
    for (let i = 0; i < roles.length; i++) this.drop(roles[i]!);
  }

  take(role: number, text: string, isText: boolean): void {
    this.#texts[role] = text;
    this.#kinds[role] = isText ? TEXT : LITERAL;
  }

  fill(facts: RequestFacts, streams: LlmApi["streams"]): void {
    facts.model = this.#text(ROLE.model);
    facts.adapter = this.#text(ROLE.adapter);
    facts.isStreamed = isStreamed(streams, this.#boolean(ROLE.stream));
    facts.includesUsage = this.#boolean(ROLE.includeUsage);
    facts.outputTokensMax = this.#count(ROLE.outputLimit, this.#count(ROLE.olderOutputLimit, 0));
    facts.choices = this.#count(ROLE.choices, 1);
    facts.priority = this.#number(ROLE.priority);
    facts.store = this.#boolean(ROLE.store);
    facts.user = this.#key(ROLE.user);
    facts.metadataUser = this.#key(ROLE.metadataUser);
    facts.cacheKey = this.#key(ROLE.cacheKey);
    facts.previousResponse = this.#key(ROLE.previousResponse);
    facts.conversation = this.#key(ROLE.conversation);
    facts.session = this.#key(ROLE.session);
  }

  #text(role: number): string {
    return this.#kinds[role] === TEXT ? this.#texts[role]! : "";
  }

  #boolean(role: number): boolean | null {
    if (this.#kinds[role] !== LITERAL) return null;
    const text = this.#texts[role];
    return text === "true" ? true : text === "false" ? false : null;
  }

  #number(role: number): number | null {
    if (this.#kinds[role] !== LITERAL) return null;
    const number = Number(this.#texts[role]);
    return Number.isFinite(number) ? number : null;
  }

  /** A whole number from 1 on; what is less or none is `otherwise`. */
  #count(role: number, otherwise: number): number {
    const number = this.#number(role);
    return number === null || number < 1 ? otherwise : Math.min(Math.floor(number), INTEGER_MAX);
  }

  /** As a key in a body is hashed elsewhere, whether it is a text or a number. */
  #key(role: number): number {
    const text = this.#text(role);
    if (text !== "") return hashText(text);
    const number = this.#number(role);
    return number === null ? NO_KEY : hashText(String(number));
  }
}

/** What stands there as a string; null when its escapes are none of JSON's. */
export function textOf(bytes: Buffer, from: number, to: number, hasEscapes: boolean): string | null {
  const text = bytes.toString("utf8", from, to);
  if (!hasEscapes) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return null;
  }
}

function isStreamed(streams: LlmApi["streams"], asked: boolean | null): boolean {
  if (streams === "always" || streams === "never") return streams === "always";
  return asked ?? streams === "unless_declined";
}
