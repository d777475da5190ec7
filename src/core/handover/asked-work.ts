import type { Roster } from "../roster.ts";
import { TRIED_MAX, type Work } from "../work.ts";
import type { AskedWork } from "./messages.ts";

/** That work for another process; `avoided` are ids beside those that it has tried. */
export function toAsked(work: Work, roster: Roster, avoided: readonly string[]): AskedWork {
  const { key, sessionKey, units, classIndex, isReplayable, labels, sessionSlot } = work;
  const idOf = (slot: number): string | null => roster.list.find((it) => it.slot === slot)?.id ?? null;
  const tried = [...work.tried.subarray(0, work.triedCount)].flatMap((slot) => idOf(slot) ?? []);
  const sessionId = sessionSlot < 0 ? null : idOf(sessionSlot);
  return {
    key,
    sessionKey,
    sessionId,
    units,
    classIndex,
    isReplayable,
    labels,
    tried: [...tried, ...avoided],
  };
}

/** Makes `work` what another process asks for. Ids that are not known here stand for nobody. */
export function fromAsked(asked: AskedWork, roster: Roster, work: Work): void {
  work.reset();
  work.key = asked.key;
  work.sessionKey = asked.sessionKey;
  work.units = asked.units;
  work.classIndex = asked.classIndex;
  work.isReplayable = asked.isReplayable;
  work.labels = asked.labels;
  work.sessionSlot = asked.sessionId === null ? -1 : (roster.get(asked.sessionId)?.slot ?? -1);
  for (const id of asked.tried) {
    const slot = roster.get(id)?.slot;
    if (slot !== undefined && work.triedCount < TRIED_MAX) work.avoid(slot);
  }
}
