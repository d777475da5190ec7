import type { Ending } from "../flight.ts";
import type { SimRequest } from "../router.ts";

/** Requests in the order of their arrival, as one run takes them. */
export interface Workload {
  /** When the next one arrives; Infinity when none is known now: an end may bring one. */
  readonly nextS: number;
  /** The next one, which there is. Its `id` is one more than that of the one before. */
  take(): SimRequest;
  /** A request is over: whoever waited for it may go on (closed loop). */
  ended?(request: SimRequest, ending: Ending, nowS: number): void;
  /** How many requests there will be, for progress; an estimate where it depends on the answers. */
  readonly requests: number;
}

/** What is asked for. */
export interface WorkloadOptions {
  /** Requests at most. */
  readonly requests: number;
  /** Of whatever the workload draws. */
  readonly seed: number;
  /** Mean arrivals in a second that it is to have; 0 leaves it as it is recorded, or at 1. */
  readonly requestsPerS: number;
  /** Recorded times are spread over the 3 s that they are rounded to. */
  readonly isJittered?: boolean;
  /** Requests left out at the beginning of a trace, so that seeds can have stretches of their own. */
  readonly from?: number;
}

/** One way to make requests. A new one is a file and a line in the menu (index.ts). */
export interface WorkloadSource {
  readonly name: string;
  create(options: WorkloadOptions): Workload;
}

/** A list in the order of its times. */
export class ListedWorkload implements Workload {
  readonly #requests: readonly SimRequest[];
  #place = 0;

  constructor(requests: readonly SimRequest[]) {
    this.#requests = requests;
  }

  get nextS(): number {
    return this.#requests[this.#place]?.atS ?? Number.POSITIVE_INFINITY;
  }

  get requests(): number {
    return this.#requests.length;
  }

  take(): SimRequest {
    return this.#requests[this.#place++]!;
  }
}
