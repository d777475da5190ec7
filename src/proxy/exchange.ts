// Hot path: one object per client connection; per request it makes strings and one admission, nothing else.
import type { Waiter } from "../core/admission/wait-queue.ts";
import type { Decision } from "../core/decision.ts";
import { Work } from "../core/work.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import type { ParseError } from "../http1/parse-error.ts";
import type { RequestHandler } from "../http1/request-handler.ts";
import type { ServerConnection } from "../http1/server.ts";
import { type Admission, admit, waivesBody } from "./admit.ts";
import type { OwnAnswer } from "./answer.ts";
import { ANSWERS, FAILURES, lastWords, parseAnswer, reasonOf, refusalAnswer } from "./answers.ts";
import { Attempt } from "./attempt.ts";
import { type AttemptFailure, type AttemptOwner, lostBeforeToken } from "./attempt-owner.ts";
import { Collector } from "./collector.ts";
import type { ProxyContext } from "./context.ts";
import { ModelChoice } from "./model-choice.ts";
import type { Peer } from "./peer.ts";
import { isOpen, type Phase } from "./phase.ts";
import type { EndReason } from "./pool-stats.ts";
import { RequestRecord } from "./record.ts";
import { Interims } from "./interims.ts";
import { Relay } from "./relay.ts";
import { RequestBody } from "./request-body.ts";
import { ownResponse, relayMode, responseText, switchText } from "./response-text.ts";
import { Retrier } from "./retrier.ts";
import type { Tunnel } from "./tunnel.ts";
import { Verdict } from "./verdict.ts";

/**
 * The life of a request: admitted, booked on a backend, sent, answered, ended. `#end` is the one place where
 * it ends; every path leads there exactly once, with the lease settled before.
 */
export class Exchange implements RequestHandler, AttemptOwner, Waiter {
  readonly #context: ProxyContext;
  readonly #connection: ServerConnection;
  readonly #record: RequestRecord;
  readonly #work: Work = new Work();
  readonly #body: RequestBody = new RequestBody();
  readonly #collector: Collector = new Collector();
  readonly #interims: Interims;
  readonly #relay: Relay;
  readonly #attempt: Attempt;
  readonly #retrier: Retrier;
  readonly #model: ModelChoice;
  #phase: Phase = "idle";
  #admission: Admission | null = null;
  #tunnel: Tunnel | null = null;
  readonly #verdict: Verdict = new Verdict();

  constructor(context: ProxyContext, connection: ServerConnection, peer: Peer) {
    this.#context = context;
    this.#connection = connection;
    this.#record = new RequestRecord(peer);
    this.#interims = new Interims(connection);
    this.#relay = new Relay(connection);
    this.#attempt = new Attempt(context, this, this.#body, this.#relay, connection, this.#record);
    this.#model = new ModelChoice(context, this.#record, this.#work, this.#body, this.#collector);
    this.#retrier = new Retrier({
      context,
      work: this.#work,
      body: this.#body,
      attempt: this.#attempt,
      relay: this.#relay,
      interims: this.#interims,
      record: this.#record,
      verdict: this.#verdict,
      pick: () => this.#pick(),
    });
  }

  onRequest(head: RequestHead): void {
    const nowMs = this.#context.clock.nowMs();
    this.#record.begin(nowMs);
    this.#relay.reset();
    this.#attempt.reset();
    this.#retrier.reset();
    this.#interims.reset();
    this.#phase = "collect";
    const admission = admit(this.#context, head, this.#record, this.#work);
    if ("status" in admission) {
      this.#connection.isOffer = head.upgrade !== null;
      const isWaived = this.#connection.isRestSmall && waivesBody(admission, head);
      this.#body.start(isWaived ? "none" : head.framing, 0);
      return this.#answer(admission, reasonOf(admission));
    }
    this.#connection.isOffer = admission.upgrade !== null;
    if ("isUndecided" in admission) return this.#model.begin(admission);
    if ("isListing" in admission) {
      this.#phase = "list";
      this.#body.start(head.framing, 0);
      return this.#model.list(admission, (answer) => this.#answer(answer, reasonOf(answer)));
    }
    this.#body.start(head.framing, this.#collector.begin(admission, head));
    this.#admission = admission;
    this.#relay.call = this.#record.call = this.#collector.call;
    admission.traffic.budget?.request(nowMs);
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#phase !== "collect" && this.#phase !== "run") return;
    const most = this.#admission?.route.bodyBytesMax ?? 0;
    const isTooLarge = most > 0 && this.#body.bytes + end - start > most;
    if (isTooLarge) return this.#giveUp(ANSWERS.bodyTooLarge, "bad_request");
    if (this.#phase === "collect") this.#collector.call?.push(bytes, start, end);
    if (!this.#attempt.take(bytes, start, end)) this.#connection.pauseBody();
  }

  onBodyEnd(trailers: string): void {
    this.#attempt.endBody(trailers);
    if (this.#phase === "collect" && !this.#settle()) return;
    this.#admission?.mirror?.begin(this.#admission, this.#body);
    if (this.#phase === "collect") this.#start();
  }

  onReadEnd(): void {
    if (this.#phase !== "collect") return;
    if (this.#collector.awaits(this.#body.bytes)) this.#interims.askForBody(this.#admission ?? this.#model);
    else if (this.#settle()) this.#start();
  }

  onDrain(): void {
    this.#attempt.resume();
  }

  onAbort(error: ParseError | null): void {
    if (!isOpen(this.#phase)) return;
    if (error !== null && !this.#relay.isBegun) {
      this.#connection.isLast = true;
      this.#write(parseAnswer(error));
    } else if (!this.#relay.isBegun) this.#record.status = 499;
    this.#retrier.callOff(this.#admission, error === null ? "client_abort" : "cancelled");
    this.#end(error === null ? "client_abort" : "bad_request", false);
  }

  onBadRequest(error: ParseError): void {
    this.#record.beginUnreadable(this.#context.clock.nowMs(), this.#context.ids.requestId(null));
    this.#body.start("none", 0);
    this.#context.malformed++;
    this.#connection.isLast = true;
    this.#relay.reset();
    this.#write(parseAnswer(error));
    this.#record.end("bad_request", this.#context, 0, this.#relay.bytes);
  }

  /** The connection is closed: nothing of it may be kept. */
  close(): void {
    this.#attempt.close();
    this.#retrier.close();
  }

  /** The balancer stops and has waited long enough. */
  shutDown(): void {
    if (this.#phase === "tunnel") return this.#tunnel!.shutDown();
    if (!isOpen(this.#phase)) return this.#connection.abort();
    this.#giveUp(ANSWERS.shuttingDown, "shutdown");
  }

  decided(decision: Decision): void {
    this.#record.noteDequeued(this.#context.clock.nowMs());
    if (decision.kind === "refuse") {
      const reason = decision.reason === "queue_timeout" ? "queue_timeout" : "refused";
      return this.#answer(refusalAnswer(decision, this.#admission!.traffic.name), reason);
    }
    this.#record.noteAttempt(this.#attempt.lease, this.#context);
    this.#retrier.watch(this.#admission!);
    this.#attempt.begin(this.#admission!, this.#interims.hasContinued);
  }

  onInterim(head: ResponseHead): void {
    this.#interims.pass(head, this.#admission!);
  }

  onAnswer(head: ResponseHead): void {
    const record = this.#record;
    record.noteFirstByte(this.#context.clock.nowMs());
    this.#verdict.ofHead(head);
    if (head.status >= 400 && this.#retrier.retries(this.#admission!, "status", head.status, false)) return;
    record.status = head.status;
    const mode = relayMode(head, this.#admission!.isOldClient);
    const keepAlive = this.#connection.promise(this.#connection.isBodyDone);
    const text = responseText(head, mode, record, keepAlive, this.#admission!);
    this.#relay.begin(text, mode, this.#collector.mayHold);
  }

  onRefused(): boolean {
    if (this.#retriesRefusal()) return false;
    return this.#relay.letGo();
  }

  onTunnel(tunnel: Tunnel, head: ResponseHead, rest: Buffer): void {
    this.#record.noteFirstByte(this.#context.clock.nowMs());
    this.#record.status = head.status;
    this.#phase = "tunnel";
    this.#tunnel = tunnel;
    tunnel.begin(switchText(head, this.#admission!, this.#record), rest);
  }

  onTunnelEnd(reason: EndReason): void {
    this.#end(reason, false);
  }

  onComplete(trailers: string): void {
    this.#relay.endHeld();
    if (this.#relay.hasFailed && this.#retriesRefusal()) return;
    this.#relay.end(trailers);
    this.#verdict.settle(this.#attempt.lease);
    this.#end("ok", true);
  }

  onFailed(failure: AttemptFailure): void {
    const { reason, isUnreachable } = failure;
    this.#verdict.ofFailure(reason);
    const isFinal = reason === "backend_left" || reason === "backend_protocol";
    if (!isFinal && this.#retrier.retries(this.#admission!, reason, 0, isUnreachable)) return;
    this.#attempt.cancel(this.#verdict.outcome, 0, isUnreachable);
    this.#answer(FAILURES[reason], reason === "backend_left" ? "connect_failed" : reason);
  }

  onBroken(isTimeout: boolean): void {
    if (this.#relay.isHolding) return this.onFailed(lostBeforeToken(isTimeout));
    this.#relay.append(this.#collector.call?.lastEvent(lastWords(isTimeout)) ?? "");
    this.#attempt.cancel(isTimeout ? "timeout" : "backend_error");
    this.#breakOff(isTimeout ? "idle_timeout" : "backend_died");
  }

  /** What is waited for of the body is here. False where its model has led nowhere: the request has ended. */
  #settle(): boolean {
    const settled = this.#model.settle(this.#admission);
    if ("status" in settled) {
      this.#answer(settled, reasonOf(settled));
      return false;
    }
    this.#admission = settled;
    this.#relay.call = this.#record.call = this.#collector.call;
    return true;
  }

  #start(): void {
    this.#phase = "run";
    this.#collector.describe(this.#work, this.#body.chunks);
    this.#body.keepUpTo(this.#collector.keptBytesMax);
    this.#pick();
  }

  #pick(): void {
    const decision = this.#admission!.traffic.pool.pick(this.#work, this.#attempt.lease, this);
    if (decision.kind === "wait") this.#record.queuedAtMs = this.#context.clock.nowMs();
    else this.decided(decision);
  }

  /** An error came in place of the first token: as a 502 in place of an answer. */
  #retriesRefusal(): boolean {
    this.#verdict.ofFailure("refused");
    return this.#retrier.retries(this.#admission!, "status", 502, false);
  }

  /** Ended by us: with an answer of our own, as long as there is no other. */
  #giveUp(answer: OwnAnswer, reason: EndReason): void {
    this.#retrier.callOff(this.#admission, "cancelled");
    if (this.#relay.isBegun) return this.#breakOff(reason);
    this.#answer(answer, reason);
  }

  /** The client must see that the answer is not complete: an unclean end, never a clean one. */
  #breakOff(reason: EndReason): void {
    this.#end(reason, false);
    this.#relay.breakOff();
  }

  #answer(answer: OwnAnswer, reason: EndReason): void {
    if (!this.#body.isDone) this.#connection.isLast = true;
    this.#write(answer);
    this.#end(reason, true);
  }

  #write(answer: OwnAnswer): void {
    const record = this.#record;
    record.status = answer.status;
    const keepAlive = this.#connection.promise(true);
    this.#relay.begin(ownResponse(answer, record, keepAlive, this.#admission), "none");
    this.#relay.end("");
  }

  /** The one place where a request ends. `isComplete`: the client has a whole answer. */
  #end(reason: EndReason, isComplete: boolean): void {
    this.#phase = "ended";
    this.#record.end(reason, this.#context, this.#body.bytes, this.#relay.bytes);
    this.#body.release();
    this.#collector.end();
    this.#admission?.mirror?.originalEnded();
    this.#admission = null;
    this.#model.end();
    this.#phase = "idle";
    if (isComplete) this.#connection.finish(true);
  }
}
