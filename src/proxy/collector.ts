// Hot path: for most requests two comparisons; what is read of a body is hashes and numbers.
import type { Work } from "../core/work.ts";
import type { RequestHead } from "../http1/head.ts";
import type { Admission, Undecided } from "./admit.ts";
import type { LlmApi } from "./describe/llm-api.ts";
import { ModelCall } from "./describe/model-call.ts";
import { bodyKeyOf } from "./keys.ts";
import { MIRROR_BODY_BYTES_MAX } from "./mirror.ts";
import type { RequestBody } from "./request-body.ts";

/** Collects what a request's body says for the choice of a backend: its key, and what a prompt will cost. */
export class Collector {
  #admission: Admission | null = null;
  /** Made for the first request to a model. */
  #ownCall: ModelCall | null = null;
  /** Of this request; null where its cost is not read. */
  call: ModelCall | null = null;

  /** A new request. Returns how many bytes of its body are kept: for that, to be sent again, to be copied. */
  begin(admission: Admission, head: RequestHead): number {
    if (admission.api !== null) this.#beginCall(admission.api, head);
    return this.#collectedBytesMax(admission);
  }

  /** A new request whose route is not known yet. Returns how many bytes of its body are kept. */
  beginUndecided({ api, head }: Undecided): number {
    this.#beginCall(api, head);
    return AWAITED_BYTES_MAX;
  }

  /** Its route is known now. Returns how many bytes of its body are kept. */
  decide(admission: Admission): number {
    if (admission.api === null) this.#dropCall();
    return this.#collectedBytesMax(admission);
  }

  /** The model that the body asks for; "" where it asks for none, or is no JSON. */
  modelOf(body: RequestBody): string {
    if (this.call === null) return "";
    const { state, model, modelStart } = this.call.read();
    // The path names it, whatever the body is.
    if (modelStart < 0) return model;
    // What has ended in its middle is no JSON; of what is too long to be awaited the beginning counts.
    return state === "complete" || (state === "reading" && !body.isDone) ? model : "";
  }

  #beginCall(api: LlmApi, head: RequestHead): void {
    this.#ownCall ??= new ModelCall();
    this.#ownCall.begin(api, head);
    this.call = this.#ownCall;
  }

  #dropCall(): void {
    this.call?.end();
    this.call = null;
  }

  #collectedBytesMax(admission: Admission): number {
    this.#admission = admission;
    return this.#isNeeded ? Math.max(this.keptBytesMax, AWAITED_BYTES_MAX) : this.keptBytesMax;
  }

  /** How many of them are kept once the choice is made. */
  get keptBytesMax(): number {
    const { traffic, mirror } = this.#admission!;
    return traffic.retry?.bodyBytesMax ?? (mirror === null ? 0 : MIRROR_BODY_BYTES_MAX);
  }

  /** More of the body must come before the choice; `bytes` have. */
  awaits(bytes: number): boolean {
    return this.#isNeeded && bytes < AWAITED_BYTES_MAX;
  }

  /** Puts what has been found into the work. `chunks` is what has come of the body. */
  describe(work: Work, chunks: readonly Buffer[]): void {
    const admission = this.#admission!;
    const { bodyKey, traffic, route } = admission;
    if (bodyKey !== null) {
      const key = bodyKeyOf(bodyKey.field, chunks);
      if (bodyKey.isSession) work.sessionKey = key;
      else work.key = key;
    }
    if (this.call === null || !this.call.isPrompt) return;
    this.call.describe(work, traffic.pool.bytesPerToken ?? BYTES_PER_TOKEN, admission.tenant);
    if (route.replay !== "auto") return;
    admission.isReplaySafe = this.call.mayReplay(work.isReplayable);
    work.isReplayable = admission.isReplaySafe;
  }

  /** The head of a model's stream may wait for its first token: another backend could take over till then. */
  get mayHold(): boolean {
    if (this.call === null || !this.call.isStream) return false;
    const { traffic, isReplaySafe } = this.#admission!;
    return traffic.retry !== null && isReplaySafe;
  }

  /** The request is over. */
  end(): void {
    this.#dropCall();
    this.#admission = null;
  }

  get #isNeeded(): boolean {
    return this.call !== null || this.#admission!.bodyKey !== null;
  }
}

/** So much of a body is awaited before the choice; a larger one is placed by what was seen of it. */
const AWAITED_BYTES_MAX = 1024 * 1024;
/** Where another policy has come meanwhile that does not care. */
const BYTES_PER_TOKEN = 4;
