// Hot path: numbers while the request runs, one string at its end.
import type { Lease } from "../core/lease.ts";
import { ForwardedChain } from "./forwarded-chain.ts";
import type { Peer } from "./peer.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import { jsonText } from "./access-log.ts";
import type { ProxyContext } from "./context.ts";
import { reasonText } from "./describe/reason-text.ts";
import { callText } from "./describe/call-text.ts";
import type { ModelCall } from "./describe/model-call.ts";
import { Opening } from "./opening.ts";
import { LogAnswer, LogQuestion } from "./log-parts.ts";
import { END_REASONS, type EndReason } from "./pool-stats.ts";

/** What is noted of one request, for its log line and the figures. One object a connection, used again. */
export class RequestRecord {
  readonly peer: Peer;
  /** What a trusted peer says of the request; null for every other peer. */
  readonly chain: ForwardedChain | null;
  /** Address of who asked: the peer, or whom a trusted peer names. */
  client: string;
  beganMs = 0;
  method = "";
  target = "";
  host = "";
  isLlm = false;
  requestId = "";
  traceparent = "";
  route = "";
  traffic: PoolTraffic | null = null;
  /** Of a prompt that was described; null for all else. */
  call: ModelCall | null = null;
  backend = "";
  attempts = 0;
  status = 0;
  /** Since when it waits; -1 when it does not. */
  queuedAtMs = -1;
  /** Milliseconds; -1 is "did not come to it". */
  queueMs = -1;
  connectMs = -1;
  firstByteMs = -1;
  bytesIn = 0;
  bytesOut = 0;
  /** For {@link reason}: which backend it has left, and is not yet at another. "" is none. */
  #moved = "";
  /** Failures of earlier attempts: "backend:reason" each. */
  history = "";
  /** More about the last failure, such as the system's error code. */
  detail = "";
  why = "";
  /** The same, and more where it was a prompt. */
  reason = "";
  /** Decision headers of the backend that was met last, kept for the next request. */
  usualBackend = "";
  usualLines = "";

  readonly opening: Opening = new Opening();
  readonly #question: LogQuestion;
  readonly #answer: LogAnswer = new LogAnswer();

  constructor(peer: Peer) {
    this.peer = peer;
    this.#question = new LogQuestion(peer);
    this.chain = peer.trusted === null ? null : new ForwardedChain(peer, peer.trusted);
    this.client = peer.address;
  }

  /** The client's way to the first of us and our proxies was TLS. */
  get isSecure(): boolean {
    const scheme = this.chain === null ? this.peer.scheme : this.chain.scheme;
    return scheme === "https" || scheme === "wss";
  }

  begin(nowMs: number): void {
    this.beganMs = nowMs;
    this.route = "";
    this.traffic = null;
    this.call = null;
    this.backend = "";
    this.attempts = 0;
    this.status = 0;
    this.queuedAtMs = -1;
    this.queueMs = -1;
    this.connectMs = -1;
    this.firstByteMs = -1;
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.history = "";
    this.detail = "";
    this.why = "";
    this.#moved = "";
  }

  /** A request that could not be understood: nothing is known of it. */
  beginUnreadable(nowMs: number, requestId: string): void {
    this.begin(nowMs);
    this.client = this.peer.address;
    this.requestId = requestId;
    this.method = "";
    this.target = "";
    this.host = "";
    this.traceparent = "";
    this.isLlm = false;
  }

  /** It waits no more, if it did. */
  noteDequeued(nowMs: number): void {
    if (this.queuedAtMs >= 0) this.queueMs = nowMs - this.queuedAtMs;
    this.queuedAtMs = -1;
  }

  /** The head of an answer has come. */
  noteFirstByte(nowMs: number): void {
    this.firstByteMs = nowMs - this.beganMs;
  }

  /** It goes to the lease's backend, which was chosen just now. */
  noteAttempt(lease: Lease, { placements }: ProxyContext): void {
    const { endpoint, why } = lease;
    this.attempts++;
    this.backend = endpoint!.id;
    this.why = this.#moved !== "" ? "moved" : this.attempts > 1 ? "retry" : why;
    this.reason = this.why;
    const moved = this.#moved;
    this.#moved = "";
    if (!lease.isPrompt) return;
    const { pool } = this.traffic!;
    this.reason = moved + reasonText(lease, pool.roster);
    placements.note(this.requestId, this.attempts, this.queueMs, lease, pool);
  }

  /** An attempt has failed and another one follows. */
  noteFailure(reason: string): void {
    this.history += `${this.history === "" ? "" : " "}${this.backend}:${reason}`;
  }

  /** It leaves its backend, whose first token is late after so long, for one that should be sooner. */
  noteMoved(waitedMs: number): void {
    this.noteFailure("late");
    this.#moved = `moved from ${this.backend}, late after ${(waitedMs / 1_000).toFixed(1)} s; `;
  }

  /** The request has ended: into the figures, and into the access log, with the bytes of both bodies. */
  end(reason: EndReason, { accessLog, clock }: ProxyContext, bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    const nowMs = clock.nowMs();
    this.count(reason, nowMs);
    if (!accessLog.isOn) return;
    accessLog.append(this.line(reason, nowMs, accessLog.isoTime(), accessLog.hasHashes));
  }

  /** Books the request into the figures of its pool and backend. */
  count(reason: EndReason, nowMs: number): void {
    const traffic = this.traffic;
    if (traffic === null) return;
    traffic.stats.ends[END_REASONS.indexOf(reason)]! += 1;
    if (this.queueMs >= 0) traffic.stats.queueMs.record(this.queueMs);
    if (this.backend === "") return;
    const stats = traffic.stats.of(this.backend);
    stats.statusClasses[this.status >= 100 ? Math.floor(this.status / 100) : 0]! += 1;
    // How long a tunnel stands is no duration of an answer.
    if (this.status !== 101) stats.totalMs.record(nowMs - this.beganMs);
    stats.bytesToClient += this.bytesOut;
    if (this.firstByteMs < 0) return;
    stats.firstByteMs.record(this.firstByteMs);
    stats.recentFirstByteMs.record(this.firstByteMs, nowMs);
  }

  /** The access log's line, with its line end. */
  line(reason: EndReason, nowMs: number, isoTime: string, hasHashes = false): string {
    const pool = this.traffic?.name ?? "";
    // Ids have nothing in them that JSON would escape.
    let text = `{"time":"${isoTime}","id":"${this.requestId}","trace":"${this.traceparent.slice(3, 35)}`;
    text += this.#question.of(this.client, this.method, this.host, this.target, this.route, pool);
    text += this.#answer.of(this.backend, this.why, this.attempts, this.status, reason);
    if (this.queueMs < 0 && this.connectMs < 0) text += NEITHER_QUEUE_NOR_CONNECT;
    else text += `,"queue_ms":${milliseconds(this.queueMs)},"connect_ms":${milliseconds(this.connectMs)}`;
    text += `,"first_byte_ms":${milliseconds(this.firstByteMs)}`;
    text += `,"total_ms":${milliseconds(nowMs - this.beganMs)}`;
    text += `,"bytes_in":${this.bytesIn},"bytes_out":${this.bytesOut}`;
    if (this.call !== null) text += callText(this.call, this.beganMs, hasHashes);
    if (this.client !== this.peer.address) text += `,"peer":"${this.peer.address}"`;
    if (this.detail !== "") text += `,"detail":${jsonText(this.detail)}`;
    if (this.history !== "") text += `,"failed":${jsonText(this.history)}`;
    return `${text}}\n`;
  }
}

const NEITHER_QUEUE_NOR_CONNECT = ',"queue_ms":null,"connect_ms":null';

/** To a hundredth; null when it did not come to it. */
function milliseconds(ms: number): string {
  if (ms < 0) return "null";
  // Whole numbers become text several times faster than fractions do.
  const hundredths = Math.round(ms * 100);
  const whole = Math.floor(hundredths / 100);
  const rest = hundredths - whole * 100;
  return rest < 10 ? `${whole}.0${rest}` : `${whole}.${rest}`;
}
