import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import type { Clock } from "../core/kit/clock.ts";
import type { Random } from "../core/kit/random.ts";
import { TaskEngine } from "../core/tasks/engine.ts";
import type { EngineLink } from "../core/tasks/engine-link.ts";
import { isEnd, type TaskRecord, type TaskState } from "../core/tasks/task.ts";
import { TaskTurns } from "../core/tasks/turns.ts";
import type { Worker } from "../core/tasks/workers.ts";
import type { WriteOutcome } from "../core/tasks/write.ts";
import { EvenerError } from "../errors.ts";
import { openStore } from "../store/index.ts";
import type { TaskStore } from "../store/store.ts";
import { AgentLine, type AgentLineSetup } from "./agent-line.ts";
import { Commits } from "./commits.ts";
import type { NewTask } from "./envelope.ts";
import { ruleOf, type TaskOptions } from "./options.ts";
import { OutputLog } from "./output-log.ts";
import { Payloads } from "./payloads.ts";

/** The second door's works: the engine between its store and its agents. */
export class TaskDispatcher {
  readonly store: TaskStore;
  readonly engine: TaskEngine;
  readonly turns: TaskTurns;
  readonly output: OutputLog = new OutputLog();
  readonly options: TaskOptions;
  readonly #kit: DispatcherKit;
  readonly #commits: Commits;
  readonly #payloads: Payloads;
  readonly #lines: Set<AgentLine> = new Set();
  readonly #lineSetup: AgentLineSetup;
  readonly #watchers: Set<() => void> = new Set();
  readonly #ticking: NodeJS.Timeout;
  readonly #owner: string = randomUUID();
  #savedVersion = 0;
  #lastLeadMs = 0;
  #lastChoreMs = 0;
  #isScheduled = false;
  /** The store must not be closed under it. */
  #choring: Promise<void> = Promise.resolve();

  private constructor(store: TaskStore, options: TaskOptions, kit: DispatcherKit) {
    this.store = store;
    this.options = options;
    this.#kit = kit;
    this.turns = new TaskTurns((tenant) => ruleOf(options, tenant));
    this.#commits = new Commits(store, () => this.#settled(), kit.onFailure);
    this.#payloads = new Payloads(store);
    const { leaseTtlMs, startGraceMs, idempotencyKeyKeptMs } = options;
    const patience = { leaseTtlMs, startGraceMs, idempotencyKeyKeptMs, owner: this.#owner };
    this.engine = new TaskEngine(this.#link(), this.turns, kit.random, patience);
    this.#lineSetup = {
      engine: this.engine,
      options,
      nowMs: () => kit.clock.nowMs(),
      payloadsOf: (ids) => this.#payloads.of(ids),
      lineOf: (connection) => (this.#lines.has(connection as AgentLine) ? (connection as AgentLine) : null),
      onOutput: (task, stream, bytes) => this.output.append(task, stream, bytes),
      onNews: () => this.#scheduleSoon(),
      onClosed: (line) => this.#lines.delete(line),
      onMistake: kit.onFailure,
    };
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Opens the store, and takes up what it has. Throws what opening a store throws. */
  static async open(options: TaskOptions, kit: DispatcherKit): Promise<TaskDispatcher> {
    const store = await openStore(options.store);
    const dispatcher = new TaskDispatcher(store, options, kit);
    await dispatcher.#lead();
    const learned = await store.memory(DURATIONS);
    if (learned !== null) dispatcher.turns.durations.load(learned);
    await dispatcher.#load();
    return dispatcher;
  }

  /**
   * Of several processes on one store one works. One that has died leads on for 10 s: that is waited for.
   * Throws EVENER_STORE_FAILED where another one lives.
   */
  async #lead(): Promise<void> {
    for (let waitedMs = 0; waitedMs < LEAD_WAIT_MS; waitedMs += LEAD_AGAIN_MS) {
      if ((await this.store.lead?.(this.#owner)) !== null) return;
      await sleep(LEAD_AGAIN_MS);
    }
    await this.close();
    const advice = "stop it, or give this one a database of its own";
    const text = `${this.store.name}: another Evener works on this queue; ${advice}`;
    throw new EvenerError("EVENER_STORE_FAILED", text);
  }

  /** How much waits, for whoever wants to send more. */
  get backlog(): { readonly open: number; readonly queued: number; readonly oldestMs: number } {
    const oldestMs = this.turns.oldestMs(this.#kit.clock.nowMs());
    return { open: this.engine.book.size, queued: this.turns.size, oldestMs };
  }

  /** A new connection of an agent. */
  connect(socket: WebSocket): void {
    this.#lines.add(new AgentLine(socket, this.#lineSetup));
  }

  /** How an agent says that its machine is; null where it is not connected. */
  lineOf(worker: Worker): AgentLine | null {
    return worker.connection === null ? null : this.#lineSetup.lineOf(worker.connection);
  }

  /** Writes tasks down; resolves when they are durable: one outcome each. `parents`: how those ended. */
  submit(
    tasks: readonly NewTask[],
    parents: ReadonlyMap<string, TaskState>,
  ): Promise<readonly WriteOutcome[]> {
    return Promise.all(
      tasks.map(({ record, payload }) => {
        return new Promise<WriteOutcome>((resolve) => {
          this.#payloads.keep(record.id, payload);
          this.engine.submit(record, payload, parents, (outcome) => {
            if (outcome.kind !== "done") this.#payloads.forget(record.id);
            resolve(outcome);
          });
        });
      }),
    );
  }

  /** Resolves with how it is then; null where no such task is open. */
  cancel(id: string): Promise<TaskRecord | null> {
    return new Promise((resolve) => this.engine.cancel(id, this.#kit.clock.nowMs(), resolve));
  }

  redrive(record: TaskRecord): Promise<WriteOutcome> {
    return new Promise((resolve) => this.engine.redrive(record, resolve));
  }

  /** Calls `onNews` after each commit; returns how to stop that. */
  watch(onNews: () => void): () => void {
    this.#watchers.add(onNews);
    return () => this.#watchers.delete(onNews);
  }

  /** Agents go on with what they have, and come back; what was decided is durable. */
  async close(): Promise<void> {
    clearInterval(this.#ticking);
    await this.#choring;
    for (const line of this.#lines) line.close();
    await this.#commits.atRest();
    await this.#saveDurations();
    await this.store.close();
  }

  #link(): EngineLink {
    const lineOf = (worker: Worker): AgentLine | null => this.lineOf(worker);
    return {
      wallMs: () => Date.now(),
      commit: (write, done) => this.#commits.add(write, (outcome) => done(outcome, this.#kit.clock.nowMs())),
      run: (worker, lease) => lineOf(worker)?.run(lease),
      cancel: (worker, id) => lineOf(worker)?.cancel(id),
      disconnect: (worker) => lineOf(worker)?.disconnect(),
      kept: (worker, id, isStale) => {
        if (!isStale) this.#forget(id.task);
        lineOf(worker)?.kept(id, isStale);
      },
    };
  }

  async #load(): Promise<void> {
    const records: TaskRecord[] = [];
    for (let after: string | null = null; ;) {
      const page = await this.store.unfinished(after, PAGE);
      records.push(...page);
      if (page.length < PAGE) break;
      after = page.at(-1)!.id;
    }
    const open = new Set(records.map(({ id }) => id));
    const parents = await this.parentsOf(
      records.flatMap(({ spec }) => spec.dependsOn).filter((id) => !open.has(id)),
    );
    const known = new Map([...parents].filter((entry): entry is [string, TaskState] => entry[1] !== null));
    this.engine.load(records, known, this.#kit.clock.nowMs());
  }

  /** How these tasks are; null for those that do not exist. */
  async parentsOf(ids: readonly string[]): Promise<ReadonlyMap<string, TaskState | null>> {
    const states = new Map<string, TaskState | null>();
    for (const id of new Set(ids)) {
      states.set(id, this.engine.book.stateOf(id) ?? (await this.store.task(id))?.state ?? null);
    }
    return states;
  }

  /** Once a turn: what has come may be given. */
  #scheduleSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.engine.schedule(this.#kit.clock.nowMs());
    });
  }

  #settled(): void {
    this.engine.schedule(this.#kit.clock.nowMs());
    for (const onNews of this.#watchers) onNews();
  }

  #tick(): void {
    const nowMs = this.#kit.clock.nowMs();
    this.engine.tick(nowMs);
    if (this.store.lead !== undefined && nowMs - this.#lastLeadMs >= LEAD_MS) {
      this.#lastLeadMs = nowMs;
      void this.store.lead(this.#owner).catch(this.#kit.onFailure);
    }
    if (nowMs - this.#lastChoreMs < CHORE_MS) return;
    this.#lastChoreMs = nowMs;
    this.#choring = this.#chores().catch(this.#kit.onFailure);
  }

  /** What is learned survives a restart; what has ended long ago goes. */
  async #chores(): Promise<void> {
    this.#payloads.keepOnly((id) => this.engine.book.get(id) !== undefined);
    await this.#saveDurations();
    const { endedTasksMax, endedAgeMaxMs } = this.options;
    await this.store.prune({ endedTasksMax, endedAgeMaxMs, nowMs: Date.now() });
  }

  async #saveDurations(): Promise<void> {
    const { durations } = this.turns;
    if (durations.version === this.#savedVersion) return;
    this.#savedVersion = durations.version;
    await this.store.commit([{ do: "remember", name: DURATIONS, bytes: durations.save() }]);
  }

  #forget(id: string): void {
    const state = this.engine.book.stateOf(id);
    if (state !== undefined && !isEnd(state)) return;
    this.#payloads.forget(id);
    this.output.wake(id);
  }
}

/** Clock, dice, and who is told of failures of the store and of mistakes of ours. */
export interface DispatcherKit {
  readonly clock: Clock;
  readonly random: Random;
  readonly onFailure: (error: unknown) => void;
}

const TICK_MS = 100;
/** Leading has to be asked for anew within 10 s. */
const LEAD_MS = 3_000;
const LEAD_AGAIN_MS = 500;
const LEAD_WAIT_MS = 13_000;
const CHORE_MS = 10_000;
const PAGE = 5_000;
const DURATIONS = "durations";
