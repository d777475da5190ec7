// Hot path: the last segment of the path is looked up; only where it is one of an LLM API is more looked at.
import { LLM_APIS } from "./index.ts";
import type { LlmApi } from "./llm-api.ts";

interface Candidate {
  readonly api: LlmApi;
  /** The path, or what stands before the model. */
  readonly start: string;
  /** What stands behind the model; null where the path names none. */
  readonly rest: string | null;
  /** Something may stand before it (`/openai/v1/...`). */
  readonly takesPrefix: boolean;
}

const byLastSegment: ReadonlyMap<string, readonly Candidate[]> = collect();

/**
 * The LLM API that a request speaks, or null. Paths of `/v1` and `/v2` may have a prefix; others, such as
 * `/generate`, are words that applications use, too, so that they count only alone.
 */
export function recogniseApi(method: string, path: string): LlmApi | null {
  if (method !== "POST") return null;
  const candidates = byLastSegment.get(path.slice(path.lastIndexOf("/") + 1));
  if (candidates === undefined) return null;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    if (candidate.rest === null ? isAt(candidate, path) : modelStart(candidate, path) >= 0)
      return candidate.api;
  }
  return null;
}

/** The same, of those whose body says what the work costs: not of sound and pictures, nor of counting. */
export function describableApi(method: string, path: string): LlmApi | null {
  const api = recogniseApi(method, path);
  return api === null || api.task === "pass" || api.task === "count" ? null : api;
}

/** The model that the path names (`/v2/models/NAME/infer`), decoded; "" where it names none. */
export function modelOfPath(path: string): string {
  const candidates = byLastSegment.get(path.slice(path.lastIndexOf("/") + 1));
  if (candidates === undefined) return "";
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i]!;
    const from = candidate.rest === null ? -1 : modelStart(candidate, path);
    if (from >= 0) return decodedSegment(path.slice(from, path.indexOf("/", from)));
  }
  return "";
}

function isAt({ start, takesPrefix }: Candidate, path: string): boolean {
  return path.length === start.length ? path === start : takesPrefix && path.endsWith(start);
}

/** Where the model's name begins, or -1. */
function modelStart({ start, rest }: Candidate, path: string): number {
  const at = path.lastIndexOf(start);
  if (at < 0) return -1;
  const from = at + start.length;
  const to = path.indexOf("/", from);
  if (to <= from) return -1;
  let restAt = to;
  if (path.startsWith(VERSIONS, to)) {
    restAt = path.indexOf("/", to + VERSIONS.length);
    if (restAt <= to + VERSIONS.length) return -1;
  }
  return path.length === restAt + rest!.length && path.endsWith(rest!) ? from : -1;
}

const VERSIONS = "/versions/";

/** A segment of a path without its percent-encoding; as it stands where that is not valid. */
export function decodedSegment(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not for us to judge: it is the name as it stands there.
    return segment;
  }
}

function collect(): Map<string, Candidate[]> {
  const found = new Map<string, Candidate[]>();
  for (const api of LLM_APIS) {
    for (const path of api.paths) {
      const last = path.slice(path.lastIndexOf("/") + 1);
      const star = path.indexOf("*");
      const candidate: Candidate = {
        api,
        start: star < 0 ? path : path.slice(0, star),
        rest: star < 0 ? null : path.slice(star + 1),
        takesPrefix: path.startsWith("/v1/") || path.startsWith("/v2/"),
      };
      found.set(last, [...(found.get(last) ?? []), candidate]);
    }
  }
  return found;
}
