// The program of a thread that dies over and over: V8 ends a life where it stands, as a worker's end would
// (no `finally` runs), only a hundred times faster than a worker is started.
import { parentPort, workerData } from "node:worker_threads";
import { runInThisContext } from "node:vm";
import { Random } from "../../src/core/kit/random.ts";
import { Lease } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { Doorbells } from "../../src/core/sharing/doorbells.ts";
import { WaitBoard } from "../../src/core/sharing/wait-board.ts";
import { bury, Diary, TOLD } from "./books.ts";
import { Hand, type HandSetup } from "./hand.ts";

const setup = workerData as HandSetup;
const { thread } = setup;
const dice = new Random(setup.seed);
const told = new Int32Array(setup.told);
const holders = new Int32Array(setup.holders);
const diary = new Diary(setup.diary);
/** Those of the main thread: it buries. */
const ledger = Ledger.open(setup.ledger, 0);
const board = new WaitBoard(setup.board, 0, new Doorbells(setup.bells));

/** Asks, gives back and leaves the queue at random, until it is ended from outside. */
function live(): never {
  const hand = new Hand({ ...setup, seed: dice.uint32() });
  const leases = Array.from({ length: setup.clients }, () => new Lease());
  const waiting = new Set<Lease>();
  let heard = hand.bells.count(thread);
  for (;;) {
    const lease = leases[dice.below(leases.length)]!;
    if (lease.isOpen) hand.giveBack(lease);
    else if (!waiting.has(lease)) {
      const decided = (): void => {
        waiting.delete(lease);
        hand.took(lease);
      };
      const { kind } = hand.desk.pick(hand.work(), lease, { decided });
      if (kind === "wait") waiting.add(lease);
      else if (kind === "send") hand.took(lease);
    }
    const rung = hand.bells.count(thread);
    if (rung !== heard) hand.desk.serve();
    heard = rung;
  }
}

(globalThis as { live?: () => never }).live = live;

async function run(): Promise<void> {
  while (Atomics.load(told, TOLD.stop) === 0) {
    try {
      runInThisContext("globalThis.live()", { timeout: 1 + dice.below(4) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
    }
    for (const { slot } of setup.slots) Atomics.compareExchange(holders, slot, thread, 0);
    bury(thread, board, ledger, diary);
    Atomics.add(told, TOLD.deaths, 1);
  }
  parentPort!.postMessage("done");
}

parentPort!.postMessage("ready");
parentPort!.once("message", () => void run());
