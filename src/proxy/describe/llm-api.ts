import type { KeyRoles, RoleTable } from "./role-table.ts";
import { compileRoles } from "./role-table.ts";

/** Whose words an API speaks: errors, events and answers differ by it. */
export type LlmFamily =
  | "openai"
  | "anthropic"
  | "ollama"
  | "tgi"
  | "tei"
  | "llamacpp"
  | "kserve"
  | "invocations"
  | "jina";

/** What an API is asked for; `pass` is one of which nothing but the model is known (sound, pictures). */
export type LlmTask = "generate" | "embed" | "score" | "count" | "pass";

/** One member of the menu of LLM APIs: how its requests are recognised, and where in them things stand. */
export interface LlmApi {
  readonly name: string;
  readonly family: LlmFamily;
  readonly task: LlmTask;
  /** Always POST. `*` stands for the model's name, an optional `/versions/...` after it is passed over. */
  readonly paths: readonly string[];
  /**
   * Nothing stays behind in the backend: the request may be sent to another one until the first byte of an
   * answer has gone to the client. With `unless_stored` only where the body's `store` is false; everywhere
   * not where it is true.
   */
  readonly replay: "safe" | "unless_stored" | "no";
  /** When the answer comes piece by piece: when the body says so, unless it says no, always, never. */
  readonly streams: "when_asked" | "unless_declined" | "always" | "never";
  /** Key paths of the body, and what stands there. */
  readonly keys: KeyRoles;
  /** {@link keys}, compiled. */
  readonly roles: RoleTable;
}

/** Completes a member of the menu. */
export function llmApi(api: Omit<LlmApi, "roles">): LlmApi {
  return { ...api, roles: compileRoles(api.keys) };
}
