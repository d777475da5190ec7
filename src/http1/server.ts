// Hot path: no closure, timer or promise per request; one handler object per connection, used again.
import type { DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { BodyDecoder } from "./body.ts";
import { Intake } from "./intake.ts";
import { UNREAD_BYTES_MAX } from "./limits.ts";
import { HEADER_TIMEOUT, type ParseError } from "./parse-error.ts";
import { FAILED, NEED_MORE, RequestParser } from "./parser.ts";
import type { ConnectionState as State } from "./connection-state.ts";
import type { RequestHandler, ServerConnectionSetup } from "./request-handler.ts";
import { Timekeeper } from "./timekeeper.ts";
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
  readonly #time: Timekeeper;
  readonly #onClosed: (connection: ServerConnection) => void;
  /** Bytes of requests that wait for their turn. */
  readonly #intake: Intake = new Intake();
  #state: State = "head";
  #isBodyDone = true;
  #isReading = false;
  /** Nothing more is taken: the receiver of the body is full, or the answers before are not read. */
  #isHeld = false;
  #clientKeepsAlive = true;
  /** The answer in hand has told the client that the connection closes. */
  #hasSaidClose = false;
  /** Set by the handler: the current request offers another protocol that may be spoken from then on. */
  isOffer = false;
  /** Set for the last request: the connection closes after its answer. */
  isLast = false;
  /**
   * Where `isLast` was set after the head of an answer had promised the connection: so long the client may
   * still send one request more. 0: the promise is broken.
   */
  graceMs = 0;

  constructor(setup: ServerConnectionSetup) {
    this.#time = new Timekeeper(setup.deadlines, setup.timeouts, this);
    this.#onClosed = setup.onClosed;
    this.#parser = new RequestParser(setup.limits);
    this.#body = new BodyDecoder(setup.limits, "request");
    this.transport = setup.accept(this);
    this.#intake.attach(this.transport);
    this.#handler = setup.createHandler(this);
    this.#time.awaitFirst();
  }

  /** Takes no further request; with none in hand it closes, as soon as its answers have left: then true. */
  retire(): boolean {
    this.isLast = true;
    const hasLeft = this.transport.bufferedBytes === 0;
    if (this.#state !== "head" || this.#parser.hasBegun) return hasLeft && this.#state === "linger";
    if (hasLeft) this.transport.destroy();
    else this.#beginLinger();
    return hasLeft;
  }

  /** The connection may carry another request after this one, as far as client and drain go. */
  get keepsAlive(): boolean {
    // What came behind an offer may be of the other protocol: it is never read as a request (CVE class 3).
    if (this.isOffer && !this.#intake.isEmpty) return false;
    return this.#clientKeepsAlive && !this.isLast;
  }

  /**
   * What the head of an answer is to say: whether the connection stays. That holds, also when a drain begins
   * before the end of the answer.
   */
  promise(mayStay: boolean): boolean {
    const stays = mayStay && this.keepsAlive;
    this.#hasSaidClose = !stays;
    if (!stays) this.isLast = true;
    return stays;
  }

  /** The body of the current request has been read to its end. */
  get isBodyDone(): boolean {
    return this.#isBodyDone;
  }

  /** Little is to come of the body: it can be thrown away behind an answer, and the connection stays. */
  get isRestSmall(): boolean {
    return !this.isOffer && this.#intake.mayDiscard(this.#body.bytesLeft);
  }

  /** Writes a part of the response; false asks to wait for `onDrain`. */
  write(data: string | Uint8Array): boolean {
    const isRoomLeft = this.transport.write(data);
    // A client that does not read may take so long for the next bytes.
    if (!isRoomLeft) this.#time.awaitReading(this.transport);
    return isRoomLeft;
  }

  /** The response is complete; the next request's turn, unless the connection must close. */
  finish(keepAlive: boolean): void {
    if (this.#state === "closed") return;
    const isPromised = this.isLast && this.graceMs > 0 && this.#clientKeepsAlive && !this.#hasSaidClose;
    if (!keepAlive || (!this.keepsAlive && !isPromised)) return this.#beginLinger();
    if (this.#isBodyDone) return this.#nextRequest();
    this.#state = "discard";
    this.#intake.beginDiscarding();
    this.#time.awaitRest();
    this.resumeBody();
  }

  /**
   * Both sides have switched to another protocol: all that comes from now on is `receiver`'s, who calls
   * `onClose` here when that is over. Returns what has come before its turn, or null.
   */
  handOver(receiver: TransportHandler): Buffer | null {
    this.#state = "tunnel";
    this.#time.stop();
    this.transport.handler = receiver;
    const early = this.#intake.take();
    this.#intake.resume();
    return early;
  }

  /** An unclean end, on purpose: the client must see that the response is not complete. */
  abort(): void {
    this.transport.destroy();
  }

  /** Stops reading the body until `resumeBody`: its receiver is full. */
  pauseBody(): void {
    this.#isHeld = true;
    this.#intake.pause();
    this.#time.checkHeld();
  }

  resumeBody(): void {
    if (!this.#isHeld && !this.#intake.isPaused) return;
    this.#isHeld = false;
    this.#intake.resume();
    if (this.#state === "body") this.#time.awaitBody();
    if (!this.#isReading) this.#takePipelined();
  }

  onData(bytes: Buffer): void {
    if (this.#state === "linger") return this.#lingerOn(bytes.length);
    if (this.#intake.isEmpty && !this.#isHeld && this.#state !== "answer") return this.#read(bytes);
    this.#intake.keep(bytes, 0);
    if (this.#intake.isPaused && this.transport.bufferedBytes === 0) this.#time.checkHeld();
  }

  onDrain(): void {
    const state = this.#state;
    if (state === "head" && this.#isHeld) return this.#awaitRequest();
    if (state === "answer" || (state === "body" && this.#isHeld)) this.#time.stop();
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
    this.#time.remove();
    if (before === "body" || before === "answer") this.#handler.onAbort(null);
    this.#onClosed(this);
  }

  onDeadline(): void {
    if (this.#time.hasBeenRead(this.transport)) return this.#time.awaitReading(this.transport);
    const isHeld = this.transport.bufferedBytes === 0 && this.#intake.isPaused;
    if (isHeld && (this.#state === "body" || this.#state === "answer")) {
      // A connection that is not read from does not say that it was reset: a write of nothing finds out.
      this.transport.write("");
      return this.#time.checkHeld();
    }
    if (this.#state === "head" && this.#parser.hasBegun) this.#refuse(HEADER_TIMEOUT);
    else if (this.#state === "discard") this.#beginLinger();
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
    // What came behind an offer that was answered at once.
    if (this.#state === "head" && !this.#isHeld) this.#takePipelined();
  }

  /** Returns the offset behind the head, or a negative number when it is not complete or not valid. */
  #readHead(bytes: Buffer, offset: number): number {
    const next = this.#parser.parse(bytes, offset);
    if (next === NEED_MORE) {
      if (this.#parser.hasBegun) this.#time.headGoesOn();
      return -1;
    }
    if (next === FAILED) return this.#refuse(this.#parser.error!);
    const head = this.#parser.head;
    this.#time.headIsThere();
    this.#clientKeepsAlive = head.keepAlive;
    this.#isBodyDone = head.framing === "none";
    this.isOffer = false;
    this.#hasSaidClose = false;
    this.#state = this.#isBodyDone ? "answer" : "body";
    if (this.#isBodyDone) this.#time.stop();
    else this.#time.awaitBody();
    this.#body.start(head.framing, head.contentLength, head.connectionOptions);
    const isKept = this.#isBodyDone && head.upgrade !== null && next < bytes.length;
    if (isKept) this.#intake.keep(bytes, next);
    this.#handler.onRequest(head);
    if (this.#isBodyDone && (this.#state as State) === "answer") this.#handler.onBodyEnd("");
    return isKept ? bytes.length : next;
  }

  #readBody(bytes: Buffer, offset: number): number {
    const next = this.#body.decode(bytes, offset, this);
    if (next < 0) return this.#breakOff(this.#body.error!);
    if (this.#body.isDone) this.#endBody();
    else if (!this.#isHeld && this.#state === "body") this.#time.awaitBody();
    return next;
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#state === "body") this.#handler.onPayload(bytes, start, end);
    else if (!this.#intake.discard(end - start)) this.#beginLinger();
  }

  #endBody(): void {
    this.#isBodyDone = true;
    this.#time.stop();
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
    this.#time.awaitReading(this.transport);
  }

  #awaitRequest(): void {
    this.#isHeld = false;
    this.#intake.resume();
    this.#time.awaitNext(this.isLast ? this.graceMs : Number.POSITIVE_INFINITY);
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
    this.#time.awaitClose();
    this.transport.end();
    this.#intake.resume();
  }

  #lingerOn(bytes: number): void {
    if (!this.#time.lingersOn(bytes, this.transport)) this.transport.destroy();
  }
}
