import type { Histogram } from "../core/kit/histogram.ts";

/**
 * Writes Prometheus' text format 0.0.4. A metric has at most {@link SERIES_MAX} series, whatever its labels
 * are: what is beyond is left out and counted.
 */
export class MetricsText {
  #text = "";
  #name = "";
  #series = 0;
  /** Series that were left out. */
  omitted = 0;

  /** Begins a metric; samples follow. */
  metric(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.#name = name;
    this.#series = 0;
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  }

  /** One series. `labels` by {@link labelText}; "" is none. NaN is written as such. */
  sample(labels: string, value: number): void {
    if (!this.#hasRoom()) return;
    this.#line("", labels, value);
  }

  /** One series of a histogram: what was recorded in milliseconds is written in seconds. */
  histogram(labels: string, histogram: Histogram, boundsSeconds: readonly number[]): void {
    if (!this.#hasRoom()) return;
    const comma = labels === "" ? "" : ",";
    for (const bound of boundsSeconds) {
      this.#line("_bucket", `${labels}${comma}le="${bound}"`, histogram.countUpTo(bound * 1000));
    }
    this.#line("_bucket", `${labels}${comma}le="+Inf"`, histogram.count);
    this.#line("_sum", labels, histogram.sum / 1000);
    this.#line("_count", labels, histogram.count);
  }

  toString(): string {
    return this.#text;
  }

  #hasRoom(): boolean {
    this.#series++;
    if (this.#series <= SERIES_MAX) return true;
    this.omitted++;
    return false;
  }

  #line(suffix: string, labels: string, value: number): void {
    const braces = labels === "" ? "" : `{${labels}}`;
    this.#text += `${this.#name}${suffix}${braces} ${numberText(value)}\n`;
  }
}

/** `name="value"` with the escapes that the format asks for; join several with commas. */
export function labelText(name: string, value: string): string {
  const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `${name}="${escaped}"`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

/** Series of one metric: 1,000 backends with their six states. */
export const SERIES_MAX = 6_000;
