import { type Address, addressText, bracketed } from "./address.ts";
import { BodyDecoder } from "./body.ts";
import { connectTransport } from "./socket-transport.ts";
import { FAILED, NEED_MORE, ResponseParser } from "./parser.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import type { TlsClient } from "./tls-client.ts";
import type { Transport, TransportHandler } from "./transport.ts";
import { escapeHeaderValue } from "./writer.ts";

/** One request on a connection of its own. */
export interface FetchOptions extends Address {
  /** Speaks TLS; absent or null: plain. */
  readonly tls?: TlsClient | null;
  /** "GET" if absent. */
  readonly method?: string;
  /** The target, "/" if absent; must be printable ASCII without spaces. */
  readonly path?: string;
  /** Further fields; Host, Connection and Content-Length are set here unless Host is given. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For everything from the connect to the last byte. */
  readonly timeoutMs: number;
  /** A longer body is an error (`ETOOLONG`). */
  readonly bodyBytesMax: number;
  readonly signal?: AbortSignal;
  /** Goes out first, latin1: a PROXY header. */
  readonly preface?: string;
}

/** What came back. Names are lower-case; fields of one name are joined by ", ". */
export interface FetchedResponse {
  readonly status: number;
  readonly headers: Map<string, string>;
  readonly body: Buffer;
}

/** A bounded connect. */
export interface TcpCheckOptions extends Address {
  /** The handshake of TLS must work, too. */
  readonly tls?: TlsClient | null;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Goes out first, latin1: a PROXY header. */
  readonly preface?: string;
}

/** Why a fetch failed: a code of the system (`ECONNREFUSED`, ...) or one of ours. */
export class FetchError extends Error {
  /**
   * `ETIMEDOUT`, `EABORTED`, `ERESPONSE` (not valid HTTP, or cut short), `ETOOLONG`, `ETLS_...`, or the
   * system's.
   */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FetchError";
    this.code = code;
  }
}

/** One request, for probes, scans and tests; rejects with {@link FetchError}. Never retries or redirects. */
export async function fetchOnce(options: FetchOptions): Promise<FetchedResponse> {
  return new Promise((resolve, reject) => {
    const text = requestText(options);
    const exchange = new Exchange(options, resolve, reject);
    exchange.begin(options, () => {
      exchange.send(text);
      if (options.body !== undefined && options.body.length > 0) exchange.send(bodyBytes(options.body));
    });
  });
}

/** Resolves when the port accepts a connection; rejects with {@link FetchError}. */
export async function tcpCheck(options: TcpCheckOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const attempt = new Attempt(options, reject);
    attempt.begin(options, () => attempt.finish(resolve));
  });
}

/** One connection with one end: success, error, timeout or abort, whichever is first. */
class Attempt implements TransportHandler {
  protected readonly where: string;
  readonly #reject: (error: FetchError) => void;
  #transport: Transport | null = null;
  #timer: NodeJS.Timeout | null = null;
  #signal: AbortSignal | null = null;
  #isOver = false;

  constructor(options: TcpCheckOptions, reject: (error: FetchError) => void) {
    this.where = addressText(options);
    this.#reject = reject;
  }

  begin(options: TcpCheckOptions, onConnect: () => void): void {
    if (options.signal?.aborted === true) return this.#onAbort();
    this.#timer = setTimeout(() => {
      this.fail("ETIMEDOUT", `no answer within ${options.timeoutMs} ms`);
    }, options.timeoutMs);
    this.#signal = options.signal ?? null;
    this.#signal?.addEventListener("abort", this.#onAbort);
    this.#transport = connectTransport(options, this, onConnect);
  }

  send(data: string | Uint8Array): void {
    this.#transport?.write(data);
  }

  onData(_bytes: Buffer): void {
    // What a server says unasked does not matter here.
  }

  onDrain(): void {
    // The request is written whole; the socket holds it.
  }

  onEnd(): void {
    this.fail("ERESPONSE", "the server closed before the end of its answer");
  }

  onClose(error: Error | null): void {
    const code = error === null ? "ERESPONSE" : ((error as NodeJS.ErrnoException).code ?? "ERESPONSE");
    this.fail(code, error === null ? "the server closed" : error.message, error);
  }

  fail(code: string, detail: string, cause: Error | null = null): void {
    const message = `${this.where}: ${detail}`;
    this.finish(() => this.#reject(new FetchError(code, message, cause === null ? undefined : { cause })));
  }

  finish(report: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#transport?.destroy();
    report();
  }

  readonly #onAbort = (): void => {
    this.fail("EABORTED", "the request was cancelled");
  };
}

class Exchange extends Attempt {
  readonly #parser = new ResponseParser(DEFAULT_LIMITS);
  readonly #decoder = new BodyDecoder(DEFAULT_LIMITS, "response");
  readonly #resolve: (response: FetchedResponse) => void;
  readonly #bodyBytesMax: number;
  readonly #pieces: Buffer[] = [];
  #headers: Map<string, string> | null = null;
  #status = 0;
  #bodyBytes = 0;

  constructor(
    options: FetchOptions,
    resolve: (response: FetchedResponse) => void,
    reject: (error: FetchError) => void,
  ) {
    super(options, reject);
    this.#resolve = resolve;
    this.#bodyBytesMax = options.bodyBytesMax;
    this.#parser.requestMethod = options.method ?? "GET";
  }

  override onData(bytes: Buffer): void {
    let at = 0;
    while (this.#headers === null) {
      at = this.#parser.parse(bytes, at);
      if (at === NEED_MORE) return;
      if (at === FAILED) return this.fail("ERESPONSE", this.#parser.error?.detail ?? "not HTTP");
      this.#takeHead();
    }
    if (this.#decoder.decode(bytes, at, this) === FAILED) {
      return this.fail("ERESPONSE", this.#decoder.error?.detail ?? "not HTTP");
    }
    if (this.#decoder.isDone) this.#succeed();
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    this.#bodyBytes += end - start;
    if (this.#bodyBytes <= this.#bodyBytesMax) this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    else this.fail("ETOOLONG", `the body is longer than ${this.#bodyBytesMax} bytes`);
  }

  override onEnd(): void {
    if (this.#headers !== null && this.#decoder.finishOnClose()) this.#succeed();
    else super.onEnd();
  }

  /** Takes what is needed of a head; interim ones (1xx) are skipped. */
  #takeHead(): void {
    const head = this.#parser.head;
    if (head.status < 200 && head.status !== 101) return;
    this.#status = head.status;
    this.#headers = new Map();
    for (let i = 0; i < head.count; i++) {
      const name = head.nameAt(i).toLowerCase();
      const before = this.#headers.get(name);
      this.#headers.set(name, before === undefined ? head.valueAt(i) : `${before}, ${head.valueAt(i)}`);
    }
    this.#decoder.start(head.framing, head.contentLength);
  }

  #succeed(): void {
    const response = {
      status: this.#status,
      headers: this.#headers ?? new Map<string, string>(),
      body: Buffer.concat(this.#pieces),
    };
    this.finish(() => this.#resolve(response));
  }
}

function requestText(options: FetchOptions): string {
  const method = options.method ?? "GET";
  const path = options.path ?? "/";
  if (!/^[!-~]+$/u.test(path))
    throw new FetchError("EREQUEST", `the path ${JSON.stringify(path)} is not valid`);
  const isUnix = options.socketPath !== undefined && options.socketPath !== null;
  // A unix socket has no name; servers that look at Host know this one.
  const host = isUnix ? "localhost" : `${bracketed(options.host)}:${options.port}`;
  let lines = "";
  let hasHost = false;
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    const lowerCaseName = name.toLowerCase();
    if (lowerCaseName === "connection" || lowerCaseName === "content-length") continue;
    hasHost ||= lowerCaseName === "host";
    lines += `${name}: ${escapeHeaderValue(value)}\r\n`;
  }
  if (!hasHost) lines = `host: ${host}\r\n${lines}`;
  if (options.body !== undefined) lines += `content-length: ${bodyBytes(options.body).length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\n${lines}connection: close\r\n\r\n`;
}

function bodyBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === "string" ? Buffer.from(body, "utf8") : body;
}
