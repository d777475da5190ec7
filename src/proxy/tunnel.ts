// Hot path: a few objects a tunnel; per read one copy and one write. Bytes are looked at only to know where a
// WebSocket's frames end.
import { randomBytes } from "node:crypto";
import { Deadline, type DeadlineOwner } from "../core/kit/deadline-wheel.ts";
import type { Lease, Outcome } from "../core/lease.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { Transport, TransportHandler } from "../http1/transport.ts";
import { HELD_CHECK_MS } from "../http1/timekeeper.ts";
import { FrameMeter, goingAwayFrame } from "./frame-meter.ts";
import type { EndReason } from "./pool-stats.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import type { RequestRecord } from "./record.ts";
import { WEBSOCKET } from "./upgrade.ts";

/** What a tunnel is made of. */
export interface TunnelSetup {
  readonly client: ServerConnection;
  readonly backend: Transport;
  /** What both sides have switched to. */
  readonly protocol: string;
  readonly traffic: PoolTraffic;
  /** Open and established; the tunnel settles it. */
  readonly lease: Lease;
  /** For the bytes. */
  readonly record: RequestRecord;
  readonly deadlines: Deadlines;
  readonly owner: TunnelOwner;
}

/** Whose request has become a tunnel. */
export interface TunnelOwner {
  /** Exactly once; the lease is settled, and what may still be open of the connections closes by itself. */
  onTunnelEnd(reason: EndReason): void;
}

/**
 * Carries bytes both ways after a 101, as they come. A FIN of one side is a FIN to the other, whose own
 * direction goes on; a reset is a reset. What one side does not read is not read from the other either, but
 * for one read and what the transport buffers.
 */
export class Tunnel implements DeadlineOwner {
  readonly #setup: TunnelSetup;
  readonly #deadline: Deadline = new Deadline(this);
  readonly #client: Side;
  readonly #backend: Side;
  /** What waited to be sent when progress was looked for last. */
  #waitingBytes = 0;
  /** Its end is written: what still comes is dropped. */
  #hasEnded = false;

  constructor(setup: TunnelSetup) {
    this.#setup = setup;
    const isWebSocket = setup.protocol === WEBSOCKET;
    this.#client = new Side(this, setup.client.transport, setup.deadlines, isWebSocket);
    this.#backend = new Side(this, setup.backend, setup.deadlines, isWebSocket);
    this.#client.other = this.#backend;
    this.#backend.other = this.#client;
  }

  /**
   * `head` is the 101 for the client; `rest` came behind it from the backend. What the client sent before it
   * could know goes to the backend now, and not before.
   */
  begin(head: string, rest: Buffer): void {
    const { client, backend, traffic } = this.#setup;
    traffic.stats.tunnels++;
    backend.handler = this.#backend;
    const early = client.handOver(this.#client);
    const { transport } = client;
    transport.cork();
    const isRoomLeft = transport.write(head);
    if (rest.length > 0) this.#backend.onData(rest);
    else if (!isRoomLeft) this.#backend.pause();
    transport.uncork();
    if (early !== null) this.#client.onData(early);
    this.#expectBytes();
  }

  /** The balancer stops and has waited long enough. */
  shutDown(): void {
    this.#closeDown("shutdown");
  }

  /** Bytes of `side` are to go to the other one. False: they are not wanted any more. */
  passes(side: Side, length: number): boolean {
    if (this.#hasEnded) return false;
    if (side === this.#client) this.#setup.record.bytesIn += length;
    else this.#setup.record.bytesOut += length;
    this.#expectBytes();
    return true;
  }

  /** A side has sent its last byte, or has read all that was there for it. */
  moved(): void {
    if (!this.#hasEnded) this.#expectBytes();
  }

  /** `isPeace`: both sides had said that they were done. */
  closed(side: Side, isPeace: boolean): void {
    this.#noteClose(side, isPeace);
    if (!side.other.isClosed) return;
    this.#setup.deadlines.remove(this.#deadline);
    this.#setup.client.onClose();
  }

  onDeadline(): void {
    if (this.#hasEnded) {
      this.#client.transport.reset();
      this.#backend.transport.reset();
      return;
    }
    const waitingBytes = this.#client.transport.bufferedBytes + this.#backend.transport.bufferedBytes;
    const hasMoved = waitingBytes !== this.#waitingBytes;
    this.#waitingBytes = waitingBytes;
    if (waitingBytes > 0 && hasMoved) this.#expectBytes();
    else this.#closeDown("tunnel_idle");
  }

  #noteClose(side: Side, isPeace: boolean): void {
    const isClient = side === this.#client;
    if (this.#hasEnded) {
      // What was there for the backend has left by now, or would not be read.
      if (isClient) side.other.transport.destroy();
      return;
    }
    if (!isPeace) {
      side.other.transport.reset();
      return isClient
        ? this.#end("client_abort", "client_abort")
        : this.#end("backend_died", "backend_error");
    }
    // A backend that is done is free, also while its last bytes are on their way to the client.
    if (!isClient) this.#setup.lease.settle("ok");
    if (side.other.isClosed) this.#end("ok", "ok");
  }

  /** A tunnel of which one half is closed is an answer that goes on: it is given as long as one. */
  #expectBytes(): void {
    const { tunnelIdleMs, idleMs } = this.#setup.traffic.timeouts;
    const isHalf = this.#client.hasEnded || this.#backend.hasEnded;
    this.#setup.deadlines.set(this.#deadline, isHalf ? Math.min(idleMs, tunnelIdleMs) : tunnelIdleMs);
  }

  /** We end it: a WebSocket is told so where that is possible, everything else sees that it was cut. */
  #closeDown(reason: EndReason): void {
    if (this.#hasEnded) return;
    this.#client.closeDown(null);
    this.#backend.closeDown(randomBytes(4));
    this.#end(reason, "cancelled");
    this.#setup.deadlines.set(this.#deadline, CLOSING_MS);
  }

  #end(reason: EndReason, outcome: Outcome): void {
    this.#hasEnded = true;
    this.#setup.traffic.stats.tunnels--;
    this.#setup.lease.settle(outcome);
    this.#setup.owner.onTunnelEnd(reason);
  }
}

/** One side of a tunnel: what it says goes to the other. */
class Side implements TransportHandler, DeadlineOwner {
  readonly transport: Transport;
  /** Set before anything comes. */
  other!: Side;
  /** It has sent its FIN. */
  hasEnded = false;
  isClosed = false;
  readonly #tunnel: Tunnel;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline = new Deadline(this);
  /** Of what it says. */
  readonly #frames: FrameMeter | null;

  constructor(tunnel: Tunnel, transport: Transport, deadlines: Deadlines, isWebSocket: boolean) {
    this.#tunnel = tunnel;
    this.#deadlines = deadlines;
    this.transport = transport;
    this.#frames = isWebSocket ? new FrameMeter() : null;
  }

  onData(bytes: Buffer): void {
    if (!this.#tunnel.passes(this, bytes.length)) return;
    this.#frames?.take(bytes);
    // The transport's buffer is reused by the next read: these bytes must be their own.
    if (!this.other.transport.write(Buffer.from(bytes))) this.pause();
  }

  /** Reads no further, until the other side has read. */
  pause(): void {
    this.transport.pause();
    this.#deadlines.set(this.#deadline, HELD_CHECK_MS);
  }

  onDrain(): void {
    this.other.resume();
    this.#tunnel.moved();
  }

  resume(): void {
    this.transport.resume();
    this.#deadlines.clear(this.#deadline);
  }

  /** Who is not read from does not say that it was reset: a write of nothing finds out. */
  onDeadline(): void {
    if (this.transport.bufferedBytes === 0) this.transport.write("");
    this.#deadlines.set(this.#deadline, HELD_CHECK_MS);
  }

  onEnd(): void {
    this.hasEnded = true;
    this.other.transport.end();
    this.#tunnel.moved();
  }

  onClose(error: Error | null): void {
    this.isClosed = true;
    this.#deadlines.remove(this.#deadline);
    this.#tunnel.closed(this, error === null && this.hasEnded && this.other.hasEnded);
  }

  /** The tunnel ends by our will; `mask` for frames to this side, null where it gets a server's frames. */
  closeDown(mask: Uint8Array | null): void {
    const said = this.other.#frames;
    const canTell = said !== null && said.isAtBoundary && !said.hasClosed && !this.other.hasEnded;
    if (!canTell) return this.transport.reset();
    this.transport.write(goingAwayFrame(mask));
    this.transport.end();
    // What it still says is dropped, but read: unread bytes would turn the close into a reset.
    this.resume();
  }
}

/** For a side to close after it was told that the tunnel ends. */
const CLOSING_MS = 2_000;
