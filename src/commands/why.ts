import type { AttemptStatus, CandidateStatus, WhyStatus } from "../admin/why.ts";
import { ERRORS, type ErrorCode, EvenerError } from "../errors.ts";

/** Options of `evener why`. */
export interface WhyOptions {
  /** Of the admin listener. */
  readonly url: string;
  /** Absent: that of the environment, if there is one. */
  readonly token?: string;
  readonly json: boolean;
}

/** Prints why a request went where it went. Throws what the admin listener says, or why it says nothing. */
export async function why(requestId: string, options: WhyOptions): Promise<void> {
  const status = await ask(requestId, options);
  process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : whyText(status));
}

/** For a terminal: a table and a conclusion an attempt. */
export function whyText({ id, attempts }: WhyStatus): string {
  return `request ${id}\n${attempts.map(attemptText).join("")}`;
}

const ANSWER_MS_MAX = 10_000;

async function ask(requestId: string, { url, token }: WhyOptions): Promise<WhyStatus> {
  const secret = token ?? process.env["EVENER_ADMIN_TOKEN"] ?? "";
  const headers = secret === "" ? {} : { authorization: `Bearer ${secret}` };
  const target = targetOf(url, requestId);
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(target, { headers, signal, redirect: "manual" });
    text = await answer.text();
  } catch (error) {
    throw unreachable(url, reasonOf(error));
  }
  const body = parsed(text);
  if (answer.ok && isWhy(body)) return body;
  throw refusalOf(body) ?? unreachable(url, `something else answers there, with status ${answer.status}`);
}

function targetOf(url: string, requestId: string): URL {
  const path = `api/v1/requests/${encodeURIComponent(requestId)}/why`;
  if (/^https?:\/\//.test(url) && URL.canParse(url))
    return new URL(path, url.endsWith("/") ? url : `${url}/`);
  throw new EvenerError("EVENER_USAGE", `--url ${url}: write http://HOST:PORT`);
}

function unreachable(url: string, found: string): EvenerError {
  const advice = "is Evener running, and is that admin.bind of its configuration? --url says where to ask";
  return new EvenerError("EVENER_ADMIN_UNREACHABLE", `${url}: ${found}; ${advice}`);
}

/** The system's word for it, which fetch wraps. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return code === "" ? message : code;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isWhy(body: unknown): body is WhyStatus {
  return typeof body === "object" && body !== null && "attempts" in body && Array.isArray(body.attempts);
}

/** The error that the admin listener told, if it is one of ours. */
function refusalOf(body: unknown): EvenerError | null {
  const { error } = (body ?? {}) as { error?: { code?: unknown; message?: unknown } };
  const code = String(error?.code);
  if (!Object.hasOwn(ERRORS, code)) return null;
  return new EvenerError(code as ErrorCode, String(error?.message));
}

function attemptText(it: AttemptStatus): string {
  const waited = it.queue_ms === 0 ? "" : `, after ${seconds(it.queue_ms)} in the queue`;
  const prompt = `${whole(it.prompt_tokens)} tokens`;
  const title = `attempt ${it.attempt} at ${it.at}, pool ${it.pool}: ${prompt}${waited}`;
  const more = it.compared - it.candidates.length;
  const rest = more > 0 ? `  and ${more} that would have cost more\n` : "";
  return `\n${title}\n\n${tableOf(it.candidates)}${rest}\n${it.conclusion}\n`;
}

interface Column {
  readonly head: string;
  read(candidate: CandidateStatus): string;
}

const COLUMNS: readonly Column[] = [
  { head: "  backend", read: ({ chosen, backend }) => `${chosen ? ">" : " "} ${backend}` },
  { head: "cost", read: ({ cost_ms }) => seconds(cost_ms) },
  { head: "waiting", read: ({ waiting_ms }) => seconds(waiting_ms) },
  { head: "prompt", read: ({ prefill_ms }) => seconds(prefill_ms) },
  { head: "surcharge", read: ({ surcharge_ms }) => seconds(surcharge_ms) },
  { head: "others", read: ({ stand_still_ms }) => seconds(stand_still_ms) },
  { head: "context", read: ({ context_ms }) => seconds(context_ms) },
  { head: "cached", read: ({ cached_tokens }) => whole(cached_tokens) },
  { head: "in flight", read: ({ in_flight }) => whole(in_flight) },
];

function tableOf(candidates: readonly CandidateStatus[]): string {
  const lines = [
    COLUMNS.map(({ head }) => head),
    ...candidates.map((candidate) => COLUMNS.map((column) => column.read(candidate))),
  ];
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))))
    .map((line) => `${line.join("  ")}\n`)
    .join("");
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`;
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}
