import type { SessionNews } from "./session-tables.ts";

/** Collects what a thread learns of sessions, and sends it on soon: all threads are to know it in 10 ms. */
export class SessionMail {
  readonly #send: (news: readonly SessionNews[]) => void;
  #batch: SessionNews[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(send: (news: readonly SessionNews[]) => void) {
    this.#send = send;
  }

  post(news: SessionNews): void {
    this.#batch.push(news);
    if (this.#batch.length >= BATCH_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), COLLECT_MS);
  }

  /** What has been collected leaves now. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#send(batch);
  }
}

const COLLECT_MS = 2;
const BATCH_MAX = 1_000;
