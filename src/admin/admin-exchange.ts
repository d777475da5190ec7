import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import type { ParseError } from "../http1/parse-error.ts";
import type { RequestHandler } from "../http1/request-handler.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import { EvenerError } from "../errors.ts";
import type { AccessRule } from "./access.ts";
import { type AdminAnswer, answerBytes, errorAnswer } from "./answer.ts";
import { type AdminApi, readNumber, thrownAnswer, unknownPath } from "./api.ts";
import type { EventLog } from "./event-log.ts";
import { EventStream } from "./event-stream.ts";
import { matchRoute, type RouteMatch } from "./routes.ts";

/** What all connections of an admin listener share. */
export interface AdminContext {
  readonly access: AccessRule;
  readonly api: AdminApi;
  readonly events: EventLog;
  readonly deadlines: Deadlines;
  /** Of the listener. */
  readonly port: () => number;
  /** A mistake of ours; the request got a 500. */
  readonly onMistake: (error: unknown) => void;
}

/**
 * The requests of one admin connection: collects a body, asks the API, answers whole. Or becomes a stream of
 * events.
 */
export class AdminExchange implements RequestHandler {
  readonly #context: AdminContext;
  readonly #connection: ServerConnection;
  /** The PUT whose body comes in; null while there is none. */
  #route: RouteMatch | null = null;
  #who = "";
  #chunks: Buffer[] = [];
  #bytes = 0;
  #stream: EventStream | null = null;
  /** The answer has not left yet; the next request waits for that, so that answers do not pile up. */
  #isDelivering = false;
  /** Changes when the client has gone: what was asked for it meanwhile is for nobody. */
  #client = {};

  constructor(context: AdminContext, connection: ServerConnection) {
    this.#context = context;
    this.#connection = connection;
  }

  onRequest(head: RequestHead): void {
    const route = matchRoute(head.path);
    const isHead = head.method === "HEAD";
    const refusal = this.#refusal(head, route);
    if (refusal !== null || route === null) return this.#answer(refusal ?? unknownPath(head.path), isHead);
    if (head.method === "PUT") return this.#collect(head, route);
    if (route.endpoint.name === "events" && !isHead && acceptsStream(head)) return this.#follow(head);
    if (route.endpoint.name === "why") return void this.#answerLater(this.#context.api.why(route), isHead);
    this.#answer(
      this.#guard(() => this.#context.api.read(route, head.query)),
      isHead,
    );
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#route === null) return;
    this.#bytes += end - start;
    if (this.#bytes > BODY_BYTES_MAX) return this.#answer(TOO_LARGE, false);
    this.#chunks.push(Buffer.from(bytes.subarray(start, end)));
  }

  onBodyEnd(): void {
    const route = this.#route;
    if (route === null) return;
    const answer = this.#guard(() =>
      this.#context.api.write(route, parseJson(Buffer.concat(this.#chunks)), this.#who),
    );
    this.#answer(answer, false);
  }

  onReadEnd(): void {}

  onDrain(): void {
    this.#stream?.onDrain();
    if (!this.#isDelivering) return;
    this.#isDelivering = false;
    this.#connection.finish(true);
  }

  onAbort(error: ParseError | null): void {
    const hasBegun = this.#stream !== null || this.#isDelivering;
    this.#stream?.close();
    this.#stream = null;
    this.#isDelivering = false;
    this.#client = {};
    this.#forget();
    if (error !== null && !hasBegun) this.onBadRequest(error);
  }

  onBadRequest(error: ParseError): void {
    const code = error.status === 408 ? "EVENER_HEADER_TIMEOUT" : "EVENER_BAD_REQUEST";
    const answer = { ...errorAnswer(code, `${error.detail} (${error.code})`), status: error.status };
    this.#connection.isLast = true;
    this.#connection.write(answerBytes(answer, false, false));
  }

  /** Access first: who may not ask does not learn what there is. */
  #refusal(head: RequestHead, route: RouteMatch | null): AdminAnswer | null {
    const name = route?.endpoint.name;
    const isPublic = name === "health" || name === "ready";
    const refusal = this.#context.access.check(head, this.#context.port(), isPublic);
    if (refusal !== null || route === null) return refusal;
    const methods: readonly string[] = route.endpoint.methods;
    if (!methods.includes(head.method === "HEAD" ? "GET" : head.method)) {
      const allowed = methods.includes("GET") ? ["GET", "HEAD", ...methods.slice(1)] : methods;
      const message = `${route.endpoint.path} takes ${allowed.join(", ")}; this was ${head.method}`;
      return errorAnswer("EVENER_METHOD_NOT_ALLOWED", message, `allow: ${allowed.join(", ")}\r\n`);
    }
    if (head.method !== "PUT") return null;
    if (!JSON_TYPE.test(head.value(FIELD.contentType) ?? "")) {
      return errorAnswer("EVENER_NOT_JSON", "send JSON, with content-type: application/json");
    }
    return head.contentLength > BODY_BYTES_MAX ? TOO_LARGE : null;
  }

  #collect(head: RequestHead, route: RouteMatch): void {
    const { remoteAddress } = this.#connection.transport;
    this.#route = route;
    this.#who = `${remoteAddress} ${this.#context.access.hasToken ? "with the token" : "without a token"}`;
    if (head.expectsContinue && head.framing !== "none")
      this.#connection.write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  #follow(head: RequestHead): void {
    const { events: log, deadlines } = this.#context;
    const connection = this.#connection;
    const answer = this.#guard(() => {
      // A browser that comes back says so in the field; it counts more than the query of the first time.
      const seen = head.get("last-event-id") ?? "";
      const query = /^\d{1,16}$/.test(seen) ? `since=${seen}` : head.query;
      const since = readNumber(query, "since", log.last, 0, Number.MAX_SAFE_INTEGER);
      this.#stream = EventStream.begin({ connection, log, deadlines, since });
      return this.#stream === null ? errorAnswer("EVENER_STREAMS_FULL", STREAMS_FULL) : null;
    });
    if (answer !== null) this.#answer(answer, false);
  }

  #answer(answer: AdminAnswer, isHead: boolean): void {
    this.#forget();
    // Whoever sent too much is not asked for the rest.
    if (answer.status === 413) this.#connection.isLast = true;
    const { keepsAlive } = this.#connection;
    const hasLeft = this.#connection.write(answerBytes(answer, isHead, keepsAlive));
    if (hasLeft || !keepsAlive) this.#connection.finish(true);
    else this.#isDelivering = true;
  }

  /** The next request waits, as for every answer. */
  async #answerLater(asked: Promise<AdminAnswer>, isHead: boolean): Promise<void> {
    const client = this.#client;
    const answer = await asked.catch((error: unknown) => this.#failed(error));
    if (client === this.#client) this.#answer(answer, isHead);
  }

  #forget(): void {
    this.#route = null;
    this.#chunks = [];
    this.#bytes = 0;
  }

  /** A mistake in an admin answer must not take the traffic down with it. */
  #guard<T>(work: () => T): T | AdminAnswer {
    try {
      return work();
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): AdminAnswer {
    const answer = thrownAnswer(error);
    if (answer === null) this.#context.onMistake(error);
    return answer ?? errorAnswer("EVENER_INTERNAL", "Evener made a mistake here; its log says more");
  }
}

function acceptsStream(head: RequestHead): boolean {
  return (head.value(FIELD.accept) ?? "").toLowerCase().includes("text/event-stream");
}

/** Throws EVENER_BAD_VALUE. */
function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : "";
    throw new EvenerError("EVENER_BAD_VALUE", `the body is not JSON: ${why}`, { cause: error });
  }
}

const BODY_BYTES_MAX = 1024 * 1024;
const JSON_TYPE = /^application\/json *(?:;|$)/i;
const UTF8 = new TextDecoder("utf-8", { fatal: true });
const TOO_LARGE: AdminAnswer = errorAnswer(
  "EVENER_PAYLOAD_TOO_LARGE",
  `the body is larger than ${BODY_BYTES_MAX} bytes`,
);
const STREAMS_FULL =
  "all event streams are taken; close one, or ask for /api/v1/events?since=NUMBER again and again";
