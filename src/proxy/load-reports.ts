// Hot path: where a pool asks for reports, one comparison a request and one short field read an answer.
import type { Lease } from "../core/lease.ts";
import type { Vitals } from "../core/vitals.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import { LOAD_REPORT_FORMAT_FIELD, LoadReport, readLoadReport } from "./describe/answer-headers.ts";

/** How a backend's report is written, as it is asked for. */
export type LoadReportFormat = "text" | "json";

/**
 * Asks the backends of a pool how they are with every request, and books what their answers say (ORCA). Only
 * who asked sees the report: the client's own question goes on as it is.
 */
export class LoadReports {
  readonly #line: string;
  readonly #report: LoadReport = new LoadReport();

  constructor(format: LoadReportFormat) {
    this.#line = `${LOAD_REPORT_FORMAT_FIELD}: ${format}\r\n`;
  }

  /** The line that asks; "" where the client asks itself. */
  lineFor(head: RequestHead): string {
    return head.indexOf(FIELD.endpointLoadMetricsFormat) < 0 ? this.#line : "";
  }

  /** An answer has come: what it reports counts for the backend of the lease, which is still open. */
  take(head: ResponseHead, lease: Lease): void {
    const text = head.value(FIELD.endpointLoadMetrics);
    if (text === null || !readLoadReport(text, this.#report)) return;
    const vitals = vitalsOf(this.#report);
    if (vitals !== null) lease.reported(vitals);
  }
}

/** What policies go by of a report; null where it has nothing of that. */
function vitalsOf(report: LoadReport): Vitals | null {
  const cpu = soft(report.cpuUtilization);
  const memory = share(report.memUtilization);
  const gpu = higher(soft(report.applicationUtilization), share(report.kvCacheUtilization));
  const queued = report.waitingRequests;
  const isEmpty = Number.isNaN(cpu) && Number.isNaN(memory) && Number.isNaN(gpu) && Number.isNaN(queued);
  return isEmpty ? null : { cpu, memory, gpu, queued };
}

/** May be above 1, as soft limits can be passed: more than all is all. */
function soft(value: number): number {
  return Math.min(1, value);
}

/** Above 1 it is no share, but something else under its name. */
function share(value: number): number {
  return value <= 1 ? value : Number.NaN;
}

function higher(a: number, b: number): number {
  return a >= b || Number.isNaN(b) ? a : b;
}
