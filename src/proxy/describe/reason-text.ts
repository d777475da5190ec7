import type { Lease } from "../../core/lease.ts";
import type { Roster } from "../../core/roster.ts";

/** Why a prompt went where it goes, in words, on one line: what was expected there, and who was next. */
export function reasonText({ why, forecast }: Lease, roster: Roster): string {
  const { promptTokens, expectedTokens, prefillMs, nextSlot, nextCost } = forecast;
  const soon = (prefillMs / 1000).toFixed(prefillMs < 1_000 ? 2 : 1);
  const text = `${why}; ${expectedTokens} of ${promptTokens} tokens cached; first token in about ${soon} s`;
  const next = nextSlot < 0 ? undefined : roster.list.find(({ slot }) => slot === nextSlot);
  return next === undefined ? text : `${text}; next best ${next.id}, ${nextCost.toFixed(2)} times the cost`;
}
