/**
 * The candidate nearest to what was written, or undefined when none is near: at most a third of the letters
 * may be wrong (one for short words). What another product calls it is nearest of all.
 */
export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  const word = written.slice(0, WORD_LENGTH_MAX).toLowerCase();
  const elsewhere = SYNONYMS.get(word.replaceAll(/[ -]/g, "_"));
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate === elsewhere) return candidate;
    const distance = editDistance(word, candidate.toLowerCase());
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `did you mean "x"?`, or undefined when nothing is near. */
export function didYouMean(written: string, candidates: Iterable<string>): string | undefined {
  const suggestion = nearest(written, candidates);
  return suggestion === undefined ? undefined : `did you mean "${suggestion}"?`;
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, no letter touched
 * twice (Damerau-Levenshtein, restricted form). O(length of a x length of b).
 */
export function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) least = Math.min(least, beforePrevious[j - 2]! + 1);
      current.push(least);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/** Longer words are no slip of a known key; bounds the work for hostile files. */
const WORD_LENGTH_MAX = 64;

/** Policies by the names that nginx, HAProxy, Envoy, LiteLLM and others have for them. */
const SYNONYMS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    round_robin: ["rr", "roundrobin", "wrr", "weighted_round_robin"],
    least_request: ["leastconn", "least_conn", "least_connections", "least_requests", "least_busy", "lc"],
    peak_ewma: ["ewma", "least_time", "latency", "latency_based_routing"],
    p2c: ["power_of_two", "power_of_two_choices", "random_two", "least_two"],
    hash: ["ip_hash", "source", "consistent_hash", "ring_hash", "maglev", "rendezvous", "sticky"],
    fill: ["first", "fill_first"],
    random: ["rand", "simple_shuffle"],
  }).flatMap(([ours, theirs]) => theirs.map((name) => [name, ours] as const)),
);
