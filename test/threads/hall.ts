import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Ledger, STATE } from "../../src/core/ledger.ts";
import { Doorbells } from "../../src/core/sharing/doorbells.ts";
import { WaitBoard } from "../../src/core/sharing/wait-board.ts";
import { bury, Diary, diaryMemory, TOLD } from "./books.ts";
import type { HandSetup } from "./hand.ts";

/** How a hall of threads is set up. */
export interface HallOptions {
  readonly threads: number;
  readonly endpoints: number;
  /** Requests in flight on each; null is no limit, and no queue. */
  readonly limit: number | null;
  readonly seed: number;
  readonly clients: number;
  readonly picks: number;
  readonly turnsMax: number;
  readonly diaryMax: number;
}

/** The main thread of the tests: it keeps the ledger, starts threads that book on it, and buries the dead. */
export class Hall {
  readonly ledger: Ledger;
  readonly board: WaitBoard;
  readonly diary: Diary;
  readonly slots: Int32Array;
  /** See {@link HandSetup}. */
  readonly counts: Int32Array;
  readonly holders: Int32Array;
  readonly told: Int32Array;
  /** By number - 1. */
  readonly workers: Worker[] = [];
  readonly #options: HallOptions;
  readonly #shared: Omit<HandSetup, "thread" | "seed">;
  #births = 0;

  constructor(options: HallOptions) {
    this.#options = options;
    const { threads, endpoints, limit, clients, picks, turnsMax } = options;
    this.ledger = new Ledger({ slotsMax: 64, shared: true, threads: threads + 1 });
    const bells = Doorbells.memory(threads + 1);
    const board = WaitBoard.memory(threads + 1);
    this.board = new WaitBoard(board, 0, new Doorbells(bells), 20);
    this.slots = Int32Array.from({ length: endpoints }, () => this.ledger.claim());
    for (const slot of this.slots) {
      this.ledger.state[slot] = STATE.available;
      if (limit !== null) this.ledger.limit[slot] = limit;
    }
    this.board.noteScarcity(limit !== null);
    const diary = diaryMemory(options.diaryMax);
    this.diary = new Diary(diary);
    const words = (count: number): SharedArrayBuffer => new SharedArrayBuffer(count * 4);
    const memory = { counts: words(128), holders: words(64), told: words(TOLD.done + threads + 1) };
    this.counts = new Int32Array(memory.counts);
    this.holders = new Int32Array(memory.holders);
    this.told = new Int32Array(memory.told);
    const at = [...this.slots].map((slot) => ({ slot, generation: this.ledger.generation[slot]! }));
    const own = { threads: threads + 1, ledger: this.ledger.storage, board, bells, diary, slots: at };
    this.#shared = { ...own, ...memory, clients, picks, turnsMax, hasQueue: limit !== null };
  }

  /** A thread that waits to be told to begin. */
  async start(thread: number, program: "clients" | "lives" = "clients"): Promise<Worker> {
    const seed = this.#options.seed + 1_000 * ++this.#births;
    const setup: HandSetup = { ...this.#shared, thread, seed };
    const worker = new Worker(new URL(`./${program}.ts`, import.meta.url), { workerData: setup });
    this.workers[thread - 1] = worker;
    await once(worker, "message");
    return worker;
  }

  /** Starts all threads, lets them begin at once, and waits until each has done its work. */
  async run(): Promise<void> {
    const numbers = Array.from({ length: this.#options.threads }, (_, i) => i + 1);
    const workers = await Promise.all(numbers.map((number) => this.start(number)));
    const ended = workers.map((worker) => once(worker, "message"));
    for (const worker of workers) worker.postMessage("begin");
    await Promise.all(ended);
    await this.close();
  }

  /** As the supervisor of data threads does, and for the independent book, too. */
  bury(thread: number): void {
    for (const slot of this.slots) Atomics.compareExchange(this.holders, slot, thread, 0);
    bury(thread, this.board, this.ledger, this.diary);
  }

  /** What the ledger says is in flight, all endpoints together. */
  inFlight(): number {
    this.ledger.refresh(this.slots);
    return this.slots.reduce((sum, slot) => sum + this.ledger.inFlight[slot]!, 0);
  }

  /** By endpoint. */
  picks(): number[] {
    this.ledger.refresh(this.slots);
    return [...this.slots].map((slot) => this.ledger.picks[slot]!);
  }

  /** The most that were ever in flight on one endpoint, as counted beside the ledger. */
  most(): number {
    return Math.max(...[...this.slots].map((slot) => this.counts[slot * 2 + 1]!));
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
