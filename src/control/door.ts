import type { RequestHead } from "../http1/head.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { Transport } from "../http1/transport.ts";
import type { ControlAnswer } from "./answer.ts";

/**
 * What is behind a control listener: its paths, and who answers them. Called by {@link ControlExchange}
 * alone.
 */
export interface ControlDoor {
  /** Where a path (without its query) leads to; null: nowhere. */
  find(path: string): ControlRoute | null;
  /** The answer to a path that leads nowhere. */
  unknown(path: string): ControlAnswer;
}

/** Where a path leads to. */
export interface ControlRoute {
  /** As it is shown: `/api/v1/pools/{pool}`. */
  readonly path: string;
  /** GET includes HEAD. */
  readonly methods: readonly string[];
  /** Needs no token. */
  readonly isPublic?: boolean;
  /** Largest body, bytes; 0: its methods take none. */
  readonly bodyBytesMax: number;
  /**
   * A promise holds the connection's next request. What is thrown becomes an answer: EvenerError its own,
   * else 500.
   */
  answer(request: ControlRequest): ControlAnswer | Promise<ControlAnswer>;
  /**
   * Instead of an answer: goes on with the connection until the client leaves. Asked first, where the client
   * accepts a stream of events; null: it gets an answer.
   */
  follow?(request: ControlRequest, connection: ServerConnection): ControlStream | ControlAnswer | null;
  /**
   * The connection belongs to another protocol from now on, which answers for itself; a refusal is an answer.
   */
  upgrade?(head: RequestHead, connection: ServerConnection): Upgrade | ControlAnswer;
}

/** Takes over the connection: called once, with what has come behind the head. */
export type Upgrade = (transport: Transport, early: Buffer | null) => void;

/** A request whose body, if any, is complete. */
export interface ControlRequest {
  /** HEAD is a GET here. */
  readonly method: string;
  readonly query: string;
  /** Empty where there is none. */
  readonly body: Buffer;
  /** For the audit log. */
  readonly who: string;
  /** Number of the last event that a client of a stream has seen; "" where it does not say. */
  readonly lastEventId: string;
  /** Aborted when the client leaves before its answer. */
  readonly signal: AbortSignal;
}

/** An answer that goes on. */
export interface ControlStream {
  onDrain(): void;
  /** The client has left, or the listener closes. */
  close(): void;
}
