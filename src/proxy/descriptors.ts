/**
 * How many client connections fit into the descriptors that the process may open, at most `connectionsMax`.
 * Each may need a second one to a backend. Beyond the limit the system's accept fails, and Node closes such
 * connections without a word: better to refuse before, with an answer (fault 19).
 */
export function connectionsThatFit(connectionsMax: number, descriptorsMax: number = openFilesMax()): number {
  const pairs = Math.floor((descriptorsMax - DESCRIPTORS_RESERVED) / 2);
  return Math.min(connectionsMax, Math.max(pairs, CONNECTIONS_MIN));
}

/**
 * Descriptors that the process may have open; Infinity where there is no limit, or none is known. Looked up
 * once: that takes milliseconds.
 */
export function openFilesMax(): number {
  known ??= readOpenFilesMax();
  return known;
}

function readOpenFilesMax(): number {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined) return Number.POSITIVE_INFINITY;
  // Names of all peers would be looked up.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = Number(userLimits?.open_files?.soft);
  return soft > 0 ? soft : Number.POSITIVE_INFINITY;
}

let known: number | undefined;
/** For listeners, logs, probes, operators, refusals, and idle connections to backends. */
const DESCRIPTORS_RESERVED = 96;
const CONNECTIONS_MIN = 16;
