import type { CandidateCost, Placement } from "../core/inference/placement-log.ts";

/** One sentence for a person: why the prompt went there and not to the next best. */
export function conclusionOf(placement: Placement): string {
  const { backend, why, attempt, compared, candidates } = placement;
  const before = attempt > 1 ? "tried again: " : "";
  if (why === "session") return `${before}its session is at home on ${backend}; costs were not compared`;
  if (why === "trial") {
    return `${before}${backend} has to prove that it is well again, with this one; costs were not compared`;
  }
  if (compared <= 1) return `${before}${backend} was the only one that could take it`;
  const chosen = candidates.find((each) => each.backend === backend);
  const next = candidates.find((each) => each !== chosen);
  if (chosen === undefined || next === undefined) return `${before}chosen by its cost`;
  const ratio = next.costMs / chosen.costMs;
  if (ratio < AS_GOOD) {
    return `${before}chosen by chance: ${next.backend} would have cost the same`;
  }
  const excess = excessOf(next, chosen);
  const dear = `${next.backend} would have been ${times(ratio)} as dear, ${objection(excess, next, chosen)}`;
  return `${before}chosen because ${advantage(excess, next, chosen, placement)}; ${dear}`;
}

/** A ratio of costs below that is the same cost. */
const AS_GOOD = 1.005;

/** What costs more at the one than at the other. */
type Part = "waiting" | "prefill" | "others" | "context";

/** The part that makes most of the difference. */
function excessOf(next: CandidateCost, chosen: CandidateCost): Part {
  const excesses: readonly (readonly [Part, number])[] = [
    ["waiting", next.waitingMs - chosen.waitingMs],
    ["prefill", next.prefillMs - chosen.prefillMs],
    ["others", othersMs(next) - othersMs(chosen)],
    ["context", next.contextMs - chosen.contextMs],
  ];
  return excesses.reduce((most, each) => (each[1] > most[1] ? each : most))[0];
}

function othersMs({ surchargeMs, standStillMs }: CandidateCost): number {
  return surchargeMs + standStillMs;
}

/** What speaks for the one that was chosen. */
function advantage(
  excess: Part,
  next: CandidateCost,
  chosen: CandidateCost,
  { promptTokens }: Placement,
): string {
  const { cachedTokens, waitingMs } = chosen;
  if (cachedTokens > 0 && cachedTokens >= next.cachedTokens) {
    return `${whole(cachedTokens)} of its ${whole(promptTokens)} tokens are cached there`;
  }
  if (excess === "waiting") {
    return waitingMs === 0 ? "no prompts wait there" : `only ${seconds(waitingMs)} of prompts wait there`;
  }
  if (excess === "prefill") return "it would be computed faster there";
  if (excess === "others") return "it is in the way of fewer there";
  return "less context is held there";
}

/** What speaks against the next best. */
function objection(excess: Part, next: CandidateCost, chosen: CandidateCost): string {
  const { cachedTokens, inFlight, waitingMs } = next;
  const running = `${whole(inFlight)} that ${inFlight === 1 ? "runs" : "run"} there`;
  const cached = `although ${whole(cachedTokens)} of its tokens are cached there`;
  const despite = cachedTokens > chosen.cachedTokens ? `${cached}, ` : "";
  if (excess === "waiting") return `${despite}as ${seconds(waitingMs)} of prompts wait there`;
  if (excess === "context") return `${despite}as the answers that run there hold more context`;
  if (cachedTokens < chosen.cachedTokens) {
    return cachedTokens === 0
      ? "as none are cached there"
      : `as only ${whole(cachedTokens)} are cached there`;
  }
  if (excess === "prefill") return `${despite}as it computes prompts more slowly`;
  return `${despite}as it would be in the way of ${running}`;
}

function times(ratio: number): string {
  return ratio < 10 ? `${ratio.toFixed(ratio < 1.1 ? 2 : 1)} times` : `${whole(ratio)} times`;
}

function seconds(ms: number): string {
  const digits = ms < 100 ? 3 : ms < 1_000 ? 2 : 1;
  return `${(ms / 1_000).toFixed(digits)} s`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
