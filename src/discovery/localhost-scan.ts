import { fetchOnce, type FetchedResponse, tcpCheck } from "../http1/client.ts";

/** A model server that runs on this machine. */
export interface FoundServer {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** What it says it is. */
  readonly engine: string;
  /** What it serves; empty where it does not say. */
  readonly models: readonly string[];
}

/**
 * Where model servers listen unless told otherwise. A port says nothing about who listens there: each is
 * asked.
 */
export const USUAL_PORTS: readonly number[] = [
  8000, // vLLM, transformers serve
  30000, // SGLang
  8080, // llama.cpp, TEI, MLflow behind others
  5000, // MLflow
  11434, // Ollama
  1234, // LM Studio
  3000, // TGI, TEI
];

/** Asks whoever listens on the usual ports of this machine what it is. Takes about a second at most. */
export async function scanLocalhost(ports: readonly number[] = USUAL_PORTS): Promise<Scan> {
  const answers = await Promise.all(ports.map((port) => identify(port)));
  const servers = answers.filter((answer): answer is FoundServer => typeof answer === "object");
  return { servers, others: ports.filter((_, i) => answers[i] === "other") };
}

/** Who was found, in the order of the ports. */
export interface Scan {
  readonly servers: readonly FoundServer[];
  /** Ports on which something speaks HTTP that is no model server. */
  readonly others: readonly number[];
}

/**
 * The servers that can share one pool: those that serve the same models. Of several such groups the largest,
 * then the first; the others are for a configuration file with routes.
 */
export function largestGroup(servers: readonly FoundServer[]): FoundServer[] {
  const groups = new Map<string, FoundServer[]>();
  for (const server of servers) {
    const key = `${server.engine === "mlflow"} ${server.models.toSorted().join(" ")}`;
    groups.set(key, [...(groups.get(key) ?? []), server]);
  }
  return [...groups.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
}

async function identify(port: number): Promise<FoundServer | "other" | "nobody"> {
  try {
    await tcpCheck({ host: HOST, port, timeoutMs: CONNECT_MS });
  } catch {
    return "nobody";
  }
  const server = (await asOpenAi(port)) ?? (await asTextGeneration(port)) ?? (await asMlflow(port));
  return server ?? ((await ask(port, "/")) === null ? "nobody" : "other");
}

/** vLLM, SGLang, llama.cpp, Ollama, LM Studio, transformers: all list their models the same way. */
async function asOpenAi(port: number): Promise<FoundServer | null> {
  const answer = await ask(port, "/v1/models");
  const list = answer === null ? null : (json(answer) as { data?: unknown } | null);
  if (list === null || !Array.isArray(list.data)) return null;
  const models = list.data.filter((model): model is Model => typeof (model as Model | null)?.id === "string");
  if (models.length === 0 && !(await isOllama(port))) return null;
  const engine = await engineOf(port, models[0]?.owned_by ?? "");
  return { host: HOST, port, engine, models: models.map(({ id }) => id) };
}

interface Model {
  readonly id: string;
  readonly owned_by?: string;
}

async function engineOf(port: number, owner: string): Promise<string> {
  if (owner === "vllm" || owner === "sglang") return owner;
  if (owner === "llamacpp") return "llama.cpp";
  if (await isOllama(port)) return "ollama";
  if ((await ask(port, "/api/v0/models"))?.status === 200) return "lm-studio";
  if ((await ask(port, "/get_model_info"))?.status === 200) return "sglang";
  return "openai-compatible";
}

async function isOllama(port: number): Promise<boolean> {
  return (await ask(port, "/"))?.body.toString("utf8").includes("Ollama is running") ?? false;
}

/** TGI and TEI describe themselves at /info. */
async function asTextGeneration(port: number): Promise<FoundServer | null> {
  const answer = await ask(port, "/info");
  const info = answer === null ? null : (json(answer) as Record<string, unknown> | null);
  if (typeof info?.model_id !== "string") return null;
  return { host: HOST, port, engine: "max_total_tokens" in info ? "tgi" : "tei", models: [info.model_id] };
}

/** An MLflow model server knows /ping and takes POST /invocations; its tracking server does not. */
async function asMlflow(port: number): Promise<FoundServer | null> {
  const ping = await ask(port, "/ping");
  const invocations = ping?.status === 200 ? await ask(port, "/invocations") : null;
  return invocations?.status === 405 ? { host: HOST, port, engine: "mlflow", models: [] } : null;
}

/** The answer to a GET, or null: nobody, not HTTP, too slow, or a balancer of our own kind. */
async function ask(port: number, path: string): Promise<FetchedResponse | null> {
  try {
    const request = { host: HOST, port, method: "GET", path, headers: { "user-agent": "evener-scan" } };
    const answer = await fetchOnce({ ...request, timeoutMs: ANSWER_MS, bodyBytesMax: BODY_BYTES_MAX });
    const isEvener =
      answer.headers.has("x-evener-backend") || answer.headers.get("proxy-status")?.startsWith("evener");
    return isEvener === true ? null : answer;
  } catch {
    return null;
  }
}

function json(answer: FetchedResponse): unknown {
  if (answer.status !== 200) return null;
  try {
    return JSON.parse(answer.body.toString("utf8"));
  } catch {
    return null;
  }
}

const HOST = "127.0.0.1";
const CONNECT_MS = 300;
const ANSWER_MS = 1_000;
const BODY_BYTES_MAX = 1024 * 1024;
