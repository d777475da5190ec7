// Hot path: only on routes with a mirror; one object a mirrored request, whose body is the original's bytes.
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { Lease, type Outcome } from "../core/lease.ts";
import { Work } from "../core/work.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead, ResponseHead } from "../http1/head.ts";
import type { Admission } from "./admit.ts";
import { outcomeOf } from "./answers.ts";
import type { ProxyContext } from "./context.ts";
import { bodyKeyOf, keyOf } from "./keys.ts";
import type { Peer } from "./peer.ts";
import type { RequestRecord } from "./record.ts";
import { RequestBody } from "./request-body.ts";
import { retryAfterMs } from "./retry.ts";
import type { RouteMirror } from "./route.ts";
import type { UpstreamConnection, UpstreamFailure, UpstreamListener } from "./upstream.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

/** The mirrored requests of a data plane that are under way. */
export class Mirrors {
  readonly #active: Set<MirroredRequest> = new Set();

  add(request: MirroredRequest): void {
    this.#active.add(request);
  }

  delete(request: MirroredRequest): void {
    this.#active.delete(request);
  }

  /** Nobody waits for their answers: a stop cuts them. */
  close(): void {
    for (const request of this.#active) request.cancel();
  }
}

/** Draws whether a request is mirrored. The keys of the mirror's choice are read now: heads do not last. */
export function drawMirror(
  context: ProxyContext,
  mirror: RouteMirror,
  head: RequestHead,
  { peer, client }: RequestRecord,
): MirroredRequest | null {
  if (context.random.float() >= mirror.share) return null;
  const request = new MirroredRequest(context, mirror, peer, client);
  const { hashKey, sessionKey } = mirror.traffic;
  if (hashKey !== null) request.work.key = keyOf(hashKey, head, client);
  if (sessionKey !== null) request.work.sessionKey = keyOf(sessionKey, head, client);
  return request;
}

/**
 * A copy of a request on its way to a mirror pool. Its answer is read and thrown away; whatever happens to
 * it, the original never learns. It waits for nobody: without a free place it is dropped, and counted.
 */
export class MirroredRequest implements UpstreamListener, DeadlineOwner {
  readonly work: Work = new Work();
  readonly #context: ProxyContext;
  readonly #mirror: RouteMirror;
  readonly #peer: Peer;
  readonly #client: string;
  readonly #lease: Lease = new Lease();
  readonly #body: RequestBody = new RequestBody();
  readonly #deadline: Deadline = new Deadline(this);
  #hasBegun = false;
  #head = "";
  #lacksHost = false;
  #method = "";
  /** The PROXY header for the backend; "" where none is sent. */
  #preface = "";
  #upstreams: UpstreamPool | null = null;
  #upstream: UpstreamConnection | null = null;
  #isFresh = false;
  #beganMs = 0;
  #status = 0;
  #retryAfterMs = 0;

  constructor(context: ProxyContext, mirror: RouteMirror, peer: Peer, client: string) {
    this.#context = context;
    this.#mirror = mirror;
    this.#peer = peer;
    this.#client = client;
  }

  /** The whole request has come; the copy goes out after it. */
  begin({ head, lacksHost, method, route }: Admission, body: RequestBody): void {
    const { traffic, requestsMax } = this.#mirror;
    this.#hasBegun = true;
    if (!body.isKept || traffic.stats.mirroring >= requestsMax) {
      traffic.stats.mirrorsDropped++;
      return;
    }
    this.#head = `${head}${MARK_LINE}`;
    this.#lacksHost = lacksHost;
    this.#method = method;
    this.#body.copy(body);
    this.work.classIndex = route.classIndex;
    traffic.stats.mirroring++;
    this.#context.mirrors.add(this);
    setImmediate(() => this.#pick());
  }

  /** Where that was before all of the body had come, there is nothing to copy. */
  originalEnded(): void {
    if (!this.#hasBegun) this.#mirror.traffic.stats.mirrorsDropped++;
  }

  /** Gives it up. */
  cancel(): void {
    this.#upstream?.destroy();
    this.#finish("cancelled", false);
  }

  onConnected(): void {
    this.#send();
  }

  onInterim(): void {
    // Nobody waits for it.
  }

  onResponseHead(head: ResponseHead): void {
    this.#status = head.status;
    this.#retryAfterMs = retryAfterMs(head.value(FIELD.retryAfter), Date.now());
    this.#lease.started();
  }

  onSwitched(): void {
    // Never: nothing is offered, and a 101 unasked is a failure.
  }

  onResponsePayload(): void {
    // Thrown away.
  }

  onResponseReadEnd(): void {
    const { idleMs, firstByteMs } = this.#mirror.traffic.timeouts;
    this.#context.deadlines.set(this.#deadline, this.#status > 0 ? idleMs : firstByteMs);
  }

  onResponseEnd(connection: UpstreamConnection, _trailers: string, isReusable: boolean): void {
    if (isReusable) this.#upstreams!.giveBack(connection);
    else connection.destroy();
    this.#finish(outcomeOf(this.#status), false);
  }

  onUpstreamDrain(): void {
    // The whole body has been handed over.
  }

  onUpstreamFailed(failure: UpstreamFailure): void {
    const upstream = this.#upstream;
    const wasIdle = upstream !== null && upstream.answers > 0 && !upstream.hasAnswerBytes;
    // The backend may have closed an idle connection just then: that is no failure of it.
    if (failure.kind === "reset" && wasIdle && !this.#isFresh) return this.#connect();
    this.#status = 0;
    this.#finish("backend_error", failure.isUnreachable);
  }

  onDeadline(): void {
    this.#upstream?.destroy();
    this.#status = 0;
    this.#finish("timeout", false);
  }

  #pick(): void {
    // A stop came first.
    if (this.#head === "") return;
    const { traffic } = this.#mirror;
    const { pool, hashKey, sessionKey } = traffic;
    if (hashKey?.from === "body") this.work.key = bodyKeyOf(hashKey.name, this.#body.chunks);
    if (sessionKey?.from === "body") this.work.sessionKey = bodyKeyOf(sessionKey.name, this.#body.chunks);
    // Those who wait there are clients: a copy does not take their place.
    const hasPlace = pool.queue.length === 0 && pool.pick(this.work, this.#lease).kind === "send";
    this.#upstreams = hasPlace ? traffic.upstreams.of(this.#lease.endpoint!) : null;
    if (this.#upstreams === null) {
      traffic.stats.mirrorsDropped++;
      return this.#finish("cancelled", false);
    }
    traffic.stats.mirrored++;
    this.#beganMs = this.#context.clock.nowMs();
    this.#preface = this.#upstreams.prefaceFor(this.#peer, this.#client);
    this.#upstream = this.#upstreams.takeIdle(this.#preface);
    if (this.#upstream === null) return this.#connect();
    this.#upstream.attach(this);
    this.#send();
  }

  #connect(): void {
    this.#isFresh = true;
    this.#upstream = this.#upstreams!.connect(this, this.#preface);
  }

  #send(): void {
    const upstream = this.#upstream!;
    upstream.beginRequest(this.#method, null);
    const head = this.#upstreams!.headFor(this.#head, this.#lacksHost);
    this.#body.send(`${head}\r\n`, upstream);
    this.#context.deadlines.set(this.#deadline, this.#mirror.traffic.timeouts.firstByteMs);
  }

  #finish(outcome: Outcome, isUnreachable: boolean): void {
    if (this.#head === "") return;
    this.#head = "";
    this.#upstream = null;
    this.#context.deadlines.remove(this.#deadline);
    this.#context.mirrors.delete(this);
    this.#body.release();
    const { stats } = this.#mirror.traffic;
    stats.mirroring--;
    if (this.#status > 0) {
      const figures = stats.of(this.#lease.endpoint!.id);
      figures.statusClasses[Math.floor(this.#status / 100)]! += 1;
      figures.totalMs.record(this.#context.clock.nowMs() - this.#beganMs);
    }
    this.#lease.settle(outcome, { retryAfterMs: this.#retryAfterMs, isUnreachable });
  }
}

/** Kept for the mirror where the pool keeps nothing for retries. */
export const MIRROR_BODY_BYTES_MAX: number = 1024 * 1024;

const MARK_LINE = "x-evener-mirror: 1\r\n";
