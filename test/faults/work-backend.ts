// A backend whose work is described by the request itself, so that one program serves every row:
//   /work?ms=20             an answer after 20 ms, once the body is there: "ok ID BYTES"
//   /events?n=50&gap=10     50 server-sent events, 10 ms apart, then [DONE]
//   /bytes?n=1000000        that many bytes, as fast as they are taken
import { once } from "node:events";
import net from "node:net";
import { Random } from "../../src/core/kit/random.ts";
import { resetSocket } from "../fixtures/reset.ts";
import { within } from "../fixtures/until.ts";

/** How a backend misbehaves; may be changed at any time and holds for requests from then on. */
export interface Traits {
  /** Its work takes that many times longer. */
  slowness: number;
  /** Share of requests that are answered at once with `failStatus`. */
  failShare: number;
  failStatus: number;
  /** Where it resets the connection, if anywhere. */
  resets: "never" | "accept" | "head" | "answer";
  /** Share of requests that `resets` holds for. */
  resetShare: number;
  /** What its probes are answered. */
  probeStatus: number;
  /** Keep-alive seconds that it announces and keeps to; 0 announces nothing and keeps for ever. */
  keepSeconds: number;
}

/** One TCP server of work; notes each request before it does anything about it. */
export class WorkBackend {
  readonly name: string;
  readonly traits: Traits = {
    slowness: 1,
    failShare: 0,
    failStatus: 500,
    resets: "never",
    resetShare: 1,
    probeStatus: 200,
    keepSeconds: 0,
  };
  readonly #noteDelivery: (id: string) => void;
  readonly random: Random;
  port = 0;
  deliveries = 0;
  probes = 0;
  accepted = 0;
  inFlight = 0;
  inFlightMax = 0;
  /** Requests whose connection closed before their answer was complete. */
  cancelled = 0;
  bytesWritten = 0;
  readonly sockets: Set<net.Socket> = new Set();
  #server: net.Server;
  #host = "127.0.0.1";

  constructor(name: string, random: Random, noteDelivery: (id: string) => void) {
    this.name = name;
    this.random = random;
    this.#noteDelivery = noteDelivery;
    this.#server = this.#create();
  }

  get id(): string {
    return `127.0.0.1:${this.port}`;
  }

  async listen(port = 0, host = "127.0.0.1"): Promise<void> {
    this.#host = host;
    this.#server.listen({ host, port, backlog: 1024 });
    await within(once(this.#server, "listening"), `backend ${this.name} to listen`);
    this.port = (this.#server.address() as net.AddressInfo).port;
  }

  /** Like a process that dies: nobody listens, every connection is reset. */
  async die(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.sockets) resetSocket(socket);
    await within(closed, `the end of backend ${this.name}`);
  }

  /** Comes back on the same port. */
  async revive(): Promise<void> {
    if (this.#server.listening) return;
    this.#server = this.#create();
    await this.listen(this.port, this.#host);
  }

  /** A request has come whose work begins now. */
  delivered(id: string): void {
    this.deliveries++;
    this.inFlight++;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    this.#noteDelivery(id);
  }

  #create(): net.Server {
    return net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.accepted++;
      if (this.traits.resets === "accept" && this.random.float() < this.traits.resetShare) {
        resetSocket(socket);
        return;
      }
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      new WorkConnection(this, socket).begin();
    });
  }
}

/** One connection: one request after the other, never two at once (Evener does not pipeline). */
class WorkConnection {
  readonly #backend: WorkBackend;
  readonly #socket: net.Socket;
  #head: Buffer = Buffer.alloc(0);
  #bodyLeft = 0;
  #bodyBytes = 0;
  #job: Job | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(backend: WorkBackend, socket: net.Socket) {
    this.#backend = backend;
    this.#socket = socket;
  }

  begin(): void {
    this.#socket.on("error", () => {});
    this.#socket.on("end", () => this.#socket.end());
    this.#socket.on("data", (bytes: Buffer) => this.#read(bytes));
    this.#socket.on("close", () => {
      if (this.#timer !== null) clearTimeout(this.#timer);
      if (this.#job === null) return;
      this.#backend.cancelled++;
      this.#end();
    });
  }

  #read(bytes: Buffer): void {
    if (this.#job !== null) return this.#readBody(bytes);
    this.#head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const text = this.#head.subarray(0, end).toString("latin1");
    const rest = this.#head.subarray(end + 4);
    this.#head = Buffer.alloc(0);
    if (text.includes("evener-probe")) {
      this.#backend.probes++;
      this.#socket.write(`HTTP/1.1 ${this.#backend.traits.probeStatus} X\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    if (this.#timer !== null) clearTimeout(this.#timer);
    const job = jobOf(text);
    this.#job = job;
    this.#bodyLeft = job.bodyBytes;
    this.#bodyBytes = 0;
    this.#backend.delivered(job.id);
    const { resets, resetShare } = this.#backend.traits;
    if (resets === "head" && this.#backend.random.float() < resetShare) {
      resetSocket(this.#socket);
      return;
    }
    this.#readBody(rest);
  }

  #readBody(bytes: Buffer): void {
    if (this.#bodyLeft < 0) return;
    this.#bodyBytes += bytes.length;
    this.#bodyLeft -= bytes.length;
    if (this.#bodyLeft > 0) return;
    this.#bodyLeft = -1;
    this.#work(this.#job!);
  }

  #work(job: Job): void {
    const { traits, random } = this.#backend;
    if (traits.failShare > 0 && random.float() < traits.failShare) {
      return this.#respond(traits.failStatus, "failed");
    }
    if (job.kind === "work") {
      const body = `ok ${job.id} ${this.#bodyBytes}`;
      this.#timer = setTimeout(() => this.#respond(200, body), job.ms * traits.slowness);
      return;
    }
    this.#timer = setTimeout(() => this.#stream(job), FIRST_EVENT_MS * traits.slowness);
  }

  #respond(status: number, body: string): void {
    const { traits, random } = this.#backend;
    const keep = traits.keepSeconds > 0 ? `keep-alive: timeout=${traits.keepSeconds}\r\n` : "";
    const head = `HTTP/1.1 ${status} X\r\ncontent-length: ${body.length}\r\n${keep}\r\n`;
    if (traits.resets === "answer" && random.float() < traits.resetShare) {
      this.#socket.write(head + body.slice(0, 2), () => resetSocket(this.#socket));
      return;
    }
    this.#end();
    this.#socket.write(head + body);
    if (traits.keepSeconds > 0) {
      this.#timer = setTimeout(() => this.#socket.end(), traits.keepSeconds * 1000);
    }
  }

  #stream(job: Job): void {
    if (job.kind === "bytes") return this.#sendBytes(job.n);
    this.#socket.write(
      "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    this.#nextEvent(job, 0);
  }

  #nextEvent(job: Job, sent: number): void {
    const { traits, random } = this.#backend;
    if (traits.resets === "answer" && sent > 0 && random.float() < traits.resetShare) {
      resetSocket(this.#socket);
      return;
    }
    if (sent === job.n) {
      this.#end();
      this.#socket.write(`${chunk("data: [DONE]\n\n")}0\r\n\r\n`);
      return;
    }
    this.#socket.write(chunk(`data: ${sent} of ${job.n} for ${job.id}\n\n`));
    this.#timer = setTimeout(() => this.#nextEvent(job, sent + 1), job.ms * traits.slowness);
  }

  #sendBytes(length: number): void {
    this.#socket.write(`HTTP/1.1 200 X\r\ncontent-length: ${length}\r\n\r\n`);
    let left = length;
    const more = (): void => {
      while (left > 0 && !this.#socket.destroyed) {
        const piece = PIECE.subarray(0, Math.min(left, PIECE.length));
        left -= piece.length;
        this.#backend.bytesWritten += piece.length;
        if (!this.#socket.write(piece)) return void this.#socket.once("drain", more);
      }
      if (left === 0) this.#end();
    };
    more();
  }

  #end(): void {
    this.#job = null;
    this.#backend.inFlight--;
  }
}

interface Job {
  readonly id: string;
  readonly kind: "work" | "events" | "bytes";
  readonly ms: number;
  readonly n: number;
  readonly bodyBytes: number;
}

const FIRST_EVENT_MS = 5;
const PIECE: Buffer = Buffer.alloc(16 * 1024, "x");

function jobOf(head: string): Job {
  const target = head.slice(head.indexOf(" ") + 1, head.indexOf(" HTTP/"));
  const url = new URL(target, "http://backend");
  const kind = url.pathname === "/events" ? "events" : url.pathname === "/bytes" ? "bytes" : "work";
  return {
    id: /\r\nx-test-id: ([^\r]*)/i.exec(head)?.[1] ?? "",
    kind,
    ms: Number(url.searchParams.get(kind === "events" ? "gap" : "ms") ?? 0),
    n: Number(url.searchParams.get("n") ?? 0),
    bodyBytes: Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0),
  };
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
