import type { Clock } from "../core/kit/clock.ts";
import type { Random } from "../core/kit/random.ts";
import type { NameAnswer, NameSource } from "./dns.ts";

/**
 * Names and what they stand for: each is asked for again when its answer has grown old. The last good answer
 * is kept, whatever happens to the servers: no answer, a refusal or an empty answer takes nobody away.
 */
export class Names {
  readonly #kit: NamesKit;
  readonly #followed: Map<string, Followed> = new Map();
  #servers: string | null = null;
  #source: NameSource | null = null;
  #version = 0;

  constructor(kit: NamesKit) {
    this.#kit = kit;
  }

  /** Another number whenever some name stands for other addresses than before. */
  get version(): number {
    return this.#version;
  }

  /**
   * Makes these the names that are followed, and these servers (none: the system's) the ones that are asked.
   * Resolves when each name was asked for once, with or without success, at the latest after 5 seconds.
   */
  async follow(names: readonly string[], servers: readonly string[]): Promise<void> {
    if (names.length > 0) this.#ask(servers);
    const wanted = new Set(names);
    for (const name of this.#followed.keys()) if (!wanted.has(name)) this.#leave(name);
    for (const name of wanted) if (!this.#followed.has(name)) this.#begin(name);
    const pending = [...wanted].map((name) => this.#followed.get(name)!.asked.promise);
    if (pending.length === 0) return;
    const enough = new AbortController();
    await Promise.race([Promise.all(pending), this.#kit.pause(FIRST_ANSWER_MS, enough.signal)]);
    enough.abort();
  }

  /** What the name stands for; none as long as there was no good answer. */
  addressesOf(name: string): readonly string[] {
    return this.#followed.get(name)?.addresses ?? [];
  }

  /** Of every name, for metrics. */
  figures(): NameFigures[] {
    const nowMs = this.#kit.clock.nowMs();
    return [...this.#followed].map(([name, it]) => ({
      name,
      addresses: it.addresses.length,
      ageMs: nowMs - it.answeredAtMs,
      failures: it.failures,
    }));
  }

  close(): void {
    for (const name of this.#followed.keys()) this.#leave(name);
    this.#source?.close();
  }

  #ask(servers: readonly string[]): void {
    const text = servers.join(" ");
    if (text === this.#servers) return;
    this.#servers = text;
    this.#source?.close();
    this.#source = this.#kit.sourceOf(servers);
    for (const it of this.#followed.values()) {
      it.stop.abort();
      it.stop = new AbortController();
      void this.#keepAsking(it);
    }
  }

  #leave(name: string): void {
    const it = this.#followed.get(name)!;
    this.#followed.delete(name);
    it.stop.abort();
    it.asked.resolve();
  }

  #begin(name: string): void {
    const it: Followed = {
      name,
      addresses: [],
      answeredAtMs: Number.NEGATIVE_INFINITY,
      failures: 0,
      failuresInRow: 0,
      asked: Promise.withResolvers(),
      stop: new AbortController(),
    };
    this.#followed.set(name, it);
    void this.#keepAsking(it);
  }

  async #keepAsking(it: Followed): Promise<void> {
    const { signal } = it.stop;
    const source = this.#source!;
    while (!signal.aborted) {
      const answer = await source.ask(it.name);
      if (signal.aborted) return;
      const waitMs = this.#take(it, answer);
      it.asked.resolve();
      await this.#kit.pause(waitMs, signal);
    }
  }

  /** Returns when the name is to be asked for again: in milliseconds. */
  #take(it: Followed, answer: NameAnswer): number {
    const nowMs = this.#kit.clock.nowMs();
    const dice = this.#kit.random.float();
    if (answer.kind === "failed") {
      it.failures++;
      it.failuresInRow++;
      if (it.failuresInRow === 1)
        this.#tell("unresolved", `${it.name}: ${answer.reason}`, keptText(it, nowMs));
      const waitMs = Math.min(FAILED_WAIT_MS * 2 ** (it.failuresInRow - 1), FAILED_WAIT_MS_MAX);
      return waitMs * (1 + JITTER_SHARE * (2 * dice - 1));
    }
    const before = it.addresses;
    const change = changeText(before, answer.addresses);
    it.addresses = answer.addresses;
    it.answeredAtMs = nowMs;
    if (change !== "") this.#version++;
    if (change !== "" || it.failuresInRow > 0) {
      const count = answer.addresses.length;
      this.#tell("resolved", `${it.name}: ${count} ${count === 1 ? "address" : "addresses"}`, change);
    }
    it.failuresInRow = 0;
    if (change !== "") this.#kit.onChange();
    // Never early, when a server on the way would give the rest of the old answer's time; and not in step.
    return Math.min(Math.max(answer.ttlMs, TTL_MS_MIN), TTL_MS_MAX) * (1 + JITTER_SHARE * dice);
  }

  #tell(kind: NameEventKind, reason: string, evidence: string): void {
    this.#kit.onEvent(kind, reason, evidence);
  }
}

/** What names are followed with. */
export interface NamesKit {
  readonly clock: Clock;
  readonly random: Random;
  /** The servers of that list; none: the system's. */
  readonly sourceOf: (servers: readonly string[]) => NameSource;
  /** Resolves after that time, or when the signal says so. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Some name stands for other addresses; {@link Names.version} says so, too. */
  readonly onChange: () => void;
  readonly onEvent: (kind: NameEventKind, reason: string, evidence: string) => void;
}

/** A name stands for something new or again; or it could not be found out what it stands for. */
export type NameEventKind = "resolved" | "unresolved";

/** What is known of a name. */
export interface NameFigures {
  readonly name: string;
  readonly addresses: number;
  /** Of the last good answer; Infinity before the first. */
  readonly ageMs: number;
  /** Questions without a good answer. */
  readonly failures: number;
}

interface Followed {
  readonly name: string;
  addresses: readonly string[];
  answeredAtMs: number;
  failures: number;
  failuresInRow: number;
  /** It was asked for, with or without success. */
  readonly asked: PromiseWithResolvers<void>;
  stop: AbortController;
}

/** Whatever the TTL says: a server that is asked more often is not asked for a name any more, but flooded. */
const TTL_MS_MIN = 1_000;
/** Whatever the TTL says: a mistake in it must not last for a day. */
const TTL_MS_MAX = 300_000;
const FAILED_WAIT_MS = 1_000;
const FAILED_WAIT_MS_MAX = 30_000;
const JITTER_SHARE = 0.2;
/** A start or a reload waits for names that are new, but not for ever. */
const FIRST_ANSWER_MS = 5_000;
const CHANGES_SHOWN_MAX = 10;

function keptText({ addresses, answeredAtMs }: Followed, nowMs: number): string {
  if (addresses.length === 0) return "there was no answer before";
  return `kept: ${addresses.length} of ${Math.round((nowMs - answeredAtMs) / 1000)} s ago`;
}

/** `+10.0.0.3 -10.0.0.4`; "" when it is the same. */
function changeText(before: readonly string[], now: readonly string[]): string {
  const changes = [
    ...now.filter((address) => !before.includes(address)).map((address) => `+${address}`),
    ...before.filter((address) => !now.includes(address)).map((address) => `-${address}`),
  ];
  const more = changes.length - CHANGES_SHOWN_MAX;
  return more > 0 ? `${changes.slice(0, CHANGES_SHOWN_MAX).join(" ")} and ${more} more` : changes.join(" ");
}
