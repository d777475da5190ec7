import type { ResponseHead } from "../http1/head.ts";
import type { FailureReason } from "./retry.ts";
import type { Tunnel, TunnelOwner } from "./tunnel.ts";

/**
 * Who made the attempt. Of `onTunnelEnd`, `onFailed`, `onBroken` and `onComplete` exactly one comes, as the
 * last call.
 */
export interface AttemptOwner extends TunnelOwner {
  onInterim(head: ResponseHead): void;
  /** The answer begins; the attempt may be cancelled in the call, when another one is to follow. */
  onAnswer(head: ResponseHead): void;
  /** The backend has switched protocols, as it was offered; `head` and `rest` are valid during the call. */
  onTunnel(tunnel: Tunnel, head: ResponseHead, rest: Buffer): void;
  /** It failed before the answer began; the lease is open still. */
  onFailed(failure: AttemptFailure): void;
  /**
   * The answer says that it failed, before its head has gone to the client; the lease is open still. True
   * when it goes on to the client; else the attempt was cancelled in the call.
   */
  onRefused(): boolean;
  /** It broke off in the answer; the lease is open still. */
  onBroken(isTimeout: boolean): void;
  /** The answer is complete; the connection is back, the lease is open still. */
  onComplete(trailers: string): void;
}

/** Why an attempt failed before its answer began. */
export interface AttemptFailure {
  readonly reason: FailureReason;
  readonly detail: string;
  readonly isUnreachable: boolean;
}

/** A stream had begun, but nothing of it has gone to the client. */
export function lostBeforeToken(isTimeout: boolean): AttemptFailure {
  return isTimeout
    ? { reason: "first_byte_timeout", detail: "no token in time", isUnreachable: false }
    : { reason: "backend_reset", detail: "it died before its first token", isUnreachable: false };
}
