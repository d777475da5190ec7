import type { Deadlines, ServerTimeouts } from "./deadlines.ts";
import type { RequestHead } from "./head.ts";
import type { Http1Limits } from "./limits.ts";
import type { ParseError } from "./parse-error.ts";
import type { ServerConnection } from "./server.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/** Whoever answers the requests of one connection, one after the other. */
export interface RequestHandler {
  /** A head is complete; it is valid during the call. The body, if any, follows. */
  onRequest(head: RequestHead): void;
  /** Content of the body, valid during the call. */
  onPayload(bytes: Buffer, start: number, end: number): void;
  /** The body is complete. `trailers` are the lines that may be passed on, each with its CRLF. */
  onBodyEnd(trailers: string): void;
  /** All bytes of this read have been delivered: a good moment to write once. */
  onReadEnd(): void;
  /** What was written has left. */
  onDrain(): void;
  /** The client is gone, or it broke the rules in mid-body: no further call for this request. */
  onAbort(error: ParseError | null): void;
  /** A request that can not be understood; the answer must be written now, the connection closes then. */
  onBadRequest(error: ParseError): void;
}

/** What a connection is made of. */
export interface ServerConnectionSetup {
  readonly accept: (handler: TransportHandler) => Transport;
  readonly createHandler: (connection: ServerConnection) => RequestHandler;
  readonly limits: Http1Limits;
  readonly timeouts: ServerTimeouts;
  readonly deadlines: Deadlines;
  readonly onClosed: (connection: ServerConnection) => void;
}
