import net from "node:net";
import type { Wish } from "../core/health/endpoint-health.ts";
import type { Pool } from "../core/pool.ts";
import { TlsClient } from "../http1/tls-client.ts";
import type { ProbeTarget } from "./prober.ts";

/** What one agent line says; null is "not mentioned". */
export interface AgentReport {
  readonly wish: Wish | null;
  /** Share of the configured weight. */
  readonly share: number | null;
  /** Requests in flight at most. */
  readonly limit: number | null;
  readonly cpu: number;
  readonly memory: number;
  readonly gpu: number;
}

/**
 * Reads one line of the agent-check protocol (HAProxy configuration manual, `agent-check`): words separated
 * by space, comma or tab: `up`, `ready`, `drain`, `maint`, `down`, `stopped`, `fail`, `75%` (of its weight),
 * `maxconn:30`; and of ours `cpu:0.4`, `mem:0.6`, `gpu:0.9` (0..1, or with %). Words it does not know are
 * ignored, as HAProxy does.
 */
export function parseAgentLine(line: string): AgentReport {
  const report = { wish: null as Wish | null, share: null as number | null, limit: null as number | null };
  const vitals = { cpu: Number.NaN, memory: Number.NaN, gpu: Number.NaN };
  for (const word of line
    .split("#")[0]!
    .trim()
    .split(/[\s,]+/, WORDS_MAX)) {
    const wish = WISHES[word.toLowerCase()];
    if (wish !== undefined) report.wish = wish;
    else if (/^\d{1,3}%$/.test(word)) report.share = Number.parseInt(word, 10) / 100;
    else readFigure(word, report, vitals);
  }
  return { ...report, ...vitals };
}

function readFigure(
  word: string,
  report: { limit: number | null },
  vitals: { cpu: number; memory: number; gpu: number },
): void {
  const match = /^(maxconn|cpu|mem|memory|gpu):(\d+(?:\.\d+)?)(%?)$/i.exec(word);
  if (match === null) return;
  const value = Number(match[2]) / (match[3] === "%" ? 100 : 1);
  const name = match[1]!.toLowerCase();
  if (name === "maxconn") report.limit = Math.max(1, Math.floor(value));
  else if (value <= 1) vitals[name === "mem" ? "memory" : (name as "cpu" | "memory" | "gpu")] = value;
}

/** Asks the agents of a pool's backends, one line over TCP each time, and tells the pool. */
export class AgentChecker {
  readonly #pool: Pool;
  readonly #options: AgentOptions;
  #targets: readonly { readonly target: ProbeTarget; readonly tls: TlsClient | null }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(pool: Pool, options: AgentOptions) {
    this.#pool = pool;
    this.#options = options;
    this.#timer = setInterval(() => this.#askAll(), options.intervalMs);
    this.#timer.unref();
  }

  update(targets: readonly ProbeTarget[]): void {
    this.#targets = targets.map((target) => {
      const isSecure = this.#options.tls && target.tls !== null;
      return { target, tls: isSecure ? new TlsClient(target.tls) : null };
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #askAll(): void {
    const { port, intervalMs } = this.#options;
    for (const { target, tls } of this.#targets) {
      const timeoutMs = Math.min(intervalMs, ANSWER_MS_MAX);
      askAgent({ host: target.host, port, tls, timeoutMs }, (line) => {
        // An agent that does not answer changes nothing (HAProxy does the same): the probes judge the
        // backend.
        if (line !== null) this.#tell(target.id, parseAgentLine(line));
      });
    }
  }

  #tell(id: string, report: AgentReport): void {
    const endpoint = this.#pool.members.get(id);
    if (endpoint === undefined) return;
    const { health } = endpoint;
    if (report.limit !== null) endpoint.limitOverride = report.limit;
    // A weight of 0 % is how an agent says "nothing more".
    const wish = report.share === 0 ? "drain" : report.wish;
    const share = report.share === null || report.share === 0 ? health.agentShare : report.share;
    this.#pool.agentSaid(id, wish ?? health.agent, share);
    this.#pool.reported(endpoint, report.cpu, report.memory, report.gpu);
  }
}

/** Where the agents of a pool's backends answer, and how often they are asked. */
export interface AgentOptions {
  readonly port: number;
  readonly intervalMs: number;
  /** Agents of backends with TLS are asked by TLS, with the same settings. */
  readonly tls: boolean;
}

/** Reads one line from an agent; null when there was none in time. */
export function askAgent(question: AgentQuestion, done: (line: string | null) => void): void {
  const { host, port, tls, timeoutMs } = question;
  const socket = tls === null ? net.connect({ host, port }) : tls.connect({ host, port }, undefined);
  let text = "";
  let isTold = false;
  const tell = (line: string | null): void => {
    if (isTold) return;
    isTold = true;
    socket.destroy();
    done(line);
  };
  const timer = setTimeout(() => tell(null), timeoutMs);
  socket.setEncoding("latin1");
  socket.on("data", (part: string) => {
    text += part;
    const end = text.indexOf("\n");
    if (end >= 0 || text.length > LINE_LENGTH_MAX) tell(end >= 0 ? text.slice(0, end) : null);
  });
  socket.on("end", () => tell(text === "" ? null : text));
  socket.on("error", () => tell(null));
  socket.on("close", () => {
    clearTimeout(timer);
    tell(null);
  });
}

interface AgentQuestion {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsClient | null;
  readonly timeoutMs: number;
}

const WISHES: Readonly<Record<string, Wish>> = {
  up: "ready",
  ready: "ready",
  drain: "drain",
  maint: "down",
  down: "down",
  stopped: "down",
  fail: "down",
};
const WORDS_MAX = 16;
const LINE_LENGTH_MAX = 1024;
const ANSWER_MS_MAX = 2_000;
