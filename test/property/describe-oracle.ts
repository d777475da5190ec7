// What a scan must find, computed from the object that JSON.parse makes of the whole body.
import { hashText } from "../../src/core/kit/hash.ts";
import { NO_KEY } from "../../src/core/work.ts";
import type { LlmApi } from "../../src/proxy/describe/llm-api.ts";
import { MEDIA_TOKENS } from "../../src/proxy/describe/prompt-sections.ts";
import type { RequestFacts } from "../../src/proxy/describe/request-facts.ts";
import type { RoleName } from "../../src/proxy/describe/role.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Facts that depend on how a body is written. */
const WRITTEN = [
  "modelStart",
  "modelEnd",
  "promptBytes",
  "promptTokens",
  "blockTokens",
  "blocks",
  "blockCount",
] as const;

export type Plain = Omit<RequestFacts, (typeof WRITTEN)[number] | "reset" | "blocksFor">;

/** The other facts. */
export function plainOf(facts: RequestFacts): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).filter(([name]) => !WRITTEN.some((other) => other === name)),
  );
}

export function hashesOf(facts: RequestFacts): string[] {
  return Array.from(
    { length: facts.blockCount },
    (_, i) => `${facts.blocks[2 * i]}:${facts.blocks[2 * i + 1]}`,
  );
}

export function expected(api: LlmApi, body: Record<string, Json>, pathModel: string): Plain {
  const roles = rolesOf(api, body);
  const number = (role: RoleName): number | null => {
    const value = roles.get(role);
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  };
  const text = (role: RoleName): string => {
    const value = roles.get(role);
    return typeof value === "string" ? value : "";
  };
  const boolean = (role: RoleName): boolean | null => {
    const value = roles.get(role);
    return typeof value === "boolean" ? value : null;
  };
  const key = (role: RoleName): number => {
    if (text(role) !== "") return hashText(text(role));
    return number(role) === null ? NO_KEY : hashText(String(number(role)));
  };
  const count = (role: RoleName, otherwise: number): number => {
    const value = number(role);
    return value === null || value < 1 ? otherwise : Math.min(Math.floor(value), 2 ** 31 - 1);
  };
  const asked = boolean("stream");
  const prompt = roles.get("prompt") ?? null;
  const context = roles.get("context") ?? null;
  return {
    state: "complete",
    model: text("model") === "" ? pathModel : text("model"),
    upstreamModel: "",
    adapter: text("adapter"),
    isStreamed:
      api.streams === "always" || (api.streams !== "never" && (asked ?? api.streams === "unless_declined")),
    includesUsage: boolean("includeUsage"),
    outputTokensMax: count("outputLimit", count("olderOutputLimit", 0)),
    choices: count("choices", 1),
    priority: number("priority"),
    store: boolean("store"),
    tokenIds: idsIn(prompt) + idsIn(context),
    mediaParts: new MediaWalk().count(prompt) + textsIn(roles.get("media") ?? null),
    user: key("user"),
    metadataUser: key("metadataUser"),
    cacheKey: key("cacheKey"),
    previousResponse: key("previousResponse"),
    conversation: key("conversation"),
    session: key("session"),
  };
}

/** Bytes of text in a body that JSON.stringify wrote. */
export function textBytes(api: LlmApi, body: Record<string, Json>): number {
  let sum = 0;
  for (const [role, value] of rolesOf(api, body)) {
    if (!["prompt", "system", "tools", "functions", "context"].includes(role)) continue;
    if (idsIn(value) > 0 && (role === "prompt" || role === "context")) continue;
    const isCut = typeof value === "string" || (role === "prompt" && Array.isArray(value));
    sum += Buffer.byteLength(JSON.stringify(value)) - (isCut ? 2 : 0);
    if (role === "prompt") {
      const walk = new MediaWalk();
      walk.count(value);
      sum -= walk.bytes;
    }
  }
  return sum;
}

export function tokensOf(facts: RequestFacts, bytesPerToken: number): number {
  return Math.ceil(facts.promptBytes / bytesPerToken) + facts.tokenIds + MEDIA_TOKENS * facts.mediaParts;
}

function rolesOf(api: LlmApi, body: Record<string, Json>): Map<RoleName, Json> {
  const found = new Map<RoleName, Json>();
  // In the order of the body: of two keys for one role the later one counts.
  for (const [key, value] of Object.entries(body)) {
    const role = Object.hasOwn(api.keys, key) ? api.keys[key] : undefined;
    for (const [path, nested] of Object.entries(api.keys)) {
      const [first, second] = path.split(".");
      if (first !== key || second === undefined) continue;
      if (
        typeof value === "object" &&
        value !== null &&
        !Array.isArray(value) &&
        Object.hasOwn(value, second)
      )
        found.set(nested, value[second]!);
    }
    const isTaken = typeof value === "object" && value !== null && role === "conversation";
    if (role !== undefined && !isTaken) found.set(role, value);
  }
  return found;
}

function idsIn(value: Json): number {
  if (!Array.isArray(value)) return 0;
  let count = 0;
  for (const item of value) {
    if (typeof item === "number") count++;
    else if (Array.isArray(item)) count += item.filter((id) => typeof id === "number").length;
  }
  return count;
}

function textsIn(value: Json): number {
  if (typeof value === "string") return 1;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + textsIn(item), 0);
}

/** Goes through a prompt in the order in which it is written. */
class MediaWalk {
  bytes = 0;
  #found = 0;
  #isText = false;

  count(prompt: Json): number {
    if (typeof prompt === "object") this.#enter(prompt, "prompt");
    return this.#found;
  }

  #enter(value: Json, key: string): void {
    if (typeof value !== "object" || value === null) return;
    if (key === "source") this.#isText = false;
    if (Array.isArray(value)) for (const item of value) this.#visit(item, "[]", key, key);
    else for (const [name, item] of Object.entries(value)) this.#visit(item, name, key, name);
  }

  #visit(value: Json, name: string, around: string, inside: string): void {
    if (typeof value === "string") this.#text(value, name, around);
    else this.#enter(value, inside);
  }

  #text(value: string, name: string, around: string): void {
    const place = `${around}.${name}`;
    if (place === "source.type") this.#isText = value === "text";
    const isMedia =
      name === "image_url" ||
      name === "file_data" ||
      ["images.[]", "image_url.url", "video_url.url", "audio_url.url", "input_audio.data"].includes(place) ||
      (["source.data", "source.url"].includes(place) && !this.#isText);
    if (!isMedia) return;
    this.#found++;
    this.bytes += Buffer.byteLength(JSON.stringify(value)) - 2;
  }
}
