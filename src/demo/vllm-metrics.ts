import type { BatchingEngine } from "./engine.ts";

/**
 * The counters of a demo server, shown under vLLM's names, so that what reads vLLM reads the demo.
 * Source: vLLM 0.6 to 0.11 `/metrics`; `gpu_cache_usage_perc` is what `kv_cache_usage_perc` was called before
 * V1, and readers of both are around.
 */
export class VllmMetrics {
  promptTokens = 0;
  generationTokens = 0;
  readonly finished: Record<FinishedReason, number> = { stop: 0, length: 0, abort: 0, error: 0 };
  readonly #firstTokenCounts: number[] = BUCKET_ENDS_SECONDS.map(() => 0);
  #firstTokenCount = 0;
  #firstTokenSeconds = 0;

  firstToken(seconds: number): void {
    this.#firstTokenCount++;
    this.#firstTokenSeconds += seconds;
    const bucket = BUCKET_ENDS_SECONDS.findIndex((end) => seconds <= end);
    if (bucket !== -1) this.#firstTokenCounts[bucket]! += 1;
  }

  /** In the Prometheus text format 0.0.4. */
  format(engine: BatchingEngine, model: string): string {
    const labels = `engine="0",model_name="${model}"`;
    const lines: string[] = [];
    const add = (name: string, kind: string, summary: string, value: number): void => {
      lines.push(`# HELP ${name} ${summary}`, `# TYPE ${name} ${kind}`, `${name}{${labels}} ${value}`);
    };
    const kv = "KV-cache usage. 1 means 100 percent usage.";
    add("vllm:num_requests_running", "gauge", "Requests in the batch.", engine.running);
    add("vllm:num_requests_waiting", "gauge", "Requests waiting for a place in the batch.", engine.waiting);
    add("vllm:kv_cache_usage_perc", "gauge", kv, engine.kvUsage);
    add("vllm:gpu_cache_usage_perc", "gauge", `${kv} The older name.`, engine.kvUsage);
    add("vllm:prompt_tokens_total", "counter", "Prompt tokens read.", this.promptTokens);
    add("vllm:generation_tokens_total", "counter", "Tokens made.", this.generationTokens);
    this.#addFinished(lines, labels);
    this.#addFirstToken(lines, labels);
    return `${lines.join("\n")}\n`;
  }

  #addFinished(lines: string[], labels: string): void {
    const name = "vllm:request_success_total";
    lines.push(`# HELP ${name} Requests that ended, by reason.`, `# TYPE ${name} counter`);
    for (const [reason, count] of Object.entries(this.finished)) {
      lines.push(`${name}{${labels},finished_reason="${reason}"} ${count}`);
    }
  }

  #addFirstToken(lines: string[], labels: string): void {
    const name = "vllm:time_to_first_token_seconds";
    lines.push(`# HELP ${name} Time to first token in seconds.`, `# TYPE ${name} histogram`);
    let upTo = 0;
    for (const [bucket, end] of BUCKET_ENDS_SECONDS.entries()) {
      upTo += this.#firstTokenCounts[bucket]!;
      const le = Number.isInteger(end) ? `${end}.0` : `${end}`;
      lines.push(`${name}_bucket{${labels},le="${le}"} ${upTo}`);
    }
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${this.#firstTokenCount}`);
    lines.push(`${name}_sum{${labels}} ${this.#firstTokenSeconds}`);
    lines.push(`${name}_count{${labels}} ${this.#firstTokenCount}`);
  }
}

/** How a request ended, in vLLM's words; `abort` is a client that left. */
export type FinishedReason = "stop" | "length" | "abort" | "error";

const BUCKET_ENDS_SECONDS: readonly number[] = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
];
