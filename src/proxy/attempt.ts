// Hot path: one object per client connection, used for every attempt of its requests.
import { causeOf, type FailureCause } from "../core/failure-cause.ts";
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { Lease, type Outcome } from "../core/lease.ts";
import type { ResponseHead } from "../http1/head.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { Transport } from "../http1/transport.ts";
import type { Admission } from "./admit.ts";
import type { AttemptOwner } from "./attempt-owner.ts";
import type { ProxyContext } from "./context.ts";
import type { RequestRecord } from "./record.ts";
import type { Relay } from "./relay.ts";
import type { RequestBody } from "./request-body.ts";
import { type FailureReason, noteAlive } from "./retry.ts";
import { Tunnel } from "./tunnel.ts";
import type { UpstreamConnection, UpstreamFailure, UpstreamListener } from "./upstream.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

/** One try of one request on the backend of its lease. */
export class Attempt implements UpstreamListener, DeadlineOwner {
  readonly lease: Lease = new Lease();
  readonly #context: ProxyContext;
  readonly #owner: AttemptOwner;
  readonly #body: RequestBody;
  readonly #relay: Relay;
  readonly #client: ServerConnection;
  readonly #record: RequestRecord;
  readonly #deadline: Deadline = new Deadline(this);
  #admission: Admission | null = null;
  #upstreams: UpstreamPool | null = null;
  #upstream: UpstreamConnection | null = null;
  /** The PROXY header for the backend; "" where none is sent. */
  #preface = "";
  #beganMs = 0;
  #sentAtMs = 0;
  /** This request had its one repetition on a fresh connection. */
  #wasRepeated = false;
  #isAnswered = false;
  #isSending = false;
  /** A 100 has gone to the client already: the backend is not asked for one. */
  #hasContinued = false;
  /** Why it failed, as far as events say it; "" where it did not. */
  #cause: FailureCause = "";
  /** Something of the request may have reached a backend, now or in an attempt before. */
  wasSent = false;

  constructor(
    context: ProxyContext,
    owner: AttemptOwner,
    body: RequestBody,
    relay: Relay,
    client: ServerConnection,
    record: RequestRecord,
  ) {
    this.#context = context;
    this.#owner = owner;
    this.#body = body;
    this.#relay = relay;
    this.#client = client;
    this.#record = record;
  }

  /** A new request. */
  reset(): void {
    this.wasSent = false;
    this.#wasRepeated = false;
  }

  /** Content of the body, sent on where that is possible; false when its sender should pause. */
  take(bytes: Buffer, start: number, end: number): boolean {
    const isRoomLeft = this.#body.take(bytes, start, end, this.#isSending ? this.#upstream : null);
    this.#noteSending(isRoomLeft);
    return isRoomLeft;
  }

  /** The body is complete. */
  endBody(trailers: string): void {
    this.#body.end(trailers, this.#isSending ? this.#upstream : null);
    this.#noteSending(false);
  }

  /** The lease is booked: connect and send. */
  begin(admission: Admission, hasContinued: boolean): void {
    this.#admission = admission;
    this.#hasContinued = hasContinued;
    this.#beganMs = this.#context.clock.nowMs();
    this.#isAnswered = false;
    this.#isSending = false;
    this.#cause = "";
    this.#upstreams = admission.traffic.upstreams.of(this.lease.endpoint!);
    if (this.#upstreams === null) return this.#fail("backend_left", "it was removed meanwhile", false);
    this.#preface = this.#upstreams.prefaceFor(this.#record.peer, this.#record.client);
    const idle = this.#upstreams.takeIdle(this.#preface);
    if (idle === null) return this.#connect();
    this.#upstream = idle;
    idle.attach(this);
    this.#send();
  }

  /** Calls the attempt off, if there is one, and settles its lease. */
  cancel(outcome: Outcome, retryAfterMs = 0, isUnreachable = false): void {
    this.#context.deadlines.clear(this.#deadline);
    this.#isSending = false;
    const upstream = this.#upstream;
    this.#upstream = null;
    upstream?.destroy();
    this.lease.settle(outcome, { retryAfterMs, isUnreachable, cause: this.#cause });
  }

  /** There will be no other: a deadline that is cleared stands in the wheel until its old time has come. */
  close(): void {
    this.#context.deadlines.remove(this.#deadline);
  }

  /** The client reads again. */
  resume(): void {
    this.#relay.drained();
    if (!this.#isAnswered || this.#upstream === null) return;
    this.#upstream.transport!.resume();
    this.#expectBytes();
  }

  onConnected(): void {
    this.#record.connectMs = this.#context.clock.nowMs() - this.#beganMs;
    noteAlive(this.lease.endpoint!);
    this.#send();
  }

  onInterim(head: ResponseHead): void {
    if (head.status === 100) this.#noteSending(true);
    else if (this.#body.isDone) this.#expectBytes();
    this.#owner.onInterim(head);
  }

  onResponseHead(head: ResponseHead): void {
    this.#isAnswered = true;
    if (!this.#relay.awaitsToken(head)) this.lease.started();
    this.#admission!.traffic.loadReports?.take(head, this.lease);
    this.#owner.onAnswer(head);
  }

  onSwitched(head: ResponseHead, backend: Transport, rest: Buffer): void {
    this.#context.deadlines.clear(this.#deadline);
    this.#isSending = false;
    this.#upstream = null;
    this.lease.established();
    const { traffic, upgrade } = this.#admission!;
    const tunnel = new Tunnel({
      client: this.#client,
      backend,
      protocol: upgrade!,
      traffic,
      lease: this.lease,
      record: this.#record,
      deadlines: this.#context.deadlines,
      owner: this.#owner,
    });
    this.#owner.onTunnel(tunnel, head, rest);
  }

  onResponsePayload(bytes: Buffer, start: number, end: number): void {
    this.#relay.payload(bytes, start, end);
  }

  onResponseReadEnd(): void {
    // A head that drips in gets no more time than one that comes at once.
    if (!this.#isAnswered) return;
    this.#relay.call?.readEnd(this.lease, this.#context.clock.nowMs());
    if (this.#relay.hasFailed && !this.#owner.onRefused()) return;
    // A head that is held gets no more time than one that does not come.
    if (this.#relay.isHolding) return;
    if (this.#relay.flush()) return this.#expectBytes();
    // The client is slower than the backend: read no further, and blame nobody for the silence.
    this.#upstream!.transport!.pause();
    this.#context.deadlines.clear(this.#deadline);
  }

  onResponseEnd(connection: UpstreamConnection, trailers: string, isReusable: boolean): void {
    this.#context.deadlines.clear(this.#deadline);
    this.#isSending = false;
    this.#upstream = null;
    if (isReusable) this.#upstreams!.giveBack(connection);
    else connection.destroy();
    this.#relay.call?.complete(this.lease);
    this.#owner.onComplete(trailers);
  }

  onUpstreamDrain(): void {
    this.#noteSending(true);
    this.#client.resumeBody();
  }

  onUpstreamFailed(failure: UpstreamFailure): void {
    const upstream = this.#upstream;
    this.#context.deadlines.clear(this.#deadline);
    this.#isSending = false;
    this.#upstream = null;
    if (this.#isAnswered) return this.#owner.onBroken(false);
    if (failure.kind === "protocol") return this.#fail("backend_protocol", failure.detail, false);
    if (failure.kind === "reset" && upstream !== null && this.#mayRepeat(upstream)) return this.#repeat();
    const reason = failure.kind === "connect" ? "connect_failed" : "backend_reset";
    this.#fail(reason, failure.detail, failure.isUnreachable);
  }

  onDeadline(): void {
    if (this.#isAnswered) this.#owner.onBroken(true);
    else this.#fail("first_byte_timeout", "no answer in time", false);
  }

  /** The backend may have closed an idle connection just when the request was sent on it. */
  #mayRepeat(upstream: UpstreamConnection): boolean {
    const wasIdle = upstream.answers > 0 && !upstream.hasAnswerBytes;
    const isSoon = this.#context.clock.nowMs() - this.#sentAtMs <= STALE_MS;
    const isSafe = this.#admission!.isReplaySafe && this.#body.isKept;
    if (!wasIdle || !isSoon || !isSafe || this.#wasRepeated) return false;
    const { budget } = this.#admission!.traffic;
    return budget === null || budget.take(this.#context.clock.nowMs());
  }

  /** Once more, on a fresh connection to the same backend. */
  #repeat(): void {
    this.#wasRepeated = true;
    this.#record.noteFailure("stale_connection");
    this.#record.attempts++;
    this.#admission!.traffic.stats.retries++;
    this.#connect();
  }

  #connect(): void {
    this.#upstream = this.#upstreams!.connect(this, this.#preface);
  }

  #send(): void {
    const upstream = this.#upstream!;
    const { head, lacksHost, method, expectsContinue, upgrade } = this.#admission!;
    const asks = expectsContinue && !this.#hasContinued && this.#body.bytes === 0;
    const expect = asks ? "expect: 100-continue\r\n" : "";
    upstream.beginRequest(method, upgrade);
    this.wasSent = true;
    this.#sentAtMs = this.#context.clock.nowMs();
    this.#isSending = true;
    const isRoomLeft = this.#body.send(`${this.#upstreams!.headFor(head, lacksHost)}${expect}\r\n`, upstream);
    this.#noteSending(isRoomLeft && !asks);
    if (isRoomLeft) this.#client.resumeBody();
    else this.#client.pauseBody();
  }

  /**
   * Whose turn it is while the request goes out: the client's, who has a deadline of its own, or, when the
   * backend takes no more or has all of it, the backend's.
   */
  #noteSending(isClientsTurn: boolean): void {
    if (!this.#isSending) return;
    if (this.#isAnswered) {
      if (this.#relay.isRoomLeft) this.#expectBytes();
    } else if (isClientsTurn && !this.#body.isDone) this.#context.deadlines.clear(this.#deadline);
    else this.#expectBytes();
  }

  /** The backend's next sign of life is due: the first byte of the answer, or the next one. */
  #expectBytes(): void {
    if (this.#upstream === null) return;
    const { firstByteMs, idleMs } = this.#admission!.traffic.timeouts;
    this.#context.deadlines.set(
      this.#deadline,
      this.#isAnswered && !this.#relay.isHolding ? idleMs : firstByteMs,
    );
  }

  #fail(reason: FailureReason, detail: string, isUnreachable: boolean): void {
    this.#cause = causeOf(detail);
    this.#record.detail = detail;
    this.#owner.onFailed({ reason, detail, isUnreachable });
  }
}

/** A close later than that after the request was sent is no coincidence with an idle timeout. */
const STALE_MS = 1_000;
