// Once or twice a stream: until its first token, and at its end.
import { latin1 } from "../../http1/latin1.ts";

/**
 * What an event brings: something that was generated (`content`); nothing of it, as the first delta of
 * OpenAI's chat with a role alone, `response.created`, `ping`, a `usage` (`quiet`); the end (`done`); a
 * failure (`error`).
 */
export type EventKind = "content" | "quiet" | "done" | "error";

/** An event that was read. */
export interface AnswerEvent {
  readonly kind: EventKind;
  /** Nothing generated comes after it; with `content`, too. */
  readonly isLast: boolean;
  /** What it carries; null where that is no JSON object, or was cut. */
  readonly json: JsonObject | null;
}

/** An object that came as JSON: anything may be in it. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** So much of an event is looked at; a longer one is told by its beginning. */
export const EVENT_BYTES_MAX: number = 2 * 1024;

/** The beginning of the event under way, as much of it as tells its kind. */
export class EventHead {
  #isSse = true;
  #text = "";

  begin(isSse: boolean): void {
    this.#isSse = isSse;
    this.#text = "";
  }

  /** It goes on. */
  add(bytes: Buffer, start: number, end: number): void {
    const room = EVENT_BYTES_MAX - this.#text.length;
    if (room > 0) this.#text += latin1(bytes, start, Math.min(end, start + room));
  }

  /** It is complete, or there will be no more of it; the next one begins. */
  read(): AnswerEvent {
    const text = this.#text;
    this.#text = "";
    return this.#isSse ? readSseEvent(text) : readJsonEvent(text);
  }

  /** It was none. */
  drop(): void {
    this.#text = "";
  }
}

/** An event of an SSE stream, from its lines. */
export function readSseEvent(text: string): AnswerEvent {
  let name = "";
  let data: string | null = null;
  for (const line of linesOf(text)) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    // Older versions of llama.cpp write failures into a field of its own.
    if (field === "error") return FAILED;
    if (field !== "event" && field !== "data") continue;
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") name = value;
    else data = data === null ? value : `${data}\n${value}`;
  }
  if (data === null) return name === "error" ? FAILED : QUIET;
  if (data.trim() === "[DONE]") return DONE;
  const event = readJsonEvent(data);
  if (name === "error") return { ...event, kind: "error" };
  return event.json === null && name !== "" ? { ...event, kind: kindOfType(name) } : event;
}

/** An event that is one JSON text. */
export function readJsonEvent(text: string): AnswerEvent {
  const value = parseJson(text);
  if (value === undefined) {
    if (BEGINS_AS_FAILURE.test(text)) return FAILED;
    return BEGINS_QUIETLY.test(text) ? QUIET : UNKNOWN;
  }
  if (!isObject(value)) return UNKNOWN;
  const isLast = isFinal(value);
  let kind = kindOf(value);
  if (kind === "quiet" && isLast) kind = "done";
  return { kind, isLast, json: value };
}

/**
 * An answer that reports a failure although its status was 200: `{"error": ...}` of OpenAI, vLLM, SGLang,
 * TGI, Triton, Ollama and llama.cpp; `{"object": "error"}` of older vLLM; Anthropic's `error` and
 * `response.failed` of OpenAI's responses; what SGLang aborts with a status.
 */
export function isFailure(value: JsonObject): boolean {
  if (isSubstance(value["error"])) return true;
  if (value["type"] === "error" || value["type"] === "response.failed" || value["object"] === "error")
    return true;
  const reason = property(value["meta_info"], "finish_reason");
  return property(reason, "type") === "abort" && isSubstance(property(reason, "status_code"));
}

function kindOf(value: JsonObject): EventKind {
  if (isFailure(value)) return "error";
  const { type, choices } = value;
  if (typeof type === "string" && type !== "completion") return kindOfType(type);
  if (Array.isArray(choices)) return choices.some(isGenerating) ? "content" : "quiet";
  // Each is the mark of one shape: Ollama, SGLang's own, llama.cpp's own, TGI's own, Triton's.
  if (typeof value["done"] === "boolean") return hasAny(value, ["response", "thinking", "message"]);
  if (isObject(value["meta_info"])) return hasAny(value, ["text", "output_ids"]);
  if (typeof value["content"] === "string") return hasAny(value, ["content", "tokens"]);
  return "content";
}

/** Events that name themselves: Anthropic's, and those of OpenAI's responses. */
function kindOfType(type: string): EventKind {
  if (type === "message_stop" || type === "response.completed" || type === "response.incomplete")
    return "done";
  if (type.startsWith("response.")) return type.endsWith(".delta") ? "content" : "quiet";
  return QUIET_TYPES.has(type) ? "quiet" : "content";
}

const QUIET_TYPES: ReadonlySet<string> = new Set([
  "message_start",
  "content_block_start",
  "content_block_stop",
  "message_delta",
  "ping",
]);

function isGenerating(choice: unknown): boolean {
  if (!isObject(choice)) return false;
  return hasAny(choice, ["delta", "message", "text", "token_ids"]) === "content";
}

function hasAny(value: JsonObject, names: readonly string[]): EventKind {
  return names.some((name) => isSubstance(value[name])) ? "content" : "quiet";
}

function isFinal(value: JsonObject): boolean {
  const { type } = value;
  if (typeof type === "string" && kindOfType(type) === "done") return true;
  if (value["done"] === true || value["stop"] === true || typeof value["generated_text"] === "string")
    return true;
  return isSubstance(property(value["meta_info"], "finish_reason"));
}

/** There is something in it; who speaks says nothing. */
function isSubstance(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  return Object.entries(value).some(([name, part]) => name !== "role" && isSubstance(part));
}

/** A property of what may be no object. */
export function property(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

/** A JSON object, no array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The lines of an SSE text, whichever way they end. */
export function linesOf(text: string): string[] {
  // Nearly always there are line feeds alone, and one character is found many times faster.
  return text.includes("\r") ? text.split(/\r\n|\r|\n/) : text.split("\n");
}

/** Events that may be long and bring nothing: they repeat the request. */
const BEGINS_QUIETLY = /^\s*\{\s*"type"\s*:\s*"(?:response\.(?:created|in_progress|queued)|message_start)"/;
const BEGINS_AS_FAILURE = /^\s*\{\s*"(?:error"\s*:\s*[{"]|object"\s*:\s*"error"|type"\s*:\s*"error")/;

const QUIET: AnswerEvent = { kind: "quiet", isLast: false, json: null };
const DONE: AnswerEvent = { kind: "done", isLast: true, json: null };
const FAILED: AnswerEvent = { kind: "error", isLast: true, json: null };
/** Not ours to judge: the client gets it, so it counts as generated. */
const UNKNOWN: AnswerEvent = { kind: "content", isLast: false, json: null };
