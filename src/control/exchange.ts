import { EvenerError } from "../errors.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import type { ParseError } from "../http1/parse-error.ts";
import type { RequestHandler } from "../http1/request-handler.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { AccessRule } from "./access.ts";
import { answerBytes, type ControlAnswer, errorAnswer } from "./answer.ts";
import type { ControlDoor, ControlRequest, ControlRoute, ControlStream } from "./door.ts";

/** What all connections of a control listener share. */
export interface ControlContext {
  readonly access: AccessRule;
  readonly door: ControlDoor;
  /** Of the listener. */
  readonly port: () => number;
  /** A mistake of ours; the request got a 500. */
  readonly onMistake: (error: unknown) => void;
}

/**
 * The requests of one connection to a control listener: access first, then the route, a body that is
 * collected whole, one answer. Or it becomes a stream, or another protocol.
 */
export class ControlExchange implements RequestHandler {
  readonly #context: ControlContext;
  readonly #connection: ServerConnection;
  /** Whose body comes in; null while there is none. */
  #route: ControlRoute | null = null;
  #asked: Asked = NOTHING_ASKED;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #stream: ControlStream | null = null;
  /** The answer has not left yet; the next request waits for that, so that answers do not pile up. */
  #isDelivering = false;
  /** Aborted when the client has gone: what was asked for it meanwhile is for nobody. */
  #client: AbortController = new AbortController();

  constructor(context: ControlContext, connection: ServerConnection) {
    this.#context = context;
    this.#connection = connection;
  }

  onRequest(head: RequestHead): void {
    const route = this.#context.door.find(head.path);
    const asked = this.#read(head);
    const refusal = this.#refusal(head, route);
    if (refusal !== null || route === null) {
      return this.#answer(refusal ?? this.#context.door.unknown(head.path), asked.isHead);
    }
    this.#asked = asked;
    if (route.upgrade !== undefined) return this.#upgrade(head, route);
    // A body where none is expected is passed over, behind the answer.
    if (!takesBody(head.method)) return this.#ask(route, NO_BODY);
    this.#route = route;
    if (head.expectsContinue && head.framing !== "none") {
      this.#connection.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
  }

  onPayload(bytes: Buffer, start: number, end: number): void {
    if (this.#route === null) return;
    this.#bytes += end - start;
    if (this.#bytes > this.#route.bodyBytesMax) return this.#answer(tooLarge(this.#route), false);
    this.#chunks.push(Buffer.from(bytes.subarray(start, end)));
  }

  onBodyEnd(): void {
    const route = this.#route;
    if (route !== null) this.#ask(route, Buffer.concat(this.#chunks));
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
    this.#client.abort();
    this.#client = new AbortController();
    this.#forget();
    if (error !== null && !hasBegun) this.onBadRequest(error);
  }

  onBadRequest(error: ParseError): void {
    const code = error.status === 408 ? "EVENER_HEADER_TIMEOUT" : "EVENER_BAD_REQUEST";
    const answer = { ...errorAnswer(code, `${error.detail} (${error.code})`), status: error.status };
    this.#connection.isLast = true;
    this.#connection.write(answerBytes(answer, false, false));
  }

  #read(head: RequestHead): Asked {
    const { remoteAddress } = this.#connection.transport;
    return {
      method: head.method === "HEAD" ? "GET" : head.method,
      isHead: head.method === "HEAD",
      query: head.query,
      who: `${remoteAddress} ${this.#context.access.hasToken ? "with the token" : "without a token"}`,
      lastEventId: head.get("last-event-id") ?? "",
      acceptsStream: (head.value(FIELD.accept) ?? "").toLowerCase().includes("text/event-stream"),
    };
  }

  /** Access first: who may not ask does not learn what there is. */
  #refusal(head: RequestHead, route: ControlRoute | null): ControlAnswer | null {
    const refusal = this.#context.access.check(head, this.#context.port(), route?.isPublic === true);
    if (refusal !== null || route === null) return refusal;
    if (!route.methods.includes(head.method === "HEAD" ? "GET" : head.method)) {
      const allowed = route.methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
      const message = `${route.path} takes ${allowed.join(", ")}; this was ${head.method}`;
      return errorAnswer("EVENER_METHOD_NOT_ALLOWED", message, `allow: ${allowed.join(", ")}\r\n`);
    }
    if (!takesBody(head.method)) return null;
    if (!JSON_TYPE.test(head.value(FIELD.contentType) ?? "")) {
      return errorAnswer("EVENER_NOT_JSON", "send JSON, with content-type: application/json");
    }
    return head.contentLength > route.bodyBytesMax ? tooLarge(route) : null;
  }

  #ask(route: ControlRoute, body: Buffer): void {
    const { isHead, acceptsStream, ...asked } = this.#asked;
    const request: ControlRequest = { ...asked, body, signal: this.#client.signal };
    this.#forget();
    if (acceptsStream && !isHead && route.follow !== undefined) {
      const stream = this.#guard(() => route.follow!(request, this.#connection));
      if (stream !== null && "status" in stream) return this.#answer(stream, false);
      this.#stream = stream;
      if (stream !== null) return;
    }
    const answer = this.#guard(() => route.answer(request));
    if (answer instanceof Promise) void this.#answerLater(answer, isHead);
    else this.#answer(answer, isHead);
  }

  #upgrade(head: RequestHead, route: ControlRoute): void {
    const upgrade = this.#guard(() => route.upgrade!(head, this.#connection));
    if (typeof upgrade !== "function") return this.#answer(upgrade, false);
    const early = this.#connection.handOver(TAKEN_LATER);
    upgrade(this.#connection.transport, early);
  }

  #answer(answer: ControlAnswer, isHead: boolean): void {
    this.#forget();
    // Whoever sent too much is not asked for the rest.
    if (answer.status === 413) this.#connection.isLast = true;
    const { keepsAlive } = this.#connection;
    const hasLeft = this.#connection.write(answerBytes(answer, isHead, keepsAlive));
    if (hasLeft || !keepsAlive) this.#connection.finish(true);
    else this.#isDelivering = true;
  }

  /** The next request waits, as for every answer. */
  async #answerLater(asked: Promise<ControlAnswer>, isHead: boolean): Promise<void> {
    const { signal } = this.#client;
    const answer = await asked.catch((error: unknown) => this.#failed(error));
    if (!signal.aborted) this.#answer(answer, isHead);
  }

  #forget(): void {
    this.#route = null;
    this.#chunks = [];
    this.#bytes = 0;
  }

  /** A mistake in an answer must not take the traffic down with it. */
  #guard<T>(work: () => T): T | ControlAnswer {
    try {
      return work();
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): ControlAnswer {
    if (error instanceof EvenerError) return errorAnswer(error.code, error.message);
    this.#context.onMistake(error);
    return errorAnswer("EVENER_INTERNAL", "Evener made a mistake here; its log says more");
  }
}

/** What is kept of a head until the body is there. */
interface Asked extends Omit<ControlRequest, "body" | "signal"> {
  readonly isHead: boolean;
  readonly acceptsStream: boolean;
}

const NOTHING_ASKED: Asked = {
  method: "",
  isHead: false,
  query: "",
  who: "",
  lastEventId: "",
  acceptsStream: false,
};

function takesBody(method: string): boolean {
  return method === "PUT" || method === "POST" || method === "PATCH";
}

function tooLarge(route: ControlRoute): ControlAnswer {
  return errorAnswer("EVENER_PAYLOAD_TOO_LARGE", `the body is larger than ${route.bodyBytesMax} bytes`);
}

const NO_BODY = Buffer.alloc(0);
const JSON_TYPE = /^application\/json *(?:;|$)/i;
/** Between the end of HTTP and the first call of the other protocol, in one step: nothing can come. */
const TAKEN_LATER = { onData: NOTHING, onDrain: NOTHING, onEnd: NOTHING, onClose: NOTHING };
function NOTHING(): void {}
