import { answerHead } from "../control/answer.ts";
import type { ControlStream } from "../control/door.ts";
import type { ServerConnection } from "../http1/server.ts";

/**
 * Something that is read piece by piece, as server-sent events for as long as a client stays. `next` gives
 * what there is behind a place, and the place behind that; it is asked again when `watch` says that there is
 * more. Nothing is kept for a client that reads slowly.
 */
export class EventFeed implements ControlStream {
  readonly #connection: ServerConnection;
  readonly #next: (place: number) => Promise<Piece>;
  readonly #unwatch: () => void;
  readonly #heart: NodeJS.Timeout;
  readonly #onFailure: (error: unknown) => void;
  #place: number;
  #isReading = false;
  #isBlocked = false;
  #hasNews = true;
  #isClosed = false;

  constructor(connection: ServerConnection, place: number, source: FeedSource) {
    this.#connection = connection;
    this.#place = place;
    this.#next = source.next;
    this.#onFailure = source.onFailure;
    // It ends with its connection: there is no length, and nothing comes after it.
    connection.isLast = true;
    const head = `${answerHead(200, "text/event-stream; charset=utf-8")}connection: close\r\n\r\n`;
    this.#isBlocked = !connection.write(`${head}retry: ${RECONNECT_MS}\n\n`);
    this.#heart = setInterval(() => this.#write(": still here\n\n"), HEARTBEAT_MS);
    this.#unwatch = source.watch(() => this.#wake());
    this.#wake();
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heart);
    this.#unwatch();
  }

  #wake(): void {
    this.#hasNews = true;
    if (!this.#isReading && !this.#isBlocked) void this.#read().catch(this.#onFailure);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#hasNews && !this.#isBlocked && !this.#isClosed) {
      this.#hasNews = false;
      const piece = await this.#next(this.#place);
      if (this.#isClosed) return;
      this.#hasNews ||= piece.hasMore;
      this.#place = piece.place;
      if (piece.text !== "") this.#write(piece.text);
      if (piece.isLast) return this.#end();
    }
    this.#isReading = false;
  }

  #write(text: string): void {
    if (!this.#isClosed && !this.#connection.write(Buffer.from(text, "utf8"))) this.#isBlocked = true;
  }

  #end(): void {
    this.close();
    this.#connection.finish(false);
  }
}

/** Where a feed comes from. */
export interface FeedSource {
  readonly next: (place: number) => Promise<Piece>;
  readonly watch: (onNews: () => void) => () => void;
  readonly onFailure: (error: unknown) => void;
}

/** A piece of a feed. */
export interface Piece {
  readonly text: string;
  readonly place: number;
  readonly hasMore: boolean;
  readonly isLast: boolean;
}

const HEARTBEAT_MS = 15_000;
const RECONNECT_MS = 2_000;
