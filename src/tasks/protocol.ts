// What agents and the dispatcher say to each other, over one WebSocket (`/v1/agent`, subprotocol
// `evener.agent.1`). Each message is one binary frame: 4 bytes length of the JSON (big endian), the JSON,
// then the bytes of its attachments one after the other, whose lengths stand in the JSON as `bytes`.
// Messages are batches: one frame may carry many tasks.
import type { Ending } from "../core/tasks/ending.ts";
import type { Resources, TaskWork } from "../core/tasks/task.ts";
import type { LeaseId } from "../core/tasks/workers.ts";

export const SUBPROTOCOL = "evener.agent.1";

export type FromAgent =
  /** First, and once. */
  | {
      readonly say: "hello";
      readonly worker: string;
      /** New for each start of the agent: leases of another boot are gone for good. */
      readonly boot: string;
      readonly version: string;
      readonly slots: number;
      readonly resources: Resources;
      readonly labels: Readonly<Record<string, string>>;
      readonly loops: readonly string[];
      /**
       * What it still has from before: these are re-attached. Results that were not acknowledged come as
       * `ended`.
       */
      readonly holds: readonly LeaseId[];
    }
  /** Every 2 s, and that is the heartbeat of all its leases. */
  | {
      readonly say: "beat";
      readonly vitals: AgentVitals;
      /** Tasks whose process is stopped or silent as seen from outside. */
      readonly frozen: readonly (LeaseId & { readonly why: string })[];
    }
  | { readonly say: "ended"; readonly tasks: readonly EndedTask[] }
  /** Live output of commands; attachments in the order of `parts`. */
  | {
      readonly say: "output";
      readonly parts: readonly (LeaseId & {
        readonly stream: "stdout" | "stderr";
        readonly bytes: number;
      })[];
    }
  /** It takes nothing more, and leaves when what it runs has ended. */
  | { readonly say: "draining" };

/** What became of a task on its agent. */
export interface EndedTask extends LeaseId, Ending {
  /** Length of the result in the attachments. */
  readonly bytes: number;
}

/** How busy the agent's machine is. */
export interface AgentVitals {
  /** 0..1 each; null: unknown. */
  readonly cpu: number | null;
  readonly memory: number | null;
  readonly gpu: number | null;
}

export type ToAgent =
  | {
      readonly say: "welcome";
      readonly leaseTtlMs: number;
      readonly beatMs: number;
      readonly resultBytesMax: number;
      /** Of what it holds: not its any more (another fence goes on): to be killed. */
      readonly dead: readonly LeaseId[];
    }
  | { readonly say: "run"; readonly tasks: readonly RunTask[] }
  | { readonly say: "cancel"; readonly tasks: readonly LeaseId[] }
  /** Durable: the agent may forget these results. `stale`: kept as evidence only. */
  | { readonly say: "kept"; readonly tasks: readonly (LeaseId & { readonly stale?: true })[] }
  | { readonly say: "drain" }
  /** Then the connection is closed: a version, a token or a name that can not be. */
  | { readonly say: "refused"; readonly code: string; readonly reason: string };

/** A task that is sent: it counts as started. */
export interface RunTask extends LeaseId {
  readonly attempt: number;
  readonly work: TaskWork;
  readonly name: string;
  readonly resources: Resources;
  readonly runTimeMaxS: number | null;
  /** Length of the payload in the attachments; a command's payload is its standard input. */
  readonly bytes: number;
}
