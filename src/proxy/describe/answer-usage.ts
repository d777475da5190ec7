import { isObject, type JsonObject, parseJson, property } from "./answer-event.ts";

/**
 * What an answer says about its own cost. NaN is unknown: an engine that does not tell what came from its
 * cache has not said that nothing did.
 */
export class AnswerUsage {
  /** Tokens of the prompt, those from the cache included. */
  promptTokens: number = Number.NaN;
  /** Tokens of the prompt that came from the engine's prefix cache. */
  cachedTokens: number = Number.NaN;
  /** Tokens generated, reasoning included. */
  completionTokens: number = Number.NaN;
  /** Milliseconds for what was not cached of the prompt. */
  prefillMs: number = Number.NaN;
  /** Milliseconds for all that was generated. */
  decodeMs: number = Number.NaN;
  /** Milliseconds until the model was loaded (Ollama). */
  loadMs: number = Number.NaN;

  reset(): void {
    this.promptTokens = Number.NaN;
    this.cachedTokens = Number.NaN;
    this.completionTokens = Number.NaN;
    this.prefillMs = Number.NaN;
    this.decodeMs = Number.NaN;
    this.loadMs = Number.NaN;
  }
}

/**
 * Adds what an event or a body tells; what it does not tell stays as it was. The shapes: `usage` of OpenAI
 * (chat, completions, embeddings; responses with `input_tokens`) and of Anthropic, as vLLM and others give
 * them, too; `timings` of llama.cpp; `meta_info` of SGLang; `details` of TGI; the counts and nanoseconds of
 * Ollama.
 */
export function readUsage(value: JsonObject, into: AnswerUsage): void {
  // Of `message_start` and `response.completed`.
  const inner = isObject(value["response"]) ? value["response"] : value["message"];
  readTokens(property(inner, "usage"), into);
  readTokens(value["usage"], into);
  if (isObject(value["timings"])) readTimings(value["timings"], into);
  if (isObject(value["meta_info"])) readMetaInfo(value["meta_info"], into);
  if (isObject(value["details"])) readDetails(value["details"], into);
  if ("eval_duration" in value || "eval_count" in value || "prompt_eval_count" in value)
    readOllama(value, into);
}

function readTokens(usage: unknown, into: AnswerUsage): void {
  if (!isObject(usage)) return;
  const created = count(usage["cache_creation_input_tokens"]);
  const read = count(usage["cache_read_input_tokens"]);
  let prompt = known(count(usage["prompt_tokens"]), count(usage["input_tokens"]));
  // Anthropic counts apart what went into the cache and what came from it; OpenAI's are parts of the whole.
  if (created >= 0) prompt += created;
  if (read >= 0) prompt += read;
  const details = isObject(usage["prompt_tokens_details"]) ? "prompt_tokens_details" : "input_tokens_details";
  const cached = known(count(property(usage[details], "cached_tokens")), read);
  into.promptTokens = known(prompt, into.promptTokens);
  into.cachedTokens = known(cached, into.cachedTokens);
  const completion = known(count(usage["completion_tokens"]), count(usage["output_tokens"]));
  into.completionTokens = known(completion, into.completionTokens);
}

/** llama.cpp, `server-context.cpp`, `result_timings`. Older versions have no `cache_n`. */
function readTimings(timings: JsonObject, into: AnswerUsage): void {
  const fresh = count(timings["prompt_n"]);
  const cached = known(count(timings["cache_n"]), into.promptTokens - fresh);
  if (cached >= 0) {
    into.cachedTokens = cached;
    into.promptTokens = known(cached + fresh, into.promptTokens);
  }
  into.completionTokens = known(count(timings["predicted_n"]), into.completionTokens);
  into.prefillMs = known(count(timings["prompt_ms"]), into.prefillMs);
  into.decodeMs = known(count(timings["predicted_ms"]), into.decodeMs);
}

function readMetaInfo(meta: JsonObject, into: AnswerUsage): void {
  into.promptTokens = known(count(meta["prompt_tokens"]), into.promptTokens);
  into.cachedTokens = known(count(meta["cached_tokens"]), into.cachedTokens);
  into.completionTokens = known(count(meta["completion_tokens"]), into.completionTokens);
}

/** A stream's last event has `input_length`; a whole answer may list the tokens of the prompt. */
function readDetails(details: JsonObject, into: AnswerUsage): void {
  const { prefill } = details;
  const listed = Array.isArray(prefill) && prefill.length > 0 ? prefill.length : Number.NaN;
  into.promptTokens = known(known(count(details["input_length"]), listed), into.promptTokens);
  into.completionTokens = known(count(details["generated_tokens"]), into.completionTokens);
}

/**
 * Versions that tell what was cached count it in `prompt_eval_count`, too; of older ones it depends, and
 * stays unknown.
 */
function readOllama(value: JsonObject, into: AnswerUsage): void {
  into.promptTokens = known(count(value["prompt_eval_count"]), into.promptTokens);
  into.cachedTokens = known(count(value["prompt_eval_cached_count"]), into.cachedTokens);
  into.completionTokens = known(count(value["eval_count"]), into.completionTokens);
  into.prefillMs = known(count(value["prompt_eval_duration"]) / NS_PER_MS, into.prefillMs);
  into.decodeMs = known(count(value["eval_duration"]) / NS_PER_MS, into.decodeMs);
  into.loadMs = known(count(value["load_duration"]) / NS_PER_MS, into.loadMs);
}

/** From the end of something whose beginning is lost: an event or a body longer than what is kept. */
export function readUsageFromEnd(text: string, into: AnswerUsage): void {
  const usageAt = lastKey(text, "usage");
  if (usageAt >= 0) {
    const end = text.slice(usageAt);
    return readUsage({ usage: objectAt(end, "usage"), timings: objectAt(end, "timings") }, into);
  }
  const found: Record<string, unknown> = {};
  for (const name of OBJECTS) found[name] = objectAt(text, name);
  for (const name of NUMBERS) found[name] = numberAt(text, name);
  readUsage(found, into);
}

/**
 * Where the last value of a property is an object, the place behind the property's name. Inside of a string
 * its quotes would have backslashes, so that no text that was generated is taken for it.
 */
function lastKey(text: string, name: string): number {
  const key = `"${name}"`;
  let at = text.lastIndexOf(key);
  for (let tries = 0; at >= 0 && tries < KEYS_TRIED_MAX; tries++) {
    if (OBJECT_FOLLOWS.test(text.slice(at + key.length, at + key.length + SPACES_MAX))) return at;
    at = at === 0 ? -1 : text.lastIndexOf(key, at - 1);
  }
  return -1;
}

function objectAt(text: string, name: string): unknown {
  const at = lastKey(text, name);
  if (at < 0) return undefined;
  const start = text.indexOf("{", at);
  const end = closingBrace(text, start);
  return end < 0 ? undefined : parseJson(text.slice(start, end + 1));
}

function numberAt(text: string, name: string): unknown {
  const at = text.lastIndexOf(`"${name}"`);
  const match = at < 0 ? null : NUMBER_FOLLOWS.exec(text.slice(at + name.length + 2, at + name.length + 34));
  return match === null ? undefined : Number(match[1]);
}

/** The brace that closes the one at `start`; -1 where there is none. */
function closingBrace(text: string, start: number): number {
  let depth = 0;
  let isInString = false;
  for (let i = start; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH && isInString) i++;
    else if (c === QUOTE) isInString = !isInString;
    else if (isInString) continue;
    else if (c === OPEN) depth++;
    else if (c === CLOSE && --depth === 0) return i;
  }
  return -1;
}

/** A number that counts something; NaN for all else. */
function count(value: unknown): number {
  return typeof value === "number" && value >= 0 && Number.isFinite(value) ? value : Number.NaN;
}

function known(value: number, otherwise: number): number {
  return Number.isNaN(value) ? otherwise : value;
}

const NS_PER_MS = 1e6;
const KEYS_TRIED_MAX = 8;
const SPACES_MAX = 8;
const OBJECTS = ["timings", "meta_info", "details"] as const;
const NUMBERS = [
  "prompt_eval_count",
  "prompt_eval_cached_count",
  "eval_count",
  "prompt_eval_duration",
  "eval_duration",
  "load_duration",
] as const;
const OBJECT_FOLLOWS = /^\s*:\s*\{/;
const NUMBER_FOLLOWS = /^\s*:\s*(\d{1,20})(?=[^\d.eE])/;
const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
