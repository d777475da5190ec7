import type { Random } from "../core/kit/random.ts";
import type { Pool } from "../core/pool.ts";
import type { ProbeEvent } from "../core/health/probe-state.ts";
import type { Address } from "../http1/address.ts";
import { fetchOnce, tcpCheck } from "../http1/client.ts";
import { TlsClient, type TlsClientOptions } from "../http1/tls-client.ts";

/** Where and how one backend is probed. */
export interface ProbeTarget extends Address {
  readonly id: string;
  /** The same as for requests; null: plain HTTP. */
  readonly tls: TlsClientOptions | null;
  /** Sent along, such as an API key. */
  readonly headers: Readonly<Record<string, string>>;
  /** First bytes of every connection, latin1; "" for none. */
  readonly preface: string;
}

/** How, how often and with what expectation backends are probed. */
export interface ProbeOptions {
  readonly kind: "http" | "tcp";
  /** `auto`: the first of {@link AUTO_PATHS} that the backend knows. */
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Interval while the backend is down or ejected: to see soon when it comes back. */
  readonly downIntervalMs: number;
  /** Each wait is moved by up to this share of itself, so that probes do not march in step (P23). */
  readonly jitterShare: number;
  readonly expect: {
    readonly statuses: readonly { readonly from: number; readonly to: number }[];
    readonly body: string | null;
  };
  readonly concurrencyMax: number;
}

/** Probes the backends of one pool, each at its own pace, and tells the pool. */
export class Prober {
  readonly #pool: Pool;
  readonly #options: ProbeOptions;
  readonly #random: Random;
  readonly #running: Map<string, { target: ProbeTarget; stop: AbortController }> = new Map();
  readonly #paths: Map<string, string> = new Map();
  #inProgress = 0;

  constructor(pool: Pool, options: ProbeOptions, random: Random) {
    this.#pool = pool;
    this.#options = options;
    this.#random = random;
  }

  /** Makes these the backends that are probed; those that stay keep their pace. */
  update(targets: readonly ProbeTarget[]): void {
    const wanted = new Map(targets.map((target) => [target.id, target]));
    for (const [id, { target, stop }] of this.#running) {
      if (JSON.stringify(wanted.get(id)) === JSON.stringify(target)) continue;
      stop.abort();
      this.#running.delete(id);
      this.#paths.delete(id);
    }
    for (const target of targets) {
      if (this.#running.has(target.id)) continue;
      const stop = new AbortController();
      this.#running.set(target.id, { target, stop });
      const tls = target.tls === null ? null : new TlsClient(target.tls);
      void this.#watch({ ...target, tls }, stop.signal);
    }
  }

  stop(): void {
    this.update([]);
  }

  /** Probes `target` until the signal says stop. */
  async #watch(target: Probed, signal: AbortSignal): Promise<void> {
    // The first round is spread over a tenth of the interval.
    await pause(this.#options.intervalMs * 0.1 * this.#random.float(), signal);
    while (!signal.aborted) {
      while (this.#inProgress >= this.#options.concurrencyMax && !signal.aborted)
        await pause(TURN_MS, signal);
      this.#inProgress++;
      const event = await this.#probe(target, signal);
      this.#inProgress--;
      if (signal.aborted) return;
      this.#pool.probed(target.id, event);
      await pause(this.#waitMs(target.id, event.passed), signal);
    }
  }

  #waitMs(id: string, passed: boolean): number {
    const { intervalMs, downIntervalMs, jitterShare } = this.#options;
    const isWell = passed && this.#pool.members.get(id)?.health.outlier.kind === "admitted";
    const base = isWell ? intervalMs : Math.min(downIntervalMs, intervalMs);
    return base * (1 + jitterShare * (2 * this.#random.float() - 1));
  }

  async #probe(target: Probed, signal: AbortSignal): Promise<ProbeEvent> {
    const { host, port, socketPath = null, tls, preface } = target;
    const { kind, timeoutMs } = this.#options;
    try {
      if (kind === "http") return await this.#probeHttp(target, signal);
      await tcpCheck({ host, port, socketPath, tls, timeoutMs, signal, preface });
      return { passed: true };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { passed: false, detail: `probe: ${code ?? message}` };
    }
  }

  async #probeHttp(target: Probed, signal: AbortSignal): Promise<ProbeEvent> {
    const known = this.#options.path === "auto" ? this.#paths.get(target.id) : this.#options.path;
    const paths = known === undefined ? AUTO_PATHS : [known];
    let detail = "";
    for (const path of paths) {
      const answer = await this.#get(target, path, signal);
      // A path that the backend does not know says nothing about its health.
      if (answer.status === 404 && known === undefined) continue;
      this.#paths.set(target.id, path);
      if (
        !this.#options.expect.statuses.some(({ from, to }) => answer.status >= from && answer.status <= to)
      ) {
        return { passed: false, detail: `probe: ${path} answered ${answer.status}` };
      }
      const { body } = this.#options.expect;
      if (body === null || answer.body.includes(body)) return { passed: true };
      return { passed: false, detail: `probe: ${path} lacks the expected text` };
    }
    detail = `probe: it knows none of ${AUTO_PATHS.join(", ")}`;
    return { passed: false, detail: `${detail}; set health.path` };
  }

  async #get(target: Probed, path: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
    const { host, port, socketPath = null, tls, headers, preface } = target;
    const { timeoutMs } = this.#options;
    const request = {
      host,
      port,
      socketPath,
      tls,
      preface,
      method: "GET",
      path,
      headers: { ...headers, "user-agent": "evener-probe" },
    };
    const answer = await fetchOnce({ ...request, timeoutMs, bodyBytesMax: BODY_BYTES_MAX, signal });
    return { status: answer.status, body: answer.body.toString("utf8") };
  }
}

/** A target whose context of TLS is made: sessions are resumed from probe to probe. */
type Probed = Omit<ProbeTarget, "tls"> & { readonly tls: TlsClient | null };

/** What model servers and others answer when they are well, in this order. */
export const AUTO_PATHS: readonly string[] = [
  "/health",
  "/healthz",
  "/v1/models",
  "/api/version",
  "/ping",
  "/",
];

const BODY_BYTES_MAX = 256 * 1024;
/** How soon a probe that waits for its turn looks again. */
const TURN_MS = 20;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
