// Hot path: only for requests whose route asks for a model, or gives it another name.
import type { Work } from "../core/work.ts";
import type { RequestHead } from "../http1/head.ts";
import { type Admission, admitTo, type Undecided } from "./admit.ts";
import type { OwnAnswer } from "./answer.ts";
import { ANSWERS, noModelAnswer } from "./answers.ts";
import type { Collector } from "./collector.ts";
import type { ProxyContext } from "./context.ts";
import type { Listing } from "./model-list.ts";
import type { RequestRecord } from "./record.ts";
import type { RequestBody } from "./request-body.ts";
import type { Route } from "./route.ts";
import type { RouteTable } from "./route-table.ts";

/**
 * What the model in a request's body decides: its route, where routes ask for models, and the name that
 * backends see. One for a client connection, used for one request after the other.
 */
export class ModelChoice {
  readonly #context: ProxyContext;
  readonly #record: RequestRecord;
  readonly #work: Work;
  readonly #body: RequestBody;
  readonly #collector: Collector;
  #undecided: Undecided | null = null;
  #listing: Listing | null = null;

  constructor(
    context: ProxyContext,
    record: RequestRecord,
    work: Work,
    body: RequestBody,
    collector: Collector,
  ) {
    this.#context = context;
    this.#record = record;
    this.#work = work;
    this.#body = body;
    this.#collector = collector;
  }

  /** A request whose route is to be chosen by its body. */
  begin(undecided: Undecided): void {
    this.#undecided = undecided;
    this.#body.start(undecided.head.framing, this.#collector.beginUndecided(undecided));
  }

  /** The client waits for a 100 before it sends the body that is to decide. */
  get expectsContinue(): boolean {
    return this.#undecided !== null && this.#undecided.head.expectsContinue;
  }

  /**
   * The body has come, or as much of it as is awaited. Returns where the request goes, which is `admission`
   * itself where no model matters, or why it goes nowhere.
   */
  settle(admission: Admission | null): Admission | OwnAnswer {
    const undecided = this.#undecided;
    this.#undecided = null;
    if (undecided === null) {
      if (admission!.route.models === null) return admission!;
      const model = this.#collector.modelOf(this.#body);
      this.#rename(admission!, model, model);
      return admission!;
    }
    const asked = this.#collector.modelOf(this.#body);
    const { route, model } = routeByModel(undecided.routes, undecided.head, asked);
    if (route === null) {
      this.#context.unrouted++;
      return noModelAnswer(asked);
    }
    const found = this.#admit(route, undecided.head);
    if ("status" in found) return found;
    this.#rename(found, asked, model);
    this.#body.keepUpTo(this.#collector.decide(found));
    return found;
  }

  /** Answers a listing; `answer` is not called when the request has ended before. */
  list(listing: Listing, answer: (answer: OwnAnswer) => void): void {
    this.#listing = listing;
    void this.#answerLater(listing, answer);
  }

  /** The request is over. */
  end(): void {
    this.#undecided = null;
    this.#listing = null;
  }

  async #answerLater(listing: Listing, answer: (answer: OwnAnswer) => void): Promise<void> {
    const own = await this.#context.modelLists.answer(listing);
    if (this.#listing === listing) answer(own);
  }

  #admit(route: Route, head: RequestHead): Admission | OwnAnswer {
    const context = this.#context;
    const admission = admitTo(context, route, head, this.#record, this.#work);
    if ("status" in admission) return admission;
    const { bodyBytesMax } = admission.route;
    if (bodyBytesMax > 0 && this.#body.bytes > bodyBytesMax) return ANSWERS.bodyTooLarge;
    admission.traffic.budget?.request(context.clock.nowMs());
    return admission;
  }

  /**
   * Puts the name for the backends in the place of the one that was asked for: in the body, whose length in
   * the head follows, or in the path where that names it. What follows of a long body is passed on as it
   * comes.
   */
  #rename(admission: Admission, asked: string, model: string): void {
    const name = admission.route.models?.nameFor(model) ?? model;
    const facts = this.#collector.call?.facts;
    if (name === asked || facts === null || facts === undefined) return;
    facts.upstreamModel = name;
    const { modelStart, modelEnd } = facts;
    if (modelStart < 0) {
      admission.head = withModelInPath(admission.head, name);
      return;
    }
    const text = Buffer.from(JSON.stringify(name));
    this.#body.replace(modelStart, modelEnd, text);
    admission.head = withLength(admission.head, text.length - (modelEnd - modelStart));
  }
}

/**
 * The route for a model, and the name that is left of it. `name:pool` asks for a pool of those that this
 * client may reach: where a route that takes `name` leads to it. A colon that no pool stands behind is part
 * of the name.
 */
export function routeByModel(
  routes: RouteTable,
  head: RequestHead,
  asked: string,
): { readonly route: Route | null; readonly model: string } {
  const colon = asked.lastIndexOf(":");
  if (colon > 0) {
    const model = asked.slice(0, colon);
    const route = routes.findTo(asked.slice(colon + 1), head, model);
    if (route !== null) return { route, model };
  }
  return { route: routes.find(head, asked), model: asked };
}

/** Chunks say their own lengths. */
function withLength(head: string, more: number): string {
  return head.replace(LENGTH_LINE, (_, bytes: string) => `content-length: ${Number(bytes) + more}\r\n`);
}

const LENGTH_LINE = /(?<=\n)content-length: *(\d+)[^\r\n]*\r\n/i;

function withModelInPath(head: string, name: string): string {
  return head.replace(PATH_MODEL, () => encodeURIComponent(name));
}

/** Of the request line: the segment that names the model, before what is asked of it (KServe v2). */
const PATH_MODEL = /(?<=^\S+ [^\s?]*\/models\/)[^/?\s]+(?=(?:\/versions\/[^/?\s]+)?\/[^/?\s]+[?\s])/;
