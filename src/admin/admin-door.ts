import { type ControlAnswer, errorAnswer } from "../control/answer.ts";
import type { ControlDoor, ControlRequest, ControlRoute, ControlStream } from "../control/door.ts";
import { parseJson, readNumber } from "../control/query.ts";
import type { Deadlines } from "../http1/deadlines.ts";
import type { ServerConnection } from "../http1/server.ts";
import { type AdminApi, unknownPath } from "./api.ts";
import type { EventLog } from "./event-log.ts";
import { EventStream } from "./event-stream.ts";
import { matchRoute, type RouteMatch } from "./routes.ts";

/** What is behind the admin listener: the API, and the stream of events. */
export class AdminDoor implements ControlDoor {
  readonly #api: AdminApi;
  readonly #events: EventLog;
  readonly #deadlines: Deadlines;

  constructor(api: AdminApi, events: EventLog, deadlines: Deadlines) {
    this.#api = api;
    this.#events = events;
    this.#deadlines = deadlines;
  }

  find(path: string): ControlRoute | null {
    const match = matchRoute(path);
    if (match === null) return null;
    const { name, methods, path: shown } = match.endpoint;
    return {
      path: shown,
      methods,
      isPublic: name === "health" || name === "ready",
      bodyBytesMax: BODY_BYTES_MAX,
      answer: (request) => this.#answer(match, request),
      ...(name === "events" && { follow: this.#follow.bind(this) }),
    };
  }

  unknown(path: string): ControlAnswer {
    return unknownPath(path);
  }

  #answer(match: RouteMatch, request: ControlRequest): ControlAnswer | Promise<ControlAnswer> {
    if (request.method === "PUT") return this.#api.write(match, parseJson(request.body), request.who);
    if (match.endpoint.name === "why") return this.#api.why(match);
    return this.#api.read(match, request.query);
  }

  #follow(request: ControlRequest, connection: ServerConnection): ControlStream | ControlAnswer {
    const { lastEventId } = request;
    // A browser that comes back says so in the field; it counts more than the query of the first time.
    const query = /^\d{1,16}$/.test(lastEventId) ? `since=${lastEventId}` : request.query;
    const log = this.#events;
    const since = readNumber(query, "since", log.last, 0, Number.MAX_SAFE_INTEGER);
    const stream = EventStream.begin({ connection, log, deadlines: this.#deadlines, since });
    return stream ?? errorAnswer("EVENER_STREAMS_FULL", STREAMS_FULL);
  }
}

const BODY_BYTES_MAX = 1024 * 1024;
const STREAMS_FULL =
  "all event streams are taken; close one, or ask for /api/v1/events?since=NUMBER again and again";
