import type { EventLoop } from "./event-loop.ts";

/** A backend of `serversMax` servers before which requests wait in one line, first in, first out. */
export class Backend {
  readonly #loop: EventLoop;
  readonly #serversMax: number;
  #busy = 0;
  /** Those that wait; `#head` is the first, so that taking it costs nothing. */
  #line: Job[] = [];
  #head = 0;

  /** `serversMax` Infinity never lets anybody wait: pure latency. */
  constructor(loop: EventLoop, serversMax = 1) {
    this.#loop = loop;
    this.#serversMax = serversMax;
  }

  /** Works `serviceMs` on it as soon as a server is free, then says `done`. */
  submit(serviceMs: number, done: () => void): Job {
    const job: Job = { serviceMs, done, isCancelled: false };
    if (this.#busy < this.#serversMax) this.#begin(job);
    else this.#line.push(job);
    return job;
  }

  /** Its client has gone: if it still waits it costs nothing any more; a server that works on it goes on. */
  cancel(job: Job): void {
    job.isCancelled = true;
  }

  #begin(job: Job): void {
    this.#busy++;
    this.#loop.after(job.serviceMs, () => {
      this.#busy--;
      this.#beginNext();
      if (!job.isCancelled) job.done();
    });
  }

  #beginNext(): void {
    while (this.#head < this.#line.length) {
      const job = this.#line[this.#head++]!;
      if (this.#head > LINE_SLACK) {
        this.#line = this.#line.slice(this.#head);
        this.#head = 0;
      }
      if (!job.isCancelled) return this.#begin(job);
    }
  }
}

export interface Job {
  readonly serviceMs: number;
  readonly done: () => void;
  isCancelled: boolean;
}

/** So many served entries are kept before the line is cut. */
const LINE_SLACK = 1024;
