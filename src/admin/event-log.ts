import type { PoolEvent, PoolEventKind } from "../core/events.ts";

/**
 * The latest {@link EVENTS_MAX} events of all pools, numbered from 1 on. The ring is also the buffer of
 * whoever follows: a follower that is slow asks again with the last number that it has seen.
 */
export class EventLog {
  readonly #ring: LoggedEvent[] = [];
  readonly #listeners: Set<EventListener> = new Set();
  /** Events of each kind since the start. */
  readonly counts: Record<PoolEventKind, number> = noneOfEach();
  /** Number of the latest event; 0 when there was none. */
  last = 0;

  /** Notes the event with the wall clock's time and tells those who follow. */
  append(event: PoolEvent): void {
    this.last++;
    this.#ring[(this.last - 1) % EVENTS_MAX] = { sequence: this.last, atWallMs: Date.now(), event };
    this.counts[event.kind]++;
    for (const listener of this.#listeners) listener();
  }

  /** Number of the oldest event that is still known; `last + 1` when there is none. */
  get first(): number {
    return Math.max(1, this.last - EVENTS_MAX + 1);
  }

  /**
   * At most `max` events after number `sequence`, oldest first. Those that were forgotten are left out; a
   * number beyond the last one is from an earlier process and counts as 0.
   */
  since(sequence: number, max: number): LoggedEvent[] {
    const after = sequence > this.last ? 0 : sequence;
    const from = Math.max(after + 1, this.first);
    const to = Math.min(this.last, from + max - 1);
    const events: LoggedEvent[] = [];
    for (let number = from; number <= to; number++) events.push(this.#ring[(number - 1) % EVENTS_MAX]!);
    return events;
  }

  /**
   * Calls `listener` after every event, inside the call that made it: it must be quick and must not throw.
   * Returns what ends that; null when {@link FOLLOWERS_MAX} follow already.
   */
  subscribe(listener: EventListener): (() => void) | null {
    if (this.#listeners.size >= FOLLOWERS_MAX) return null;
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

/** An event with its number and the time at which it was noted. */
export interface LoggedEvent {
  /** Goes up by one each, from 1 at the start of the process. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly atWallMs: number;
  readonly event: PoolEvent;
}

/** Told that there is something new; what, it asks by {@link EventLog.since}. */
export type EventListener = () => void;

/** Events that are kept. */
export const EVENTS_MAX = 1_000;
/** Followers at once. */
export const FOLLOWERS_MAX = 16;

function noneOfEach(): Record<PoolEventKind, number> {
  return {
    joined: 0,
    left: 0,
    probe_down: 0,
    probe_up: 0,
    ejected: 0,
    ejection_capped: 0,
    probation: 0,
    readmitted: 0,
    slowed: 0,
    recovered: 0,
    drained: 0,
    undrained: 0,
    agent: 0,
    thread_died: 0,
    handover: 0,
    handover_failed: 0,
    resolved: 0,
    unresolved: 0,
    panic_on: 0,
    panic_off: 0,
  };
}
