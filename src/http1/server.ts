// Hot path: no closure, timer or promise per request; one handler object per connection, used again.
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { BodyDecoder } from "./body.ts";
import type { Deadlines, ServerTimeouts } from "./deadlines.ts";
import { Intake } from "./intake.ts";
import { Lingering } from "./lingering.ts";
import { HEADER_TIMEOUT, type ParseError } from "./parse-error.ts";
import { FAILED, NEED_MORE, RequestParser } from "./parser.ts";
import type { RequestHandler, ServerConnectionSetup } from "./request-handler.ts";
import type { Transport, TransportHandler } from "./transport.ts";

/**
 * The server's side of one connection: finds requests in its bytes, hands them to the handler one at a time
 * (pipelined ones wait, so answers keep their order), and keeps the time.
 */
export class ServerConnection implements TransportHandler, DeadlineOwner {
  readonly transport: Transport;
  readonly #handler: RequestHandler;
  readonly #parser: RequestParser;
  readonly #body: BodyDecoder;
  readonly #deadlines: Deadlines;
  readonly #timeouts: ServerTimeouts;
  readonly #onClosed: (connection: ServerConnection) => void;
  readonly #deadline: Deadline = new Deadline(this);
  /** Bytes of requests that wait for their turn. */
  readonly #intake: Intake = new Intake();
  #state: State = "head";
  #isBodyDone = true;
  #isReading = false;
  /** Nothing more is taken: the receiver of the body is full, or the answers before are not read. */
  #isHeld = false;
  #discarded = 0;
  readonly #lingering: Lingering = new Lingering();
  #isHeadTimed = false;
  #clientKeepsAlive = true;
  /** What was waiting to be sent when progress was looked for last. */
  #bufferedBytes = 0;
  /** Set for the last request: the connection closes after its answer. */
  isLast = false;

  constructor(setup: ServerConnectionSetup) {
    this.#deadlines = setup.deadlines;
    this.#timeouts = setup.timeouts;
    this.#onClosed = setup.onClosed;
    this.#parser = new RequestParser(setup.limits);
    this.#body = new BodyDecoder(setup.limits, "request");
    this.transport = setup.accept(this);
    this.#intake.attach(this.transport);
    this.#handler = setup.createHandler(this);
    this.#deadlines.set(this.#deadline, this.#timeouts.headerMs);
  }

  /** Takes no further request; with none in hand it closes, as soon as its answers have left. */
  retire(): void {
    this.isLast = true;
    if (this.#state !== "head" || this.#parser.hasBegun) return;
    if (this.transport.bufferedBytes > 0) this.#beginLinger();
    else this.transport.destroy();
  }

  /** The connection may carry another request after this one, as far as client and drain go. */
  get keepsAlive(): boolean {
    return this.#clientKeepsAlive && !this.isLast;
  }

  /** The body of the current request has been read to its end. */
  get isBodyDone(): boolean {
    return this.#isBodyDone;
  }

  /** Writes a part of the response; false asks to wait for `onDrain`. */
  write(data: string | Uint8Array): boolean {
    const isRoomLeft = this.transport.write(data);
    // A client that does not read may take so long for the next bytes.
    if (!isRoomLeft) this.#expectProgress();
    return isRoomLeft;
  }

  /** The response is complete; the next request's turn, unless the connection must close. */
  finish(keepAlive: boolean): void {
    if (this.#state === "closed") return;
    if (!keepAlive || !this.keepsAlive) return this.#beginLinger();
    if (this.#isBodyDone) return this.#nextRequest();
    this.#state = "discard";
    this.#discarded = 0;
    this.resumeBody();
  }

  /** An unclean end, on purpose: the client must see that the response is not complete. */
  abort(): void {
    this.transport.destroy();
  }

  /** Stops reading the body until `resumeBody`: its receiver is full. */
  pauseBody(): void {
    this.#isHeld = true;
    this.#intake.pause();
    this.#deadlines.set(this.#deadline, HELD_CHECK_MS);
  }

  resumeBody(): void {
    if (!this.#isHeld && !this.#intake.isPaused) return;
    this.#isHeld = false;
    this.#intake.resume();
    if (!this.#isBodyDone) this.#deadlines.set(this.#deadline, this.#timeouts.progressMs);
    if (!this.#isReading) this.#takePipelined();
  }

  onData(bytes: Buffer): void {
    if (this.#state === "linger") return this.#lingerOn(bytes.length);
    if (this.#intake.isEmpty && !this.#isHeld && this.#state !== "answer") return this.#read(bytes);
    this.#intake.keep(bytes, 0);
    const isHeld = this.#intake.isPaused && this.transport.bufferedBytes === 0;
    if (isHeld) this.#deadlines.set(this.#deadline, HELD_CHECK_MS);
  }

  onDrain(): void {
    const state = this.#state;
    if (state === "head" && this.#isHeld) return this.#awaitRequest();
    if (state === "answer" || (state === "body" && this.#isHeld)) this.#deadlines.clear(this.#deadline);
    if (state !== "closed") this.#handler.onDrain();
  }

  onEnd(): void {
    // A client that stops sending before it has its answer has left: what it asked for is wasted work by now.
    if (this.#state !== "linger") this.transport.destroy();
  }

  onClose(): void {
    const before = this.#state;
    this.#state = "closed";
    this.#intake.take();
    this.#deadlines.remove(this.#deadline);
    if (before === "body" || before === "answer") this.#handler.onAbort(null);
    this.#onClosed(this);
  }

  onDeadline(): void {
    const { bufferedBytes } = this.transport;
    if (bufferedBytes > 0 && bufferedBytes < this.#bufferedBytes) return this.#expectProgress();
    if (
      bufferedBytes === 0 &&
      this.#intake.isPaused &&
      (this.#state === "body" || this.#state === "answer")
    ) {
      // A connection that is not read from does not say that it was reset: a write of nothing finds out.
      this.transport.write("");
      return this.#deadlines.set(this.#deadline, HELD_CHECK_MS);
    }
    if (this.#state === "head" && this.#parser.hasBegun) this.#refuse(HEADER_TIMEOUT);
    else this.transport.destroy();
  }

  #read(bytes: Buffer): void {
    this.#isReading = true;
    let offset = 0;
    while (offset < bytes.length && this.#state !== "closed") {
      if (this.#state === "head") offset = this.#readHead(bytes, offset);
      else if (this.#state === "body" || this.#state === "discard") offset = this.#readBody(bytes, offset);
      else break;
      if (offset < 0) break;
      if (this.#isHeld) break;
    }
    this.#isReading = false;
    const hasRest = offset >= 0 && offset < bytes.length;
    if (hasRest && this.#state !== "closed" && this.#state !== "linger") this.#intake.keep(bytes, offset);
    if (this.#state === "body" || this.#state === "answer") this.#handler.onReadEnd();
  }

  /** Returns the offset behind the head, or a negative number when it is not complete or not valid. */
  #readHead(bytes: Buffer, offset: number): number {
    const next = this.#parser.parse(bytes, offset);
    if (next === NEED_MORE) {
      if (this.#parser.hasBegun) this.#beginHeadDeadline();
      return -1;
    }
    if (next === FAILED) return this.#refuse(this.#parser.error!);
    const head = this.#parser.head;
    this.#isHeadTimed = false;
    this.#clientKeepsAlive = head.keepAlive;
    this.#isBodyDone = head.framing === "none";
    this.#state = this.#isBodyDone ? "answer" : "body";
    if (this.#isBodyDone) this.#deadlines.clear(this.#deadline);
    else this.#deadlines.set(this.#deadline, this.#timeouts.progressMs);
    this.#body.start(head.framing, head.contentLength, head.connectionOptions);
    this.#handler.onRequest(head);
    if (this.#isBodyDone && (this.#state as State) === "answer") this.#handler.onBodyEnd("");
    return next;
  }

  /** From the first byte of a head the time runs, however slowly the rest drips in. */
  #beginHeadDeadline(): void {
    if (this.#isHeadTimed) return;
    this.#isHeadTimed = true;
    this.#deadlines.set(this.#deadline, this.#timeouts.headerMs);
  }

  #readBody(bytes: Buffer, offset: number): number {
    const next = this.#body.decode(bytes, offset, this);
    if (next < 0) return this.#breakOff(this.#body.error!);
    if (this.#body.isDone) this.#endBody();
    else if (!this.#isHeld && this.#state !== "linger")
      this.#deadlines.set(this.#deadline, this.#timeouts.progressMs);
    return next;
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#state === "body") this.#handler.onPayload(bytes, start, end);
    else this.#discard(end - start);
  }

  #endBody(): void {
    this.#isBodyDone = true;
    this.#deadlines.clear(this.#deadline);
    if (this.#state === "discard") return this.#nextRequest();
    if (this.#state !== "body") return;
    this.#state = "answer";
    this.#handler.onBodyEnd(this.#body.trailers);
  }

  /** The body broke the rules: whoever receives it must not take it for complete. */
  #breakOff(error: ParseError): number {
    const hadRequest = this.#state === "body";
    this.#state = "linger";
    if (hadRequest) this.#handler.onAbort(error);
    this.#beginLinger();
    return -1;
  }

  #refuse(error: ParseError): number {
    this.#handler.onBadRequest(error);
    this.#beginLinger();
    return -1;
  }

  #nextRequest(): void {
    this.#state = "head";
    this.#parser.reset();
    if (this.transport.bufferedBytes <= UNREAD_BYTES_MAX) return this.#awaitRequest();
    this.pauseBody();
    this.#expectProgress();
  }

  #awaitRequest(): void {
    this.#isHeld = false;
    this.#intake.resume();
    this.#deadlines.set(this.#deadline, this.#timeouts.keepAliveMs);
    if (!this.#isReading) this.#takePipelined();
  }

  #takePipelined(): void {
    const bytes = this.#intake.take();
    if (bytes !== null) this.#read(bytes);
  }

  /** FIN now, but read on: a reset would take the answer out of the client's hands (RFC 9112 9.6). */
  #beginLinger(): void {
    if (this.#state === "closed") return;
    this.#state = "linger";
    this.#intake.take();
    const silentMs = this.#lingering.begin(this.#deadlines.nowMs);
    if (this.transport.bufferedBytes > 0) this.#expectProgress();
    else this.#deadlines.set(this.#deadline, silentMs);
    this.transport.end();
    this.#intake.resume();
  }

  #expectProgress(): void {
    this.#bufferedBytes = this.transport.bufferedBytes;
    this.#deadlines.set(this.#deadline, this.#timeouts.progressMs);
  }

  #lingerOn(bytes: number): void {
    const silentMs = this.#lingering.read(bytes, this.#deadlines.nowMs);
    if (silentMs === 0) this.transport.destroy();
    else if (this.transport.bufferedBytes === 0) this.#deadlines.set(this.#deadline, silentMs);
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > DISCARD_BYTES_MAX) this.#beginLinger();
  }
}

/**
 * head: between requests or in a head. body: its body comes in. answer: all read, being answered. discard:
 * answered before its body was read. linger: answered for the last time, waiting for the client to close.
 */
type State = "head" | "body" | "answer" | "discard" | "linger" | "closed";

/** Bytes of an unwanted body that are read for the sake of the connection. */
const DISCARD_BYTES_MAX = 64 * 1024;
/** How often it is looked whether a client that is not read from is still there. */
const HELD_CHECK_MS = 100;
/** Bytes of answers that wait for a slow client, beyond which its next request waits: a drain follows. */
const UNREAD_BYTES_MAX = 64 * 1024;
