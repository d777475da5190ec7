// Hot path: an answer that is none of a model's costs one comparison a read. An event of a stream costs two
// searches for line ends and its copy into the tail; JSON is read in its first events and at its end only.
import { AnswerFrames, type AnswerFraming, type StreamCut } from "./answer-frames.ts";
import { type AnswerEvent, EventHead, isFailure, isObject, parseJson } from "./answer-event.ts";
import { type AnswerTail, borrowTail, returnTail } from "./answer-tail.ts";
import { readLastEvents } from "./answer-end.ts";
import { AnswerUsage, readUsage, readUsageFromEnd } from "./answer-usage.ts";

/** How an answer is read; "none" is not at all. */
export type AnswerForm = AnswerFraming | "json" | "none";

/**
 * How the answer of a model API is read. Its status and its type say so, not the API: engines keep their own
 * shapes on foreign paths. Null and "" are absent. What is compressed can not be read in passing.
 */
export function answerForm(status: number, type: string | null, encoding: string | null): AnswerForm {
  if (status !== 200 || type === null) return "none";
  if (encoding !== null && encoding !== "" && encoding.toLowerCase() !== "identity") return "none";
  const semicolon = type.indexOf(";");
  switch ((semicolon < 0 ? type : type.slice(0, semicolon)).trim().toLowerCase()) {
    case "text/event-stream":
      return "sse";
    case "application/x-ndjson":
    case "application/ndjson":
    case "application/jsonl":
      return "ndjson";
    case "application/json":
      return "json";
    default:
      return "none";
  }
}

/**
 * Follows the answer of a model API as it passes, to learn what it cost. One for each client connection, used
 * for one answer after the other: `begin`, then `take` for content and `readEnd` for the end of each read,
 * then `finish` or `abandon`. It changes nothing, delays nothing, and keeps the end of an answer, not all.
 */
export class AnswerScan {
  #form: AnswerForm = "none";
  #tail: AnswerTail | null = null;
  #hasContent = false;
  #quietEvents = 0;
  #eventsBefore = 0;
  #lastReadMs = Number.NaN;
  readonly #frames = new AnswerFrames();
  readonly #head = new EventHead();
  /** Known after `finish`; of Anthropic's streams the prompt's part from the first event on. */
  readonly usage: AnswerUsage = new AnswerUsage();
  /** Events that are complete; for NDJSON, lines. Comments and empty ones are none. */
  events = 0;
  /** Those of them that brought something generated, as far as can be told; after `finish`. */
  contentEvents = 0;
  /** The end of the read in which content came first; NaN before, and for what is no stream. */
  firstContentMs: number = Number.NaN;
  /** Events until then: what later gaps brought are the others. */
  firstContentEvents = 0;
  /** Pauses between two reads with events, from the first content on. */
  gaps = 0;
  gapMsSum = 0;
  gapMsMax = 0;
  /** It says that it failed, although its status is 200. All of it is known after `finish`. */
  hasFailed = false;
  /** The mark of its end has come (`[DONE]`, `message_stop`, `"done": true`, ...); after `finish`. */
  isDone = false;

  /** A new answer; what was learned of the one before is gone. */
  begin(form: AnswerForm): void {
    this.abandon();
    this.#form = form;
    this.#hasContent = false;
    this.#quietEvents = 0;
    this.#eventsBefore = 0;
    this.#lastReadMs = Number.NaN;
    this.usage.reset();
    this.events = 0;
    this.contentEvents = 0;
    this.firstContentMs = Number.NaN;
    this.firstContentEvents = 0;
    this.gaps = 0;
    this.gapMsSum = 0;
    this.gapMsMax = 0;
    this.hasFailed = false;
    this.isDone = false;
    if (form === "none") return;
    this.#tail = borrowTail();
    if (form === "json") return;
    this.#frames.begin(form);
    this.#head.begin(form === "sse");
  }

  get form(): AnswerForm {
    return this.#form;
  }

  /** Content, as it is after chunks have been decoded. The bytes are looked at during the call only. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.#form === "none" || start === end) return;
    const view = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
    this.#tail!.push(view);
    if (this.#form !== "json") this.#takeFrames(view);
  }

  /** The read that brought what was taken has ended; `nowMs` is monotonic. */
  readEnd(nowMs: number): void {
    if (this.events === this.#eventsBefore) return;
    this.#eventsBefore = this.events;
    if (!this.#hasContent) return;
    if (Number.isNaN(this.firstContentMs)) {
      this.firstContentMs = nowMs;
      this.firstContentEvents = this.events;
    } else if (!Number.isNaN(this.#lastReadMs)) {
      const gapMs = nowMs - this.#lastReadMs;
      this.gaps++;
      this.gapMsSum += gapMs;
      if (gapMs > this.gapMsMax) this.gapMsMax = gapMs;
    }
    this.#lastReadMs = nowMs;
  }

  /** The next gap says nothing about the backend: its answer waited for the client. */
  skipGap(): void {
    this.#lastReadMs = Number.NaN;
  }

  /** Where the stream stands now, for an event of ours behind it; null for what is no stream. */
  get cut(): StreamCut | null {
    return this.#form === "sse" || this.#form === "ndjson" ? this.#frames.cut : null;
  }

  /** The answer has ended, well or not: reads what its end tells. */
  finish(): void {
    const tail = this.#tail;
    if (tail === null) return;
    if (this.#form === "json") this.#finishBody(tail);
    else this.#finishStream(tail, this.#form === "sse");
    this.abandon();
  }

  /** There will be no more, and its end is not wanted. */
  abandon(): void {
    if (this.#tail !== null) returnTail(this.#tail);
    this.#tail = null;
    this.#form = "none";
    this.#head.drop();
  }

  #takeFrames(view: Buffer): void {
    const frames = this.#frames;
    let at = frames.enter(view);
    for (let end = frames.next(view, at); end >= 0; end = frames.next(view, at)) {
      if (frames.isEvent) {
        this.events++;
        if (!this.#hasContent) this.#readHead(view, at, end);
      } else if (!this.#hasContent) this.#head.drop();
      at = end;
    }
    if (!this.#hasContent) this.#head.add(view, at, view.length);
  }

  #readHead(view: Buffer, start: number, end: number): void {
    this.#head.add(view, start, end);
    const event = this.#head.read();
    if (event.kind === "content") {
      this.#hasContent = true;
      return;
    }
    this.#quietEvents++;
    this.#learn(event);
  }

  #learn(event: AnswerEvent): void {
    if (event.kind === "error") this.hasFailed = true;
    if (event.isLast) this.isDone = true;
    if (event.json !== null) readUsage(event.json, this.usage);
  }

  #finishStream(tail: AnswerTail, isSse: boolean): void {
    const last = readLastEvents(tail.text(), isSse, tail.isWhole);
    if (last.cut !== "") readUsageFromEnd(last.cut, this.usage);
    for (const event of last.events) this.#learn(event);
    // A long one may be told differently by its beginning and as a whole.
    if (this.#hasContent)
      this.contentEvents = Math.max(1, this.events - this.#quietEvents - last.quietEvents);
  }

  #finishBody(tail: AnswerTail): void {
    const text = tail.text();
    if (!tail.isWhole) return readUsageFromEnd(text, this.usage);
    let body = parseJson(text);
    // TGI's compatible path answers with a list of one.
    if (Array.isArray(body) && body.length === 1) body = body[0];
    if (!isObject(body)) return;
    this.isDone = true;
    this.hasFailed = isFailure(body);
    readUsage(body, this.usage);
  }
}
