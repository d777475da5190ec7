import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/core/kit/random.ts";
import { WAIT_MS_MAX, within } from "../fixtures/until.ts";
import { BackendProcess } from "./backend-process.ts";
import { type Config, EvenerProcess } from "./evener-process.ts";
import { describe, type Entry, type Kind, Ledger } from "./ledger.ts";
import { Load, type LoadOptions } from "./load.ts";
import type { Row } from "./row.ts";
import { WorkBackend } from "./work-backend.ts";

/** How much of a row is run: a few seconds of it, or all. Times are asserted at full length only. */
export type Length = "short" | "full";

/** What a run has measured, for the table. */
export type Figures = Readonly<Record<string, string | number>>;

/** One run of one row: Evener, its backends, its load, and the ledger of all of it. */
export class Trial {
  readonly length: Length;
  readonly seed: number;
  readonly random: Random;
  readonly folder: string;
  readonly ledger: Ledger = new Ledger();
  readonly figures: Record<string, string | number> = {};
  /** Losses that the row provokes on purpose. */
  isExcused: (entry: Entry) => boolean = () => false;
  #evener: EvenerProcess | null = null;
  /** Evener is expected to have ended by now. */
  mayHaveEnded = false;
  readonly #processes: BackendProcess[] = [];
  readonly #backends: WorkBackend[] = [];
  readonly #loads: Load[] = [];
  readonly #cleanups: (() => unknown)[] = [];
  readonly #lastCleanups: (() => unknown)[] = [];

  constructor(length: Length, seed: number) {
    this.length = length;
    this.seed = seed;
    this.random = new Random(seed);
    this.folder = mkdtempSync(join(tmpdir(), "evener-fault-"));
  }

  get isFull(): boolean {
    return this.length === "full";
  }

  get evener(): EvenerProcess {
    return this.#evener!;
  }

  /** The one value, or the other. */
  pick<T>(short: T, full: T): T {
    return this.isFull ? full : short;
  }

  /** Backends in this process, named a, b, c, ... */
  async backends(count: number, firstName = "a"): Promise<WorkBackend[]> {
    const first = firstName.charCodeAt(0);
    const names = Array.from({ length: count }, (_, i) => String.fromCharCode(first + i));
    const made = names.map((name, i) => {
      const note = (id: string): void => this.ledger.delivered(id, name);
      return new WorkBackend(name, this.random.split(100 + i), note);
    });
    await Promise.all(made.map((backend) => backend.listen()));
    this.#backends.push(...made);
    return made;
  }

  /** A backend in a process of its own, to be killed. */
  async victim(name: string): Promise<BackendProcess> {
    const backend = new BackendProcess(name, this.folder);
    this.#processes.push(backend);
    await backend.start();
    return backend;
  }

  /** Evener before these backends, as an operator would run it; with keys of the pool, and beside it. */
  async start(
    backends: readonly { id: string }[],
    pool: Config = {},
    rest: Config = {},
    under: readonly string[] = [],
  ): Promise<EvenerProcess> {
    this.#evener = await EvenerProcess.start(this.folder, this.config(backends, pool, rest), under);
    return this.#evener;
  }

  /** The configuration that {@link start} uses: the product's defaults, with health faster in short runs. */
  config(backends: readonly { id: string }[], pool: Config = {}, rest: Config = {}): Config {
    const urls = backends.map(({ id }) => `http://${id}`);
    const health = { path: "/health", interval: "2s", timeout: "1s", down_interval: "1s" };
    // A busy machine is late with its answers to probes, too.
    const quick = { ...health, interval: "200ms", timeout: "5s", down_interval: "100ms" };
    const pace = this.pick<Config>(
      { health: quick, slow_start: "1s", outlier: { ejection: "500ms" } },
      { health },
    );
    return { pools: { default: { backends: urls, ...pace, ...pool } }, log: { level: "info" }, ...rest };
  }

  /** A load, not started yet. */
  load(options: Partial<LoadOptions> = {}): Load {
    const random = this.random.split(200 + this.#loads.length);
    const load = new Load(this.ledger, random, { port: this.evener.port, perSecond: 150, ...options });
    this.#loads.push(load);
    return load;
  }

  /** Runs at the end, whatever happens. */
  after(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Runs when everything that the trial started has ended. */
  afterAll(cleanup: () => unknown): void {
    this.#lastCleanups.push(cleanup);
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms);
  }

  until(
    condition: () => boolean | Promise<boolean>,
    what: string,
    waitMs: number = WAIT_MS_MAX,
  ): Promise<void> {
    return untilTrue(condition, what, waitMs);
  }

  /** Waits until Evener gives work to the backend (again). That needs real work: a load must run. */
  untilWell({ id }: { id: string }, waitMs: number = WAIT_MS_MAX): Promise<void> {
    const isWell = async (): Promise<boolean> => WELL.has((await this.evener.backend(id)).state);
    return this.until(isWell, `backend ${id} back`, waitMs);
  }

  /** Waits until Evener has taken the backend out. */
  untilOut({ id }: { id: string }): Promise<void> {
    const isOut = async (): Promise<boolean> => !WELL.has((await this.evener.backend(id)).state);
    return this.until(isOut, `backend ${id} out`);
  }

  /** Waits until a request of that kind is being worked on by the victim. */
  untilWorking(victim: BackendProcess, kind: Kind, count = 1): Promise<void> {
    const isOpen = (id: string): boolean => {
      const entry = this.ledger.entries.get(id);
      return entry?.kind === kind && entry.ending === null;
    };
    const isWorking = (): boolean => victim.deliveries.filter(isOpen).length >= count;
    return this.until(isWorking, `${count} ${kind} in flight on ${victim.name}`);
  }

  expect(condition: boolean, what: string): void {
    assert.ok(condition, what);
  }

  /** Asserts a time: at full length only, where the machine is the run's own. */
  expectTime(condition: boolean, what: string): void {
    if (this.isFull) assert.ok(condition, what);
  }

  note(figure: string, value: string | number): void {
    this.figures[figure] = typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
  }

  /** Waits for the end of all requests and judges the promises. */
  async judge(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    for (const backend of this.#processes) {
      for (const id of backend.deliveries) this.ledger.delivered(id, backend.name);
    }
    if (this.mayHaveEnded) assert.ok(this.evener.ended === null || this.evener.ended === "0");
    else assert.equal(this.evener.ended, null, `Evener has ended: ${this.evener.log.slice(-5).join("\n")}`);
    const { lost, duplicated, undetectable } = this.ledger.judge(this.isExcused);
    this.note("requests", this.ledger.entries.size);
    this.note(
      "unsavable",
      this.ledger.count(({ ending }) => ending !== "ok" && ending !== "left"),
    );
    none("savable requests were lost", lost);
    none("requests that may not be repeated were delivered twice", duplicated);
    none("failures can not be seen by their client", undetectable);
    assert.deepEqual(this.ledger.phantoms, [], "backends received what nobody had sent");
    if (!this.mayHaveEnded) {
      await this.until(async () => (await this.evener.busy()) === 0, "no request in flight at rest");
    }
  }

  async clean(): Promise<void> {
    for (const load of this.#loads) load.close();
    for (const cleanup of this.#cleanups.toReversed()) await cleanup();
    await this.#evener?.kill();
    await Promise.all(this.#processes.map((backend) => backend.kill()));
    await Promise.all(this.#backends.map((backend) => backend.die()));
    for (const cleanup of this.#lastCleanups) await cleanup();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs a row once; throws what did not hold, with the seed. */
export async function runRow(row: Row, length: Length, seed: number): Promise<Figures> {
  const trial = new Trial(length, seed);
  try {
    const done = row.run(trial).then(() => trial.judge());
    await within(done, `row ${row.name} to end`, trial.pick(SHORT_MS_MAX, FULL_MS_MAX));
    return trial.figures;
  } catch (error) {
    const figures = JSON.stringify(trial.figures);
    throw new Error(`row ${row.name}, seed ${seed}: ${(error as Error).message}\n${figures}`, {
      cause: error,
    });
  } finally {
    await trial.clean();
  }
}

/** The `share` quantile (0..1) of how long these requests took. */
export function quantileMs(entries: readonly Entry[], share: number): number {
  const sorted = entries.map(({ sentAtMs, endedAtMs }) => endedAtMs - sentAtMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function none(what: string, entries: readonly Entry[]): void {
  const shown = entries.slice(0, SHOWN_MAX).map(describe).join("\n");
  assert.equal(entries.length, 0, `${entries.length} ${what}:\n${shown}`);
}

async function untilTrue(
  condition: () => boolean | Promise<boolean>,
  what: string,
  waitMs: number,
): Promise<void> {
  const endMs = performance.now() + waitMs;
  while (!(await condition())) {
    if (performance.now() > endMs) assert.fail(`waited too long for: ${what}`);
    await sleep(10);
  }
}

const SHOWN_MAX = 8;
/** Of a row: every wait in it has a bound of its own, this is for what is forgotten. */
const SHORT_MS_MAX = 60_000;
const FULL_MS_MAX = 1_200_000;
const WELL: ReadonlySet<string> = new Set(["up", "slow"]);
