import { isObject, parseJson } from "./answer-event.ts";

/**
 * The field of a request that asks for a load report in its answer (ORCA, as vLLM and Triton have it). It
 * says `text` or `json`: vLLM takes any case, Triton (`orca_http.cc`) only this one.
 */
export const LOAD_REPORT_FORMAT_FIELD = "endpoint-load-metrics-format";
/** A longer report is not read. */
export const LOAD_REPORT_CHARS_MAX = 4096;
/** More of its metrics are not kept. */
export const NAMED_METRICS_MAX = 32;

/**
 * What a backend reports of its load with an answer (xDS `OrcaLoadReport` v3). NaN is unknown. Utilizations
 * are fractions; the application's and the CPU's may be above 1.
 */
export class LoadReport {
  applicationUtilization: number = Number.NaN;
  cpuUtilization: number = Number.NaN;
  memUtilization: number = Number.NaN;
  /** Requests and errors a second. */
  rps: number = Number.NaN;
  eps: number = Number.NaN;
  /** Fraction of the KV cache in use: vLLM's `kv_cache_usage_perc`, Triton's `kv_cache_utilization`. */
  kvCacheUtilization: number = Number.NaN;
  /** vLLM's `num_requests_waiting` and `num_requests_running`. */
  waitingRequests: number = Number.NaN;
  runningRequests: number = Number.NaN;
  /** All of `named_metrics`, the ones above included. */
  readonly named: Map<string, number> = new Map();

  reset(): void {
    this.applicationUtilization = Number.NaN;
    this.cpuUtilization = Number.NaN;
    this.memUtilization = Number.NaN;
    this.rps = Number.NaN;
    this.eps = Number.NaN;
    this.kvCacheUtilization = Number.NaN;
    this.waitingRequests = Number.NaN;
    this.runningRequests = Number.NaN;
    this.named.clear();
  }
}

/**
 * Reads a report in one of its forms: `TEXT name=value, named_metrics.name=value`, the same with colons and
 * without its first word, or `JSON {...}` in either spelling of protobuf's JSON. False when there is nothing
 * in it to be read; `BIN` is protobuf and is not.
 */
export function readLoadReport(value: string, into: LoadReport): boolean {
  into.reset();
  if (value.length > LOAD_REPORT_CHARS_MAX) return false;
  const text = value.trim();
  const format = /^(TEXT|JSON|BIN)\s+/i.exec(text);
  const body = format === null ? text : text.slice(format[0].length);
  switch (format === null ? "" : format[1]!.toUpperCase()) {
    case "BIN":
      return false;
    case "JSON":
      return readJson(body, into);
    default:
      return body.startsWith("{") ? readJson(body, into) : readList(body, into);
  }
}

function readJson(text: string, into: LoadReport): boolean {
  const report = parseJson(text);
  if (!isObject(report)) return false;
  let isAny = false;
  for (const [name, value] of Object.entries(report)) {
    if (typeof value === "number") isAny = note(name, value, into) || isAny;
    else if (NAMED.has(name) && isObject(value)) isAny = noteAll(value, into) || isAny;
  }
  return isAny;
}

function noteAll(metrics: Readonly<Record<string, unknown>>, into: LoadReport): boolean {
  let isAny = false;
  for (const [name, value] of Object.entries(metrics)) {
    if (typeof value === "number") isAny = noteNamed(name, value, into) || isAny;
  }
  return isAny;
}

function readList(text: string, into: LoadReport): boolean {
  let isAny = false;
  for (const part of text.split(",")) {
    const match = /^\s*([^=:\s]+)\s*[=:]\s*(\d[\d.eE+-]*)\s*$/.exec(part);
    if (match === null) continue;
    const name = match[1]!;
    const dot = name.indexOf(".");
    const isNamed = dot >= 0 && NAMED.has(name.slice(0, dot));
    const number = Number(match[2]);
    isAny = (isNamed ? noteNamed(name.slice(dot + 1), number, into) : note(name, number, into)) || isAny;
  }
  return isAny;
}

function note(name: string, value: number, into: LoadReport): boolean {
  if (!isReading(value)) return false;
  switch (name) {
    case "application_utilization":
    case "applicationUtilization":
      into.applicationUtilization = value;
      return true;
    case "cpu_utilization":
    case "cpuUtilization":
      into.cpuUtilization = value;
      return true;
    case "mem_utilization":
    case "memUtilization":
      into.memUtilization = value;
      return true;
    case "rps_fractional":
    case "rpsFractional":
      into.rps = value;
      return true;
    case "eps":
      into.eps = value;
      return true;
    default:
      return false;
  }
}

function noteNamed(name: string, value: number, into: LoadReport): boolean {
  if (!isReading(value) || into.named.size >= NAMED_METRICS_MAX) return false;
  into.named.set(name, value);
  if (name === "kv_cache_usage_perc" || name === "kv_cache_utilization") into.kvCacheUtilization = value;
  else if (name === "num_requests_waiting") into.waitingRequests = value;
  else if (name === "num_requests_running") into.runningRequests = value;
  return true;
}

function isReading(value: number): boolean {
  return value >= 0 && Number.isFinite(value);
}

const NAMED: ReadonlySet<string> = new Set(["named_metrics", "namedMetrics"]);
