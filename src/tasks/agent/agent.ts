import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import { type LeaseId, leaseKey } from "../../core/tasks/workers.ts";
import { EvenerError } from "../../errors.ts";
import { encodeFrame, FRAME_BYTES_MAX } from "../frames.ts";
import { type EndedTask, type FromAgent, type RunTask, SUBPROTOCOL, type ToAgent } from "../protocol.ts";
import { readToAgent } from "../to-agent.ts";
import { type Job, type JobOwner } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { Outbox } from "./outbox.ts";
import { VitalsReader } from "./vitals.ts";

/** What an agent offers, and to whom. */
export interface AgentSetup {
  /** `http://HOST:PORT` of the task listener; https for TLS. */
  readonly server: string;
  readonly token: string | null;
  readonly name: string;
  readonly slots: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly labels: Readonly<Record<string, string>>;
  /** How warm loops are started. */
  readonly loops: Readonly<Record<string, readonly string[]>>;
  readonly stateFolder: string;
  readonly version: string;
  readonly say: (text: string, facts?: object) => void;
}

/**
 * A worker: runs what it is sent, one task a slot, keeps results until they are durable, and says hello again
 * whenever the connection was lost. While the server is away it goes on.
 */
export class Agent {
  readonly #setup: AgentSetup;
  readonly #boot: string = randomUUID();
  readonly #jobs: Jobs;
  readonly #vitals: VitalsReader = new VitalsReader();
  readonly #running: Map<string, Running> = new Map();
  readonly #outbox: Outbox = new Outbox((message, attachments) => this.#send(message, attachments));
  readonly #done: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #socket: WebSocket | null = null;
  #beating: NodeJS.Timeout | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failures = 0;
  #resultBytesMax = RESULT_BYTES_MAX;
  #isDraining = false;
  #isOver = false;

  constructor(setup: AgentSetup) {
    this.#setup = setup;
    this.#jobs = new Jobs(setup.stateFolder, setup.loops);
  }

  /** Resolves when it has drained; rejects with EvenerError when the server will not have it. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  start(): void {
    const reaped = this.#jobs.reap();
    if (reaped > 0) this.#setup.say("ended what an agent before had left", { groups: reaped });
    if (!this.#jobs.hasDeathSignal) {
      this.#setup.say(
        "there is no setpriv (util-linux): if this agent is killed, what runs here ends with the next one",
      );
    }
    this.#connect();
  }

  /** Takes nothing more, and is over when what runs has ended and is durable. */
  drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#send({ say: "draining" });
    this.#endIfDone();
  }

  /** At once: what runs is killed. */
  stop(): void {
    this.#isOver = true;
    for (const { job } of this.#running.values()) job?.kill();
    this.#jobs.close();
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (this.#beating !== null) clearInterval(this.#beating);
    this.#socket?.terminate();
    this.#done.resolve();
  }

  #connect(): void {
    const { server, token } = this.#setup;
    const url = `${server.replace(/^http/, "ws").replace(/\/+$/, "")}/v1/agent`;
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const socket = new WebSocket(url, SUBPROTOCOL, {
      headers,
      perMessageDeflate: false,
      maxPayload: FRAME_BYTES_MAX,
      handshakeTimeout: 10_000,
    });
    this.#socket = socket;
    socket.on("open", () => this.#greet());
    socket.on("message", (data: Buffer) => this.#hear(data));
    socket.on("unexpected-response", (_, response) => {
      const isFinal = response.statusCode === 401 || response.statusCode === 403;
      if (isFinal)
        this.#fail(
          new EvenerError("EVENER_UNAUTHORIZED", `${server} does not take this token; set EVENER_TOKEN`),
        );
      socket.terminate();
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#disconnected(socket));
  }

  #greet(): void {
    const { name, version, slots, resources, labels } = this.#setup;
    const holds = [...[...this.#running.values()].map(({ lease }) => lease), ...this.#outbox.leases()];
    this.#send({
      say: "hello",
      worker: name,
      boot: this.#boot,
      version,
      slots,
      resources,
      labels,
      loops: this.#jobs.loops,
      holds,
    });
  }

  #hear(data: Buffer): void {
    const { message, attachments } = readToAgent(data);
    switch (message.say) {
      case "welcome":
        return this.#welcomed(message);
      case "run":
        message.tasks.forEach((task, i) => this.#run(task, Buffer.from(attachments[i]!)));
        return;
      case "cancel":
        for (const lease of message.tasks) this.#running.get(leaseKey(lease))?.job?.cancel();
        return;
      case "kept":
        for (const lease of message.tasks) this.#outbox.forget(lease);
        return this.#endIfDone();
      case "drain":
        return this.drain();
      case "refused":
        this.#fail(
          new EvenerError(
            "EVENER_TASK_STATE",
            `the server refuses this agent: ${message.reason} (${message.code})`,
          ),
        );
    }
  }

  #welcomed({ beatMs, resultBytesMax, dead }: Extract<ToAgent, { say: "welcome" }>): void {
    this.#failures = 0;
    this.#resultBytesMax = resultBytesMax;
    this.#setup.say("connected", { server: this.#setup.server });
    for (const lease of dead) this.#forget(lease);
    if (this.#isDraining) this.#send({ say: "draining" });
    this.#outbox.open();
    this.#beat();
    this.#beating = setInterval(() => this.#beat(), beatMs);
    this.#endIfDone();
  }

  /** It goes on elsewhere, or has ended: what is here of it is not wanted. */
  #forget(lease: LeaseId): void {
    const key = leaseKey(lease);
    this.#running.get(key)?.job?.kill();
    this.#running.delete(key);
    this.#outbox.forget(lease);
  }

  #run(task: RunTask, payload: Buffer): void {
    const lease = { task: task.task, fence: task.fence };
    const key = leaseKey(lease);
    if (this.#running.has(key) || this.#outbox.has(lease)) return;
    const running: Running = { lease, job: null, sinceMs: performance.now() };
    if (this.#isDraining || this.#running.size >= this.#setup.slots) {
      const reason = this.#isDraining ? "it drains" : "all of its slots are taken";
      return this.#keep(running, { outcome: "refused", exitCode: null, reason }, NO_BYTES);
    }
    this.#running.set(key, running);
    const owner: JobOwner = {
      output: (stream, bytes) => this.#outbox.output(lease, stream, bytes),
      ended: (ending, result) => {
        if (this.#running.delete(key)) this.#keep(running, ending, result);
      },
    };
    try {
      running.job = this.#jobs.begin({ task, payload, owner, resultBytesMax: this.#resultBytesMax });
    } catch (error) {
      owner.ended({ outcome: "error", exitCode: null, reason: (error as Error).message }, NO_BYTES);
    }
  }

  /** Until the server says that it is durable. */
  #keep({ lease, sinceMs }: Running, ending: Parameters<JobOwner["ended"]>[0], result: Uint8Array): void {
    const ended: EndedTask = {
      ...lease,
      ...ending,
      ranMs: performance.now() - sinceMs,
      bytes: result.length,
    };
    this.#outbox.keep(ended, result);
  }

  #beat(): void {
    const frozen = [...this.#running.values()].flatMap(({ lease, job }) => {
      const why = job?.frozen() ?? null;
      return why === null ? [] : [{ ...lease, why }];
    });
    this.#send({ say: "beat", vitals: this.#vitals.read(), frozen });
  }

  #send(message: FromAgent, attachments: readonly Uint8Array[] = []): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeFrame(message, attachments));
  }

  #disconnected(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#outbox.close();
    if (this.#beating !== null) clearInterval(this.#beating);
    if (this.#isOver) return;
    if (this.#failures === 0)
      this.#setup.say("the server is away; what runs goes on", { server: this.#setup.server });
    // Full jitter: a fleet does not come back at once.
    const mostMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => this.#connect(), Math.random() * mostMs);
  }

  #endIfDone(): void {
    if (!this.#isDraining || this.#running.size > 0 || this.#outbox.size > 0 || this.#isOver) return;
    this.#setup.say("drained");
    this.stop();
  }

  #fail(error: EvenerError): void {
    this.#done.reject(error);
    this.stop();
  }
}

interface Running {
  readonly lease: LeaseId;
  job: Job | null;
  readonly sinceMs: number;
}

const NO_BYTES = new Uint8Array(0);
/** Before the server has said what it takes. */
const RESULT_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 200;
const RETRY_MS_MAX = 10_000;
