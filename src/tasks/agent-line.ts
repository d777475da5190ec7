import type { WebSocket } from "ws";
import type { TaskEngine } from "../core/tasks/engine.ts";
import type { Lease, LeaseId, Worker } from "../core/tasks/workers.ts";
import { EvenerError } from "../errors.ts";
import { encodeFrame } from "./frames.ts";
import { readFromAgent } from "./from-agent.ts";
import type { AgentVitals, EndedTask, FromAgent, RunTask, ToAgent } from "./protocol.ts";

/**
 * The dispatcher's end of one agent's connection: what it says goes to the engine, what it is told goes in
 * batches.
 */
export class AgentLine {
  readonly #socket: WebSocket;
  readonly #setup: AgentLineSetup;
  #worker: Worker | null = null;
  vitals: AgentVitals = { cpu: null, memory: null, gpu: null };
  #runs: Lease[] = [];
  #cancels: LeaseId[] = [];
  #kept: (LeaseId & { readonly stale?: true })[] = [];
  #isSending = false;

  constructor(socket: WebSocket, setup: AgentLineSetup) {
    this.#socket = socket;
    this.#setup = setup;
    socket.on("message", (data: Buffer, isBinary) => this.#hear(isBinary ? data : null));
    socket.on("close", () => this.#closed());
    socket.on("error", () => socket.terminate());
  }

  run(lease: Lease): void {
    this.#runs.push(lease);
    this.#sendSoon();
  }

  cancel({ task, fence }: LeaseId): void {
    this.#cancels.push({ task, fence });
    this.#sendSoon();
  }

  kept({ task, fence }: LeaseId, isStale: boolean): void {
    this.#kept.push(isStale ? { task, fence, stale: true } : { task, fence });
    this.#sendSoon();
  }

  drain(): void {
    this.#send({ say: "drain" });
  }

  /** It is to come again, and to say anew what it has. */
  disconnect(): void {
    this.#socket.terminate();
  }

  /** The dispatcher stops: the agent goes on, and comes back. */
  close(): void {
    this.#socket.close(GOING_AWAY);
  }

  #hear(data: Buffer | null): void {
    try {
      if (data === null) throw new EvenerError("EVENER_BAD_FRAME", "agents speak in binary frames");
      const { message, attachments } = readFromAgent(data);
      if (this.#worker === null && message.say !== "hello") {
        throw new EvenerError("EVENER_BAD_FRAME", "an agent says hello first");
      }
      this.#take(message, attachments);
    } catch (error) {
      if (error instanceof EvenerError) return this.#refuse(error);
      this.#setup.onMistake(error);
      this.#socket.terminate();
    }
  }

  #take(message: FromAgent, attachments: readonly Uint8Array[]): void {
    const { engine, nowMs } = this.#setup;
    const worker = this.#worker;
    if (worker !== null) worker.seenMs = nowMs();
    switch (message.say) {
      case "hello":
        return this.#greet(message);
      case "beat":
        this.vitals = message.vitals;
        for (const { why, ...id } of message.frozen) engine.leases.frozen(worker!, id, why, nowMs());
        return;
      case "ended":
        message.tasks.forEach((ended, i) => this.#ended(ended, attachments[i]!));
        // Before these ends are committed: what begins in their places is committed with them.
        engine.schedule(nowMs());
        return;
      case "output":
        message.parts.forEach(({ task, stream }, i) => this.#setup.onOutput(task, stream, attachments[i]!));
        return;
      case "draining":
        worker!.isDraining = true;
    }
  }

  #greet({ say: _say, version: _version, holds, ...facts }: Extract<FromAgent, { say: "hello" }>): void {
    if (this.#worker !== null) throw new EvenerError("EVENER_BAD_FRAME", "an agent says hello once");
    const { engine, options, nowMs, lineOf } = this.#setup;
    const before = engine.leases.worker(facts.worker);
    const isTaken = before !== undefined && before.connection !== null && before.facts.boot !== facts.boot;
    if (isTaken && lineOf(before.connection!) !== null) {
      const why = `another agent is connected as ${facts.worker}; give each a name of its own (--name)`;
      throw new EvenerError("EVENER_TASK_STATE", why);
    }
    // The same agent over another connection: the one before is dead, whatever TCP believes.
    if (before !== undefined && before.connection !== null) lineOf(before.connection)?.disconnect();
    const { worker, dead } = engine.leases.hello(facts, holds, this, nowMs());
    this.#worker = worker;
    const { leaseTtlMs, beatMs, resultBytesMax } = options;
    this.#send({ say: "welcome", leaseTtlMs, beatMs, resultBytesMax, dead });
    this.#setup.onNews();
  }

  #ended({ bytes: _bytes, task, fence, ...ending }: EndedTask, result: Uint8Array): void {
    const { engine, options, nowMs } = this.#setup;
    const kept = result.length === 0 ? null : Buffer.from(result.subarray(0, options.resultBytesMax));
    engine.ended(this.#worker!, { task, fence }, ending, kept, nowMs());
  }

  /** All that one turn of the event loop has for it goes in one frame of each kind. */
  #sendSoon(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    setImmediate(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    this.#isSending = false;
    const [runs, cancels, kept] = [this.#runs, this.#cancels, this.#kept];
    [this.#runs, this.#cancels, this.#kept] = [[], [], []];
    if (kept.length > 0) this.#send({ say: "kept", tasks: kept });
    if (runs.length > 0) await this.#sendRuns(runs);
    if (cancels.length > 0) this.#send({ say: "cancel", tasks: cancels });
  }

  async #sendRuns(leases: readonly Lease[]): Promise<void> {
    const { engine, payloadsOf, onMistake } = this.#setup;
    try {
      const asked = payloadsOf(leases.map(({ task }) => task));
      const payloads = asked instanceof Promise ? await asked : asked;
      const attachments: Uint8Array[] = [];
      const tasks: RunTask[] = [];
      leases.forEach((lease, i) => {
        const record = engine.book.get(lease.task)?.record;
        if (record === undefined) return;
        const payload = payloads[i] ?? NO_BYTES;
        tasks.push(runTask(record, lease, payload.length));
        attachments.push(payload);
      });
      this.#send({ say: "run", tasks }, attachments);
    } catch (error) {
      // The store did not answer: the agent comes again, does not name these, and they go on elsewhere.
      onMistake(error);
      this.disconnect();
    }
  }

  #send(message: ToAgent, attachments: readonly Uint8Array[] = []): void {
    if (this.#socket.readyState !== OPEN) return;
    this.#socket.send(encodeFrame(message, attachments), { binary: true });
    if (this.#socket.bufferedAmount > BUFFERED_BYTES_MAX) this.#socket.terminate();
  }

  #refuse({ code, message: reason }: EvenerError): void {
    this.#send({ say: "refused", code, reason });
    this.#socket.close(POLICY_VIOLATION);
  }

  #closed(): void {
    if (this.#worker !== null) this.#setup.engine.leases.gone(this.#worker, this);
    this.#setup.onClosed(this);
  }
}

/** What all lines share. */
export interface AgentLineSetup {
  readonly engine: TaskEngine;
  readonly options: { readonly leaseTtlMs: number; readonly beatMs: number; readonly resultBytesMax: number };
  readonly nowMs: () => number;
  readonly payloadsOf: (ids: readonly string[]) => (Uint8Array | null)[] | Promise<(Uint8Array | null)[]>;
  /** Of a worker's connection, where it is a living one. */
  readonly lineOf: (connection: object) => AgentLine | null;
  readonly onOutput: (task: string, stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  /** There may be something to give, or to take. */
  readonly onNews: () => void;
  readonly onClosed: (line: AgentLine) => void;
  readonly onMistake: (error: unknown) => void;
}

function runTask(
  {
    attempt,
    spec,
  }: {
    readonly attempt: number;
    readonly spec: Pick<RunTask, "work" | "name" | "resources" | "runTimeMaxS">;
  },
  { task, fence }: LeaseId,
  bytes: number,
): RunTask {
  const { work, name, resources, runTimeMaxS } = spec;
  return { task, fence, attempt, work, name, resources, runTimeMaxS, bytes };
}

const NO_BYTES = new Uint8Array(0);
/** readyState of a WebSocket that is open. */
const OPEN = 1;
const GOING_AWAY = 1001;
const POLICY_VIOLATION = 1008;
/** An agent that does not read: it is cut, and comes again. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
