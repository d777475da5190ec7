// The program of a thread whose clients ask, work for a while, and ask again.
import { setImmediate as soon } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { Decision } from "../../src/core/decision.ts";
import { Lease } from "../../src/core/lease.ts";
import { TOLD } from "./books.ts";
import { Hand, type HandSetup } from "./hand.ts";

const setup = workerData as HandSetup;
const hand = new Hand(setup);
let left = setup.picks;

function ask(lease: Lease): Promise<Decision> | Decision {
  const waited = Promise.withResolvers<Decision>();
  const decided = (decision: Decision): void => {
    if (decision.kind === "send") hand.took(lease);
    waited.resolve(decision);
  };
  const decision = hand.desk.pick(hand.work(), lease, { decided });
  if (decision.kind !== "wait") decided(decision);
  return waited.promise;
}

async function client(): Promise<void> {
  const lease = new Lease();
  while (left-- > 0 && Atomics.load(hand.told, TOLD.stop) === 0) {
    const decision = await ask(lease);
    const turns = hand.dice.below(setup.turnsMax + 1);
    for (let turn = 0; turn < turns; turn++) await soon();
    if (decision.kind === "send") hand.giveBack(lease);
    else await soon();
  }
}

async function answerBell(): Promise<void> {
  for (let heard = hand.bells.count(setup.thread); ;) {
    await hand.bells.heard(setup.thread, heard);
    heard = hand.bells.count(setup.thread);
    hand.desk.serve();
  }
}

/**
 * The oldest piece of work ends whenever the next one begins; all threads go in step, or one that is off
 * its core would hold its endpoints while the others do thousands.
 */
function inStep(): void {
  const open = Array.from({ length: setup.clients }, () => new Lease());
  for (let i = 0; i < setup.picks; i++) {
    const lease = open[i % open.length]!;
    if (lease.isOpen) hand.giveBack(lease);
    if (hand.desk.pick(hand.work(), lease).kind === "send") hand.took(lease);
    else Atomics.add(hand.told, TOLD.broken, 1);
    if (i % STEPS_A_ROUND === 0) meet();
  }
  for (const lease of open) hand.giveBack(lease);
}

/** Waits until all threads are here. */
function meet(): void {
  const { told } = hand;
  const round = Atomics.load(told, TOLD.round);
  if (Atomics.add(told, TOLD.arrived, 1) + 1 === setup.threads - 1) {
    Atomics.store(told, TOLD.arrived, 0);
    Atomics.add(told, TOLD.round, 1);
    Atomics.notify(told, TOLD.round);
  }
  while (Atomics.load(told, TOLD.round) === round) Atomics.wait(told, TOLD.round, round, 1_000);
}

const STEPS_A_ROUND = 5;

void answerBell();
// Waiting for a bell keeps no thread alive.
setInterval(() => {}, 1_000_000);
parentPort!.postMessage("ready");
parentPort!.once("message", () => void run());

async function run(): Promise<void> {
  if (setup.turnsMax === 0) inStep();
  else await Promise.all(Array.from({ length: setup.clients }, client));
  parentPort!.postMessage("done");
}
