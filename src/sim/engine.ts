import { decodeSeconds, type EngineModel, stepsOver } from "./engine-models.ts";
import { endsBefore, type Flight } from "./flight.ts";
import { Heap } from "./heap.ts";
import { KvMemory } from "./kv-memory.ts";
import { PrefillLine } from "./prefill-line.ts";
import type { EngineReport, SimRequest } from "./router.ts";

/** Who is told what an engine writes. */
export interface EngineSink {
  firstToken(flight: Flight, atS: number): void;
  answered(flight: Flight, atS: number): void;
}

/**
 * One LLM engine in virtual time, in steps: requests are admitted in order while their prompt fits and the
 * step has tokens left for it (so a sibling that waits finds the prefix of the one before it); a step
 * computes a token for each request in decode and prompt chunks with the rest of its token budget. When the
 * KV cache is full, the request that was admitted last is put back and computes again later. Decode steps
 * in which nothing else can happen are taken together; their time is exact, as the contexts grow by one each.
 *
 * Cost: O(log running) for each chunk, first token and end, O(blocks) an admission; nothing for each step.
 */
export class Engine {
  readonly number: number;
  readonly model: EngineModel;
  readonly memory: KvMemory;
  /** When the steps end that it is in; Infinity when it has nothing to do, or does nothing. */
  nextS: number = Number.POSITIVE_INFINITY;
  isUp = true;
  /** Seconds in which it had something to do. */
  busyS = 0;
  finished = 0;
  preemptions = 0;
  readonly #sink: EngineSink;
  readonly #waiting: Flight[] = [];
  readonly #prefill: PrefillLine;
  readonly #decoding: Heap<Flight> = new Heap(endsBefore);
  /** Decode steps that it has done: each request in decode knows where it is by this number. */
  decodeSteps = 0;
  /** Tokens in the contexts of all requests in decode. */
  #contextTokens = 0;
  /** Tokens that have to be computed before all who are here have their first token. */
  #queuedTokens = 0;
  #admissions = 0;
  #speed = 1;
  /** The steps that it is in: 0 is idle; more than one only where all are decode steps. */
  #steps = 0;
  #beganS = 0;
  /** While it hangs: what is left of its step, at speed 1. */
  #restS = 0;

  constructor(number: number, model: EngineModel, sink: EngineSink) {
    this.number = number;
    this.model = model;
    this.memory = new KvMemory(model.kvTokens);
    this.#prefill = new PrefillLine(model);
    this.#sink = sink;
  }

  /** Requests that wait for admission. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The prompt and the whole answer fit. */
  canHold({ inputTokens, outputTokens }: SimRequest): boolean {
    return inputTokens + outputTokens <= this.model.kvTokens;
  }

  /** A request comes in. */
  enqueue(flight: Flight, nowS: number): void {
    flight.sentS = nowS;
    flight.engine = this.number;
    this.#queue(flight, this.#waiting.length);
    if (this.#steps === 0) return this.#plan(nowS);
    // Behind one that could not be admitted it changes nothing before somebody ends.
    if (this.#waiting.length === 1) this.#shorten(nowS);
  }

  /** The steps end that it is in: tells what they bring, and begins the next. To be called at `nextS`. */
  advance(): void {
    const nowS = this.nextS;
    this.#queuedTokens -= this.#prefill.computed();
    this.#decoded(this.#steps);
    this.busyS += nowS - this.#beganS;
    this.#steps = 0;
    for (let next = this.#decoding.peek(); next !== undefined; next = this.#decoding.peek()) {
      if (next.decodeUntil > this.decodeSteps) break;
      this.#decoding.pop();
      this.#end(next, nowS);
    }
    for (const flight of this.#prefill.takeDone()) this.#beginAnswer(flight, nowS);
    this.memory.evict();
    this.#plan(nowS);
  }

  /** Counts the decode steps that are over by now, so that what is read is as of now. */
  sync(nowS: number): void {
    if (this.#steps <= 1 || this.#speed === 0) return;
    const seconds = (nowS - this.#beganS) * this.#speed;
    const over = stepsOver(this.model, this.#decoding.size, this.#contextTokens, this.#steps, seconds);
    if (over === 0) return;
    const overS = this.#decodeSeconds(over) / this.#speed;
    this.#beganS += overS;
    this.busyS += overS;
    this.#steps -= over;
    this.#decoded(over);
  }

  report(nowS: number): EngineReport {
    this.sync(nowS);
    return {
      waiting: this.#waiting.length + this.#prefill.length,
      running: this.#decoding.size,
      kvUsage: this.memory.heldTokens / this.model.kvTokens,
      waitingTokens: this.#queuedTokens,
      contextTokens: this.#contextTokens,
      finished: this.finished,
    };
  }

  /** From now on everything takes 1 / `speed` as long; 0 is a hang. */
  setSpeed(speed: number, nowS: number): void {
    const before = this.#speed;
    if (speed === before) return;
    this.#shorten(nowS);
    this.#speed = speed;
    if (this.#steps === 0) return;
    if (before > 0) this.#restS = (this.nextS - nowS) * before;
    this.nextS = speed > 0 ? nowS + this.#restS / speed : Number.POSITIVE_INFINITY;
  }

  /** It dies: returns the requests that it had. Its cache is empty when it starts again. */
  crash(nowS: number): Flight[] {
    this.sync(nowS);
    if (this.#steps > 0) this.busyS += Math.max(0, nowS - this.#beganS);
    const lost = [...this.#waiting, ...this.#prefill.flights, ...this.#decoding.items];
    lost.sort((a, b) => a.request.id - b.request.id);
    this.#waiting.length = 0;
    this.#prefill.clear();
    this.#decoding.clear();
    this.memory.clear();
    this.#contextTokens = 0;
    this.#queuedTokens = 0;
    this.#steps = 0;
    this.nextS = Number.POSITIVE_INFINITY;
    this.isUp = false;
    return lost;
  }

  /** A request without a first token is called off. The step that it is in ends as it would have. */
  cancel(flight: Flight): void {
    const place = this.#waiting.indexOf(flight);
    if (place >= 0) {
      this.#waiting.splice(place, 1);
      this.#queuedTokens -= flight.queuedTokens;
    } else {
      this.#prefill.remove(flight);
      this.#queuedTokens -= flight.prefillLeft;
      this.memory.release(flight);
    }
  }

  get #inProgress(): number {
    return this.#prefill.length + this.#decoding.size;
  }

  /** Takes its next steps, if there is something to do. */
  #plan(nowS: number): void {
    this.#admit();
    const wasFull = this.#makeRoom();
    this.#beganS = nowS;
    this.nextS = Number.POSITIVE_INFINITY;
    const decodes = this.#decoding.size;
    let seconds: number;
    if (this.#prefill.length > 0) {
      this.#steps = 1;
      seconds = this.#prefill.cut(decodes, this.#contextTokens);
    } else if (decodes > 0) {
      const untilEnd = this.#decoding.peek()!.decodeUntil - this.decodeSteps;
      const untilFull = Math.floor(this.memory.roomTokens / decodes);
      // Whoever was put back may fit again after one step.
      this.#steps = this.#speed === 0 || wasFull ? 1 : Math.max(1, Math.min(untilEnd, untilFull));
      seconds = this.#decodeSeconds(this.#steps);
    } else return;
    if (this.#speed > 0) this.nextS = nowS + seconds / this.#speed;
    else this.#restS = seconds;
  }

  /** In order, while the step has tokens for them and the prompt fits: who does not holds up those behind. */
  #admit(): void {
    const { runningMax, kvTokens } = this.model;
    while (this.#waiting.length > 0 && this.#inProgress < runningMax) {
      if (!this.#prefill.hasRoom(this.#decoding.size)) return;
      const flight = this.#waiting[0]!;
      const spareTokens = this.#inProgress === 0 ? 0 : kvTokens * WATERMARK_SHARE;
      if (!this.memory.reserve(flight, spareTokens)) return;
      this.#waiting.shift();
      if (flight.admission === 0) flight.cachedTokens = flight.context;
      flight.admission = ++this.#admissions;
      this.#queuedTokens += flight.prefillLeft - flight.queuedTokens;
      this.#prefill.push(flight);
    }
  }

  /** Each decode takes a token a step, and so does each prefill that ends. True if somebody had to go. */
  #makeRoom(): boolean {
    const before = this.preemptions;
    while (this.#inProgress > 1 && this.memory.roomTokens < this.#inProgress) this.#preempt();
    return this.preemptions > before;
  }

  /** The last admitted goes back to the head of the queue, and computes all again but what is cached then. */
  #preempt(): void {
    let last = this.#prefill.peekLast();
    let isInDecode = false;
    for (const flight of this.#decoding.items) {
      if (last !== undefined && flight.admission < last.admission) continue;
      last = flight;
      isInDecode = true;
    }
    if (isInDecode) {
      this.#decoding.remove(last!);
      this.#leaveDecode(last!);
    } else {
      this.#prefill.dropLast();
      this.#queuedTokens -= last!.prefillLeft;
    }
    this.preemptions++;
    this.memory.release(last!);
    this.#queue(last!, 0);
  }

  #queue(flight: Flight, place: number): void {
    const { request, generated } = flight;
    flight.queuedTokens = request.inputTokens + generated - this.memory.cachedTokens(request);
    this.#queuedTokens += flight.queuedTokens;
    if (place === 0) this.#waiting.unshift(flight);
    else this.#waiting.push(flight);
  }

  /** The prompt is computed: its next token is written, mostly the first. */
  #beginAnswer(flight: Flight, nowS: number): void {
    const { inputTokens, outputTokens } = flight.request;
    flight.generated++;
    this.memory.enter(flight);
    flight.decodeFrom = this.decodeSteps;
    flight.decodeUntil = this.decodeSteps + outputTokens - flight.generated;
    this.#contextTokens += inputTokens + flight.generated;
    if (flight.firstS < 0) {
      flight.firstS = nowS;
      this.#sink.firstToken(flight, nowS);
    }
    if (flight.decodeUntil > this.decodeSteps) this.#decoding.push(flight);
    else this.#end(flight, nowS);
  }

  /** `steps` decode steps are over. */
  #decoded(steps: number): void {
    const tokens = steps * this.#decoding.size;
    this.decodeSteps += steps;
    this.#contextTokens += tokens;
    this.memory.grow(tokens);
  }

  #end(flight: Flight, nowS: number): void {
    this.#leaveDecode(flight);
    this.memory.release(flight);
    this.finished++;
    flight.endS = nowS;
    this.#sink.answered(flight, nowS);
  }

  /** What it has written since it came into decode is in its own counts from now on. */
  #leaveDecode(flight: Flight): void {
    const written = this.decodeSteps - flight.decodeFrom;
    flight.generated += written;
    flight.ownTokens += written;
    this.#contextTokens -= flight.request.inputTokens + flight.generated;
  }

  #decodeSeconds(steps: number): number {
    return decodeSeconds(this.model, this.#decoding.size, this.#contextTokens, steps);
  }

  /** The step that it is in becomes the last one of these. */
  #shorten(nowS: number): void {
    this.sync(nowS);
    if (this.#steps <= 1) return;
    this.#steps = 1;
    this.nextS = this.#beganS + this.#decodeSeconds(1) / this.#speed;
  }
}

/** Of the KV cache: left free at an admission for the others' next tokens (vLLM's watermark). */
const WATERMARK_SHARE = 0.01;
