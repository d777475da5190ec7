// Hot path: one line a request by concatenation, written every 100 ms; bounded, never blocking.
import { closeSync, openSync, write } from "node:fs";

/** Where access log lines go. */
export type AccessLogTarget =
  | { readonly kind: "stdout" | "off" }
  | { readonly kind: "file"; readonly path: string; readonly hasHashes?: boolean };

/** Writes whole lines somewhere; `done` when the bytes may be reused. */
export type LogWriter = (bytes: Uint8Array, done: (isWritten: boolean) => void) => void;

/**
 * The access log: lines are collected and written a few times a second. A disk that can not follow costs
 * lines, which are counted, and never a request (faults 19, 20).
 */
export class AccessLog {
  readonly isOn: boolean;
  /** Lines of prompts carry the hashes of their beginnings. */
  readonly hasHashes: boolean;
  readonly #path: string | null;
  #descriptor: number;
  /** Descriptors of before, which a write may still be going to. */
  readonly #toClose: number[] = [];
  /** Lines are written into bytes at once: strings that wait would outlive the young generation. */
  #filling: Buffer;
  #draining: Buffer;
  #length = 0;
  #isWriting = false;
  #dropped = 0;
  #isoAtMs = 0;
  #iso = "";
  readonly #timer: NodeJS.Timeout | null;
  readonly #writeStdout: LogWriter | null;

  /** Throws the system's error when a file can not be opened. `writeStdout`: in place of the descriptor. */
  constructor(target: AccessLogTarget, writeStdout: LogWriter | null = null) {
    this.#writeStdout = target.kind === "stdout" ? writeStdout : null;
    this.isOn = target.kind !== "off";
    this.hasHashes = target.kind === "file" && target.hasHashes === true;
    this.#path = target.kind === "file" ? target.path : null;
    this.#descriptor = this.#path === null ? STDOUT : openSync(this.#path, "a", FILE_MODE);
    this.#filling = Buffer.allocUnsafeSlow(this.isOn ? PENDING_BYTES_MAX : 0);
    this.#draining = Buffer.allocUnsafeSlow(this.isOn ? PENDING_BYTES_MAX : 0);
    this.#timer = this.isOn ? setInterval(() => this.#flush(), FLUSH_MS) : null;
    this.#timer?.unref();
  }

  /** Lines lost because they could not be written in time, or at all. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The wall clock for lines: made once a millisecond at most. */
  isoTime(): string {
    const wallMs = Date.now();
    if (wallMs !== this.#isoAtMs) {
      this.#isoAtMs = wallMs;
      this.#iso = new Date(wallMs).toISOString();
    }
    return this.#iso;
  }

  /** `line` with its line end. */
  append(line: string): void {
    // A character is at most three bytes of UTF-8.
    if (this.#length + line.length * 3 > PENDING_BYTES_MAX) this.#flush();
    if (this.#length + line.length * 3 > PENDING_BYTES_MAX) this.#dropped++;
    else this.#length += this.#filling.write(line, this.#length, "utf8");
  }

  /** After the file was moved away: goes on in a new one. */
  reopen(): void {
    if (this.#path === null) return;
    const before = this.#descriptor;
    this.#descriptor = openSync(this.#path, "a", FILE_MODE);
    // Its number would be another's at once, a client's connection for one: a write that waits keeps it.
    if (this.#isWriting) this.#toClose.push(before);
    else closeSync(before);
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (let round = 0; round < CLOSE_ROUNDS_MAX && (this.#length > 0 || this.#isWriting); round++) {
      this.#flush();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.#path === null) return;
    // A disk that hangs has it for as long as it hangs.
    if (this.#isWriting) this.#toClose.push(this.#descriptor);
    else closeSync(this.#descriptor);
  }

  #flush(): void {
    if (this.#isWriting || this.#length === 0) return;
    const bytes = this.#filling;
    this.#filling = this.#draining;
    this.#draining = bytes;
    this.#isWriting = true;
    const length = this.#length;
    this.#length = 0;
    if (this.#writeStdout === null) return this.#write(this.#descriptor, bytes, 0, length);
    this.#writeStdout(bytes.subarray(0, length), (isWritten) => {
      if (!isWritten) this.#dropped += countLines(bytes, 0, length);
      this.#isWriting = false;
    });
  }

  /** All of it goes into the same file, whatever comes in between. */
  #write(descriptor: number, bytes: Buffer, offset: number, end: number): void {
    write(descriptor, bytes, offset, end - offset, null, (error, written) => {
      if (error !== null) this.#dropped += countLines(bytes, offset, end);
      else if (offset + written < end) return this.#write(descriptor, bytes, offset + written, end);
      this.#isWriting = false;
      for (const before of this.#toClose.splice(0)) closeSync(before);
    });
  }
}

const STDOUT = 1;
const FILE_MODE = 0o640;
const FLUSH_MS = 100;
/** Beyond it lines are dropped: some thousand lines, a tenth of a second at full speed. */
const PENDING_BYTES_MAX = 2 * 1024 * 1024;
const CLOSE_ROUNDS_MAX = 200;

function countLines(bytes: Buffer, offset: number, end: number): number {
  let count = 0;
  for (let at = offset; at < end; at++) if (bytes[at] === 0x0a) count++;
  return count;
}

/** `text` as a JSON string; control characters and quotes are escaped. */
export function jsonText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x22 || code === 0x5c || code > 0x7e) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** A request target for logs: values of parameters that look like secrets are left out. */
export function redactTarget(target: string): string {
  const query = target.indexOf("?");
  if (query < 0) return target;
  return target.slice(0, query) + target.slice(query).replaceAll(SECRET_PARAMETER, "$1$2=***");
}

const SECRET_PARAMETER = /([?&])([^=&]*(?:key|token|sig|secret|password|auth)[^=&]*)=[^&]*/gi;
