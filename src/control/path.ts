/** A path with placeholders, such as `/v1/tasks/{id}`, compiled. */
export type PathPattern = readonly string[];

/** `path` begins with a slash; a placeholder is a whole segment. */
export function pathPattern(path: string): PathPattern {
  return path.split("/");
}

/** The values of the placeholders by their names, percent-decoded once; null when it is another path. */
export function matchPath(pattern: PathPattern, path: string): Readonly<Record<string, string>> | null {
  const segments = path.split("/");
  if (pattern.length !== segments.length) return null;
  const values: Record<string, string> = {};
  return pattern.every((part, i) => takeSegment(part, segments[i]!, values)) ? values : null;
}

function takeSegment(part: string, segment: string, values: Record<string, string>): boolean {
  if (!part.startsWith("{")) return part === segment;
  const value = decodeSegment(segment);
  if (value === null || value === "") return false;
  values[part.slice(1, -1)] = value;
  return true;
}

/** Null when it is not percent-encoded UTF-8. */
function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
