/**
 * Whether backends could read another path than we match by: dot segments, plain, encoded, behind an encoded
 * separator or before a path parameter ("/..;/"), and %00. Such a request is refused, so that a route can not
 * be talked around (CVE class 9). %2F and others stay as they are.
 */
export function isAmbiguousPath(path: string): boolean {
  if (!path.includes("/.") && !path.includes("%") && !path.includes("\\")) return false;
  const plain = path.replaceAll(/%2e/gi, ".").replaceAll(/%3b/gi, ";");
  for (const segment of plain.split(SEPARATOR)) {
    const end = segment.indexOf(";");
    const name = end < 0 ? segment : segment.slice(0, end);
    if (name === "." || name === "..") return true;
  }
  return path.includes("%00");
}

/** What some server takes for "/". */
const SEPARATOR = /\/|\\|%2f|%5c/i;
