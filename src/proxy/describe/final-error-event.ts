import type { AnswerFraming, StreamCut } from "./answer-frames.ts";

/** Whose errors the client understands: the API that it asked by. */
export type ErrorDialect = "openai" | "responses" | "anthropic" | "ollama" | "tgi";

/** What is told to the client; plain ASCII. */
export interface FinalError {
  /** One of ours, such as `EVENER_BACKEND_RESET`. */
  readonly code: string;
  readonly message: string;
}

/**
 * One last event for a stream whose backend has died, to be sent before the unclean end: clients tell it
 * better than a broken connection. `cut` is that of the scan: what the backend began stays in an event apart.
 */
export function finalErrorEvent(
  dialect: ErrorDialect,
  framing: AnswerFraming,
  cut: StreamCut,
  error: FinalError,
): string {
  if (framing === "ndjson") return `${cut.lineEnd}${JSON.stringify(errorBody(dialect, error))}\n`;
  return cut.lineEnd + closing(dialect, cut) + sseEvent(dialect, error);
}

/**
 * Half an event is handed on by the empty line that ends it. Anthropic's clients pass over events of names
 * that they do not know, and the last name counts: so theirs do not stumble over half a JSON text.
 */
function closing(dialect: ErrorDialect, cut: StreamCut): string {
  if (!cut.isInEvent) return "";
  return dialect === "anthropic" ? "event: incomplete\n\n" : "\n";
}

function sseEvent(dialect: ErrorDialect, error: FinalError): string {
  const name = dialect === "anthropic" || dialect === "responses" ? "event: error\n" : "";
  return `${name}data: ${JSON.stringify(errorBody(dialect, error))}\n\n`;
}

function errorBody(dialect: ErrorDialect, { code, message }: FinalError): object {
  switch (dialect) {
    case "openai":
      return { error: { message, type: "server_error", param: null, code } };
    case "responses":
      return { type: "error", code, message, param: null, sequence_number: 0 };
    case "anthropic":
      return { type: "error", error: { type: "api_error", message: `${message} (${code})` } };
    case "ollama":
      return { error: `${message} (${code})` };
    case "tgi":
      return { error: `${message} (${code})`, error_type: "incomplete_generation" };
  }
}
