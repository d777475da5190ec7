// Hot path: one object per upstream connection, used for one request after the other.
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { BodyDecoder } from "../http1/body.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import { FIELD } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/head.ts";
import type { Http1Limits } from "../http1/limits.ts";
import { FAILED, NEED_MORE, ResponseParser } from "../http1/parser.ts";
import { isCertainTlsFailure } from "../http1/tls-client.ts";
import type { Transport, TransportHandler } from "../http1/transport.ts";
import { namesProtocol } from "./upgrade.ts";

/** Whose request runs on an upstream connection. */
export interface UpstreamListener {
  onConnected(): void;
  /** A 1xx other than 101; several may come. */
  onInterim(head: ResponseHead): void;
  /** The final head; valid during the call. */
  onResponseHead(head: ResponseHead): void;
  /**
   * The backend has switched to the protocol that was offered: the transport is the listener's now. `rest`,
   * what came behind the head, is valid during the call.
   */
  onSwitched(head: ResponseHead, transport: Transport, rest: Buffer): void;
  onResponsePayload(bytes: Buffer, start: number, end: number): void;
  /** The response is complete and the connection is nobody's now; it may be put back if `isReusable`. */
  onResponseEnd(connection: UpstreamConnection, trailers: string, isReusable: boolean): void;
  /** All bytes of this read have been delivered. */
  onResponseReadEnd(): void;
  onUpstreamDrain(): void;
  /** It is over, without a complete response. */
  onUpstreamFailed(failure: UpstreamFailure): void;
}

/** How an upstream connection ended without a complete response. */
export interface UpstreamFailure {
  readonly kind: "connect" | "reset" | "protocol";
  /** For logs: what happened, without addresses of others. */
  readonly detail: string;
  /** Nobody listens there, or nobody whom we may trust. */
  readonly isUnreachable: boolean;
}

/** One connection to a backend: parses what comes back, strictly, and tells the request that runs on it. */
export class UpstreamConnection implements TransportHandler, DeadlineOwner {
  transport: Transport | null = null;
  readonly owner: UpstreamOwner;
  readonly #parser: ResponseParser;
  readonly #body: BodyDecoder;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline = new Deadline(this);
  #listener: UpstreamListener | null = null;
  #state: "connecting" | "idle" | "head" | "body" | "closed" = "connecting";
  #interims = 0;
  #keepsAlive = true;
  /** The protocol that the request offers; null for none. */
  #offer: string | null = null;
  /** Answers read so far: more than 0 means that a request on it now reuses it. */
  answers = 0;
  /** How long the backend keeps it, as far as it said. */
  keepMs: number = Number.POSITIVE_INFINITY;
  isRequestSent = false;
  /** Something has come back for the request that runs on it. */
  hasAnswerBytes = false;
  /** The PROXY header that it began with: only requests with the same one may use it. "" without one. */
  preface = "";

  constructor(owner: UpstreamOwner, limits: Http1Limits, deadlines: Deadlines) {
    this.owner = owner;
    this.#parser = new ResponseParser(limits);
    this.#body = new BodyDecoder(limits, "response");
    this.#deadlines = deadlines;
  }

  get isUsable(): boolean {
    return this.#state === "idle" && this.transport !== null && this.transport.isOpen;
  }

  /** A request begins to wait for the connection, or on it. */
  attach(listener: UpstreamListener): void {
    this.#listener = listener;
    this.#deadlines.clear(this.#deadline);
  }

  connected(transport: Transport): void {
    this.transport = transport;
    if (this.#state !== "connecting") return;
    this.#state = "idle";
    this.#listener?.onConnected();
  }

  /** The head of a request is about to be written; `offer` is the protocol that it asks to switch to. */
  beginRequest(method: string, offer: string | null): void {
    this.#parser.requestMethod = method;
    this.#offer = offer;
    this.#state = "head";
    this.#interims = 0;
    this.isRequestSent = false;
    this.hasAnswerBytes = false;
  }

  /** Nobody's request runs on it: kept for the next, until it has been idle for `idleMs`. */
  park(idleMs: number): void {
    this.#state = "idle";
    // TLS may bring the end of an answer while its reading is paused; the next request would wait for ever.
    this.transport!.resume();
    this.#deadlines.set(this.#deadline, Math.min(idleMs, this.keepMs));
  }

  /** Closes at once; its listener is not told. */
  destroy(): void {
    this.#listener = null;
    this.#state = "closed";
    this.#deadlines.remove(this.#deadline);
    this.transport?.destroy();
  }

  onData(bytes: Buffer): void {
    if (this.#state === "idle" || this.#state === "connecting") {
      // Whatever an idle connection says would be taken for the next answer (RFC 9112 9.2, CVE-2026-48931).
      this.owner.lost(this);
      this.destroy();
      return;
    }
    this.hasAnswerBytes = true;
    const listener = this.#listener;
    let offset = 0;
    while (offset >= 0 && offset < bytes.length && this.#listener !== null) {
      offset = this.#state === "head" ? this.#readHead(bytes, offset) : this.#readBody(bytes, offset);
    }
    if (listener !== null && listener === this.#listener) listener.onResponseReadEnd();
  }

  onDrain(): void {
    this.#listener?.onUpstreamDrain();
  }

  /** An early answer, of which the end of the connection follows closely, is for the client. */
  onWriteFailed(): boolean {
    return this.#listener !== null;
  }

  onEnd(): void {
    if (this.#state === "body" && this.#body.finishOnClose()) return this.#end(false);
    this.transport?.destroy();
  }

  onClose(error: Error | null): void {
    const before = this.#state;
    const listener = this.#listener;
    this.#listener = null;
    this.#state = "closed";
    this.#deadlines.remove(this.#deadline);
    this.owner.lost(this);
    if (listener === null) return;
    const code = error === null ? "closed" : ((error as NodeJS.ErrnoException).code ?? error.message);
    const kind = before === "connecting" ? "connect" : "reset";
    listener.onUpstreamFailed({ kind, detail: code, isUnreachable: kind === "connect" && isRefusal(code) });
  }

  onDeadline(): void {
    this.owner.lost(this);
    this.destroy();
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    this.#listener?.onResponsePayload(bytes, start, end);
  }

  #readHead(bytes: Buffer, offset: number): number {
    const next = this.#parser.parse(bytes, offset);
    if (next === NEED_MORE) return -1;
    if (next === FAILED) return this.#fail(`${this.#parser.error!.code}: ${this.#parser.error!.detail}`);
    const head = this.#parser.head;
    if (head.status < 200) {
      if (head.status === 101) return this.#switch(head, bytes, next);
      if (++this.#interims > INTERIMS_MAX) return this.#fail("too many interim responses");
      this.#listener!.onInterim(head);
      return next;
    }
    this.#state = "body";
    // A backend may think that it has switched although it said otherwise (P12, CVE class 3).
    this.#keepsAlive = head.keepAlive && this.#offer === null;
    this.#readKeepAliveHint(head);
    this.#body.start(head.framing, head.contentLength, head.connectionOptions);
    const listener = this.#listener;
    listener!.onResponseHead(head);
    // Bytes behind the end belong to no answer: the connection is not used again (RFC 9112 6.3).
    if (this.#body.isDone && this.#listener === listener) this.#end(next === bytes.length);
    return next;
  }

  #switch(head: ResponseHead, bytes: Buffer, next: number): number {
    if (this.#offer === null) return this.#fail("it switched protocols unasked");
    if (!namesProtocol(head, this.#offer))
      return this.#fail("it switched to another protocol than was offered");
    const listener = this.#listener!;
    this.#listener = null;
    this.#state = "closed";
    this.#deadlines.remove(this.#deadline);
    listener.onSwitched(head, this.transport!, bytes.subarray(next));
    return bytes.length;
  }

  #readBody(bytes: Buffer, offset: number): number {
    const next = this.#body.decode(bytes, offset, this);
    if (next < 0) return this.#fail(`${this.#body.error!.code}: ${this.#body.error!.detail}`);
    if (this.#body.isDone && this.#listener !== null) this.#end(next === bytes.length);
    return next;
  }

  #end(isClean: boolean): void {
    const listener = this.#listener!;
    this.#listener = null;
    this.#state = "idle";
    this.answers++;
    const isReusable = isClean && this.#keepsAlive && this.isRequestSent && this.isUsable;
    listener.onResponseEnd(this, this.#body.trailers, isReusable);
  }

  #fail(detail: string): number {
    const listener = this.#listener;
    this.owner.lost(this);
    this.destroy();
    listener?.onUpstreamFailed({ kind: "protocol", detail, isUnreachable: false });
    return -1;
  }

  /** `Keep-Alive: timeout=5`: not used in the last second, when the backend may be closing it already. */
  #readKeepAliveHint(head: ResponseHead): void {
    const hint = head.value(FIELD.keepAlive);
    const at = hint === null ? -1 : hint.indexOf("timeout=");
    if (at < 0) return;
    const seconds = Number.parseInt(hint!.slice(at + 8), 10);
    if (seconds >= 0) this.keepMs = Math.max(0, (seconds - 1) * 1000);
  }
}

/** Who keeps the connections of one backend. */
export interface UpstreamOwner {
  /** The connection is closed or not to be trusted any more. */
  lost(connection: UpstreamConnection): void;
}

/** Interim responses to one request, at most; more is a flood. */
const INTERIMS_MAX = 16;

function isRefusal(code: string): boolean {
  return REFUSALS.has(code) || isCertainTlsFailure(code);
}

const REFUSALS: ReadonlySet<string> = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOENT"]);
