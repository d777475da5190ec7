import type net from "node:net";
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import { canonicalIp, type IpRanges } from "../core/kit/ip-address.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import { FAILED, NEED_MORE } from "../http1/parser.ts";
import { type ConnectionEnds, ProxyHeaderParser } from "../http1/proxy-protocol.ts";

/** What a PROXY header has said. */
export interface Introduction {
  /** Of the relayed connection, or of the socket where the header names none. */
  readonly ends: ConnectionEnds;
  /** The sender had TLS with its client. */
  readonly isTls: boolean;
}

/**
 * Connections on listeners with `proxy_protocol` until their header has come. Whoever is not trusted, says
 * something else or takes too long is closed: on such a listener nothing is read without a header.
 */
export class Prefaces {
  readonly #deadlines: Deadlines;
  readonly #onRefused: (address: string, reason: string) => void;
  readonly #waiting: Set<Preface> = new Set();

  constructor(deadlines: Deadlines, onRefused: (address: string, reason: string) => void) {
    this.#deadlines = deadlines;
    this.#onRefused = onRefused;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /**
   * Reads the header, then hands the socket over as it was accepted: what came behind the header is in it
   * again, for HTTP or for TLS.
   */
  await(
    socket: net.Socket,
    trusted: IpRanges,
    timeoutMs: number,
    onReady: (introduction: Introduction) => void,
  ): void {
    const address = canonicalIp(socket.remoteAddress ?? "");
    if (!trusted.hasText(address)) {
      socket.on("error", () => {});
      socket.destroy();
      return this.#onRefused(address, "is not in trusted_proxies");
    }
    const preface = new Preface(socket, this.#deadlines, (introduction, reason) => {
      this.#waiting.delete(preface);
      if (introduction !== null) onReady(introduction);
      else if (reason !== "") this.#onRefused(address, reason);
    });
    this.#waiting.add(preface);
    preface.begin(timeoutMs);
  }

  /** Ends all that wait. */
  close(): void {
    for (const preface of this.#waiting) preface.end(null, "");
  }
}

/** One socket that waits for its header. */
class Preface implements DeadlineOwner {
  readonly #socket: net.Socket;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #parser: ProxyHeaderParser = new ProxyHeaderParser();
  readonly #onEnd: (introduction: Introduction | null, reason: string) => void;
  #isOver = false;
  #hasBegun = false;

  constructor(
    socket: net.Socket,
    deadlines: Deadlines,
    onEnd: (introduction: Introduction | null, reason: string) => void,
  ) {
    this.#socket = socket;
    this.#deadlines = deadlines;
    this.#onEnd = onEnd;
  }

  begin(timeoutMs: number): void {
    const socket = this.#socket;
    this.#deadlines.set(this.#deadline, timeoutMs);
    socket.on("error", this.#onGone);
    socket.on("close", this.#onGone);
    socket.on("end", this.#onGone);
    // Not "data": a socket that has once flowed or been paused would not begin to flow for its next reader.
    socket.on("readable", this.#onReadable);
  }

  onDeadline(): void {
    this.end(null, "sent no whole PROXY header in time");
  }

  /** Hands the socket over, or closes it for a reason; without a reason nobody is told. */
  end(introduction: Introduction | null, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const socket = this.#socket;
    this.#deadlines.remove(this.#deadline);
    socket.off("close", this.#onGone);
    socket.off("end", this.#onGone);
    socket.off("readable", this.#onReadable);
    if (introduction === null) socket.destroy();
    else socket.off("error", this.#onGone);
    this.#onEnd(introduction, reason);
  }

  readonly #onReadable = (): void => {
    while (!this.#isOver) {
      const bytes = this.#socket.read() as Buffer | null;
      if (bytes === null) return;
      this.#hasBegun = true;
      const used = this.#parser.parse(bytes);
      if (used === NEED_MORE) continue;
      if (used === FAILED) return this.end(null, `sent ${this.#parser.error}`);
      if (used < bytes.length) this.#socket.unshift(bytes.subarray(used));
      this.end({ ends: this.#parser.ends ?? this.#socket, isTls: this.#parser.isTls }, "");
    }
  };

  /** Load balancers connect and leave to see that we live: that is no refusal. */
  readonly #onGone = (): void => {
    this.end(null, this.#hasBegun ? "left in the middle of its PROXY header" : "");
  };
}
