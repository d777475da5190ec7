// Hot path: one object per client connection; per request it makes strings and one admission, and nothing
// else.
import type { Waiter } from "../core/admission/wait-queue.ts";
import type { Decision } from "../core/decision.ts";
import type { Outcome } from "../core/lease.ts";
import { Work } from "../core/work.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import type { ParseError } from "../http1/parse-error.ts";
import type { RequestHandler } from "../http1/request-handler.ts";
import type { ServerConnection } from "../http1/server.ts";
import { statusLine } from "../http1/writer.ts";
import { type Admission, admit, readBodyKey } from "./admit.ts";
import type { OwnAnswer } from "./answer.ts";
import { ANSWERS, FAILURES, outcomeOf, parseAnswer, reasonOf, refusalAnswer } from "./answers.ts";
import { Attempt, type AttemptFailure, type AttemptOwner } from "./attempt.ts";
import type { ProxyContext } from "./context.ts";
import type { Peer } from "./peer.ts";
import type { EndReason } from "./pool-stats.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import { RequestRecord } from "./record.ts";
import { interimLines } from "./forwarding.ts";
import { Relay } from "./relay.ts";
import { RequestBody } from "./request-body.ts";
import { ownResponse, relayMode, responseText, sessionLine } from "./response-text.ts";
import { Retrier } from "./retrier.ts";
import { backoffMs, retryAfterMs, type RetryFailure } from "./retry.ts";

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
  readonly #relay: Relay;
  readonly #attempt: Attempt;
  readonly #retrier: Retrier;
  /**
   * collect: its body is awaited before the pick. run: queued or attempted. ended: its end has been written.
   */
  #phase: "idle" | "collect" | "run" | "ended" = "idle";
  #admission: Admission | null = null;
  #queuedAtMs = -1;
  #backoff: NodeJS.Timeout | null = null;
  #outcome: Outcome = "ok";
  #retryAfterMs = 0;
  #hasContinued = false;
  /** An interim answer other than 100 has gone to the client: another backend must not answer any more. */
  #hasInterim = false;

  constructor(context: ProxyContext, connection: ServerConnection, peer: Peer) {
    this.#context = context;
    this.#connection = connection;
    this.#record = new RequestRecord(peer);
    this.#relay = new Relay(connection);
    this.#attempt = new Attempt(context, this, this.#body, this.#relay, connection, this.#record);
    this.#retrier = new Retrier(context, this.#work, this.#body, this.#attempt, this.#record);
  }

  onRequest(head: RequestHead): void {
    const nowMs = this.#context.clock.nowMs();
    this.#record.begin(nowMs);
    this.#relay.reset();
    this.#attempt.reset();
    this.#retrier.reset();
    this.#hasContinued = false;
    this.#hasInterim = false;
    this.#queuedAtMs = -1;
    this.#phase = "collect";
    const admission = admit(this.#context, head, this.#record, this.#work);
    if ("status" in admission) {
      this.#body.start(head.framing, 0);
      return this.#answer(admission, reasonOf(admission));
    }
    this.#admission = admission;
    const { retry, budget } = admission.route.traffic;
    const keyBytesMax = admission.bodyKey === null ? 0 : KEY_BYTES_MAX;
    this.#body.start(head.framing, Math.max(retry?.bodyBytesMax ?? 0, keyBytesMax));
    budget?.request(nowMs);
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#phase !== "collect" && this.#phase !== "run") return;
    const most = this.#context.plan.bodyBytesMax;
    if (most > 0 && this.#body.bytes + end - start > most) return this.#tooLarge();
    if (!this.#attempt.take(bytes, start, end)) this.#connection.pauseBody();
  }

  onBodyEnd(trailers: string): void {
    this.#attempt.endBody(trailers);
    if (this.#phase === "collect") this.#start();
  }

  onReadEnd(): void {
    if (this.#phase !== "collect") return;
    // The key of the choice may be in the body: wait for it, as long as there is room to keep it.
    const mustWait = this.#admission!.bodyKey !== null && this.#body.bytes < KEY_BYTES_MAX;
    if (!mustWait) return this.#start();
    if (!this.#admission!.expectsContinue || this.#hasContinued) return;
    this.#hasContinued = true;
    this.#connection.write(`${statusLine(100)}\r\n`);
  }

  onDrain(): void {
    this.#attempt.resume();
  }

  onAbort(error: ParseError | null): void {
    if (this.#phase !== "collect" && this.#phase !== "run") return;
    if (error !== null && !this.#relay.isBegun) {
      this.#connection.isLast = true;
      this.#write(parseAnswer(error));
    } else if (!this.#relay.isBegun) this.#record.status = 499;
    this.#callOff(error === null ? "client_abort" : "cancelled");
    this.#end(error === null ? "client_abort" : "bad_request", false);
  }

  onBadRequest(error: ParseError): void {
    this.#record.beginUnreadable(this.#context.clock.nowMs(), this.#context.ids.requestId(null));
    this.#body.start("none", 0);
    this.#context.malformed++;
    this.#connection.isLast = true;
    this.#relay.reset();
    this.#write(parseAnswer(error));
    this.#log("bad_request");
  }

  /** The balancer stops and has waited long enough. */
  shutDown(): void {
    if (this.#phase !== "collect" && this.#phase !== "run") return this.#connection.abort();
    this.#callOff("cancelled");
    if (this.#relay.isBegun) return this.#breakOff("shutdown");
    this.#answer(ANSWERS.shuttingDown, "shutdown");
  }

  decided(decision: Decision): void {
    if (this.#queuedAtMs >= 0) this.#record.queueMs = this.#context.clock.nowMs() - this.#queuedAtMs;
    this.#queuedAtMs = -1;
    if (decision.kind === "refuse") {
      const reason = decision.reason === "queue_timeout" ? "queue_timeout" : "refused";
      return this.#answer(refusalAnswer(decision, this.#traffic.name), reason);
    }
    const { lease } = this.#attempt;
    const record = this.#record;
    record.attempts++;
    record.backend = lease.endpoint!.id;
    record.why = record.attempts > 1 ? "retry" : lease.why;
    this.#attempt.begin(this.#admission!, this.#hasContinued);
  }

  onInterim(head: ResponseHead): void {
    if (this.#admission!.isOldClient) return;
    // A 100 that nobody waits for, or that we have sent ourselves, ends here.
    if (head.status === 100 && (this.#hasContinued || !this.#admission!.expectsContinue)) return;
    if (head.status === 100) this.#hasContinued = true;
    else this.#hasInterim = true;
    this.#connection.write(`${interimLines(head)}\r\n`);
  }

  onAnswer(head: ResponseHead): void {
    const record = this.#record;
    record.firstByteMs = this.#context.clock.nowMs() - record.beganMs;
    this.#outcome = outcomeOf(head.status);
    this.#retryAfterMs = 0;
    if (this.#outcome !== "ok") {
      this.#retryAfterMs = retryAfterMs(head.value(FIELD.retryAfter), Date.now());
      if (this.#retries("status", head.status, false)) return;
    }
    record.status = head.status;
    const { isOldClient } = this.#admission!;
    const mode = relayMode(head, isOldClient);
    const keepAlive = this.#connection.keepsAlive && this.#connection.isBodyDone;
    if (!keepAlive) this.#connection.isLast = true;
    this.#relay.begin(
      responseText(head, mode, record, keepAlive, sessionLine(this.#admission!, record)),
      mode,
    );
  }

  onComplete(trailers: string): void {
    this.#relay.end(trailers);
    const detail = { retryAfterMs: this.#retryAfterMs, isUnreachable: false };
    if (this.#outcome === "ok") this.#attempt.lease.settle("ok");
    else this.#attempt.lease.settle(this.#outcome, detail);
    this.#end("ok", true);
  }

  onFailed(failure: AttemptFailure): void {
    const { reason, isUnreachable } = failure;
    this.#outcome = reason === "first_byte_timeout" ? "timeout" : "backend_error";
    this.#retryAfterMs = 0;
    if (reason === "backend_left") this.#outcome = "cancelled";
    else if (reason !== "backend_protocol" && this.#retries(reason, 0, isUnreachable)) return;
    this.#attempt.cancel(this.#outcome, 0, isUnreachable);
    this.#answer(FAILURES[reason], reason === "backend_left" ? "connect_failed" : reason);
  }

  onBroken(isTimeout: boolean): void {
    this.#attempt.cancel(isTimeout ? "timeout" : "backend_error");
    this.#breakOff(isTimeout ? "idle_timeout" : "backend_died");
  }

  get #traffic(): PoolTraffic {
    return this.#admission!.route.traffic;
  }

  #start(): void {
    this.#phase = "run";
    if (this.#admission!.bodyKey !== null) readBodyKey(this.#admission!, this.#work, this.#body.chunks);
    this.#pick();
  }

  #pick(): void {
    const decision = this.#traffic.pool.pick(this.#work, this.#attempt.lease, this);
    if (decision.kind === "wait") this.#queuedAtMs = this.#context.clock.nowMs();
    else this.decided(decision);
  }

  /**
   * Gives the failed attempt up and repeats it elsewhere, if that is allowed; the client has seen nothing of
   * it.
   */
  #retries(failure: RetryFailure, status: number, isUnreachable: boolean): boolean {
    const decision = this.#hasInterim ? "no" : this.#retrier.decide(this.#admission!, failure, status);
    if (decision === "no") return false;
    this.#record.noteFailure(status === 0 ? failure : String(status));
    this.#attempt.cancel(this.#outcome, this.#retryAfterMs, isUnreachable);
    if (decision === "redelivery") this.#pick();
    else this.#pickLater(backoffMs(this.#traffic.retry!, this.#record.attempts, this.#context.random));
    return true;
  }

  #pickLater(waitMs: number): void {
    this.#backoff = setTimeout(() => {
      this.#backoff = null;
      this.#pick();
    }, waitMs);
  }

  /** Whatever the request waits for or runs on is given up. */
  #callOff(outcome: Outcome): void {
    if (this.#backoff !== null) clearTimeout(this.#backoff);
    this.#backoff = null;
    if (this.#queuedAtMs >= 0) this.#record.queueMs = this.#context.clock.nowMs() - this.#queuedAtMs;
    if (this.#admission !== null) this.#traffic.pool.leaveQueue(this.#attempt.lease);
    this.#attempt.cancel(outcome);
  }

  #tooLarge(): void {
    this.#callOff("cancelled");
    if (this.#relay.isBegun) return this.#breakOff("bad_request");
    this.#answer(ANSWERS.bodyTooLarge, "bad_request");
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
    this.#relay.begin(ownResponse(answer, record, this.#connection.keepsAlive), "none");
    this.#relay.end("");
  }

  /** The one place where a request ends. `isComplete`: the client has a whole answer. */
  #end(reason: EndReason, isComplete: boolean): void {
    this.#phase = "ended";
    this.#log(reason);
    this.#body.release();
    this.#admission = null;
    this.#phase = "idle";
    if (isComplete) this.#connection.finish(true);
  }

  #log(reason: EndReason): void {
    const { accessLog, clock } = this.#context;
    const record = this.#record;
    const nowMs = clock.nowMs();
    record.bytesIn = this.#body.bytes;
    record.bytesOut = this.#relay.bytes;
    record.count(reason, nowMs);
    if (accessLog.isOn) accessLog.append(record.line(reason, nowMs, accessLog.isoTime()));
  }
}

/** A body is searched for the key of the choice up to this size; a larger one is placed without. */
const KEY_BYTES_MAX = 1024 * 1024;
