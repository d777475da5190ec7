import type { Waiting } from "./engine-link.ts";
import type { FairQueue } from "./fair-queue.ts";
import { Plan } from "./plan.ts";
import type { PlanWorker } from "./site.ts";

/** What is learned, as far as an assignment needs it. */
export interface Figures {
  /** How many times the median worker's seconds it takes. */
  slowness(worker: string): number;
  /** What its tenant is charged for so many seconds of a task. */
  cost(task: Waiting, seconds: number): number;
}

/**
 * Gives places that are free now to what waits, in fair order. `give` is called for each, during the look,
 * and is to take the task out of the queue and to book it on the worker. At most {@link WINDOW} tasks are
 * looked at. Where more than that wait, no place stays free for the sake of a better one: behind the first
 * {@link CHOOSY_LOOKS} tasks, each takes what it ends on well before the backlog is done.
 */
export function assign<W extends PlanWorker>(
  queue: FairQueue,
  workers: Iterable<W>,
  figures: Figures,
  nowMs: number,
  give: (task: Waiting, worker: W) => void,
): void {
  if (queue.size === 0) return;
  const plan = new Plan(workers, (worker) => figures.slowness(worker), nowMs);
  if (plan.freeNow === 0) return;
  const isDeep = queue.size > WINDOW;
  let looks = 0;
  let untilMs = 0;
  const cost = (task: Waiting, seconds: number): number => figures.cost(task, seconds);
  queue.walk(nowMs, cost, (task, seconds) => {
    if (++looks > WINDOW) return "enough";
    if (isDeep && looks === CHOOSY_LOOKS) untilMs = plan.doneMs(queue.seconds * BACKLOG_PART);
    const placed = plan.place(task, seconds * 1000, untilMs);
    if (typeof placed === "string") return placed;
    give(task, placed);
    return plan.freeNow === 0 ? "enough" : "begun";
  });
}

/** Tasks that are looked at for one assignment. */
export const WINDOW = 256;
/** Of a backlog that is longer than the window, so many wait for the place where they end soonest. */
const CHOOSY_LOOKS = 64;
/** Of the time that the backlog takes: what begins now on a slow worker is to be done by then. */
const BACKLOG_PART = 0.75;
