import { type LeaseId, leaseKey } from "../../core/tasks/workers.ts";
import type { EndedTask, FromAgent } from "../protocol.ts";

/** What the agent has to tell: results until they are durable, and live output while somebody hears it. */
export class Outbox {
  readonly #send: (message: FromAgent, attachments: readonly Uint8Array[]) => void;
  readonly #results: Map<string, KeptResult> = new Map();
  #untold: KeptResult[] = [];
  #output: OutputPart[] = [];
  #isOpen = false;
  #isFlushing = false;

  constructor(send: (message: FromAgent, attachments: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  /** Results that are not durable yet. */
  get size(): number {
    return this.#results.size;
  }

  has(lease: LeaseId): boolean {
    return this.#results.has(leaseKey(lease));
  }

  leases(): LeaseId[] {
    return [...this.#results.values()].map(({ ended: { task, fence } }) => ({ task, fence }));
  }

  keep(ended: EndedTask, result: Uint8Array): void {
    const kept = { ended, result };
    this.#results.set(leaseKey(ended), kept);
    this.#untold.push(kept);
    this.#flushSoon();
  }

  /** It is durable, or wanted no more. */
  forget(lease: LeaseId): void {
    this.#results.delete(leaseKey(lease));
  }

  /** Dropped where nobody can be told, or too much waits: the result has it. */
  output(lease: LeaseId, stream: "stdout" | "stderr", bytes: Buffer): void {
    if (!this.#isOpen || this.#output.length >= OUTPUT_PARTS_MAX) return;
    this.#output.push({ lease, stream, bytes });
    this.#flushSoon();
  }

  /** The server hears: all that it has not acknowledged is told again. */
  open(): void {
    this.#isOpen = true;
    this.#untold = [...this.#results.values()];
    this.#flushSoon();
  }

  close(): void {
    this.#isOpen = false;
    this.#untold = [];
    this.#output = [];
  }

  #flushSoon(): void {
    if (this.#isFlushing || !this.#isOpen) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    if (!this.#isOpen) return;
    if (this.#output.length > 0) {
      const parts = this.#output.map(({ lease, stream, bytes }) => ({
        ...lease,
        stream,
        bytes: bytes.length,
      }));
      const attachments = this.#output.map(({ bytes }) => bytes);
      this.#output = [];
      this.#send({ say: "output", parts }, attachments);
    }
    while (this.#untold.length > 0) this.#tell(this.#nextBatch());
  }

  #tell(batch: readonly KeptResult[]): void {
    if (batch.length === 0) return;
    const tasks = batch.map(({ ended }) => ended);
    this.#send(
      { say: "ended", tasks },
      batch.map(({ result }) => result),
    );
  }

  #nextBatch(): KeptResult[] {
    const batch: KeptResult[] = [];
    let bytes = 0;
    let count = 0;
    for (const kept of this.#untold) {
      if (count > 0 && bytes >= BATCH_BYTES) break;
      count++;
      if (!this.has(kept.ended)) continue;
      batch.push(kept);
      bytes += kept.result.length;
    }
    this.#untold = this.#untold.slice(count);
    return batch;
  }
}

interface KeptResult {
  readonly ended: EndedTask;
  readonly result: Uint8Array;
}

interface OutputPart {
  readonly lease: LeaseId;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Buffer;
}

/** Bytes of results in one frame, about. */
const BATCH_BYTES = 4 * 1024 * 1024;
const OUTPUT_PARTS_MAX = 1_000;
