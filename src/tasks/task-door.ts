import { isEnd } from "../core/tasks/task.ts";
import { type ControlAnswer, jsonAnswer, textAnswer } from "../control/answer.ts";
import type { ControlDoor, ControlRequest, ControlRoute, ControlStream } from "../control/door.ts";
import { matchPath, pathPattern } from "../control/path.ts";
import { readNumber } from "../control/query.ts";
import type { ServerConnection } from "../http1/server.ts";
import type { AgentUpgrade } from "./agent-upgrade.ts";
import type { TaskDispatcher } from "./dispatcher.ts";
import { EventFeed, type Piece } from "./event-feed.ts";
import { openApi } from "./openapi.ts";
import { TASK_ENDPOINTS, type TaskEndpoint } from "./routes.ts";
import { TaskApi } from "./task-api.ts";
import { eventView } from "./task-view.ts";

/** What is behind the task listener. */
export class TaskDoor implements ControlDoor {
  readonly #dispatcher: TaskDispatcher;
  readonly #api: TaskApi;
  readonly #agents: AgentUpgrade;
  readonly #version: string;
  readonly #onFailure: (error: unknown) => void;

  constructor(
    dispatcher: TaskDispatcher,
    agents: AgentUpgrade,
    version: string,
    onFailure: (error: unknown) => void,
  ) {
    this.#dispatcher = dispatcher;
    this.#api = new TaskApi(dispatcher);
    this.#agents = agents;
    this.#version = version;
    this.#onFailure = onFailure;
  }

  find(path: string): ControlRoute | null {
    for (const { endpoint, pattern } of PATTERNS) {
      const values = matchPath(pattern, path);
      if (values !== null) return this.#route(endpoint, values.id ?? values.name ?? "");
    }
    return null;
  }

  unknown(path: string): ControlAnswer {
    const endpoints = TASK_ENDPOINTS.map((each) => `${each.methods.join(", ")} ${each.path}`);
    const message = `there is no ${JSON.stringify(path)} here`;
    return jsonAnswer({ error: { code: "EVENER_NOT_FOUND", message, endpoints } }, 404);
  }

  #route(endpoint: TaskEndpoint, id: string): ControlRoute {
    const { name, path, methods } = endpoint;
    return {
      path,
      methods,
      isPublic: name === "health",
      bodyBytesMax: name === "tasks" ? SUBMIT_BYTES_MAX : BODY_BYTES_MAX,
      answer: (request) => this.#answer(name, id, request),
      ...(name === "events" && { follow: this.#followEvents.bind(this) }),
      ...(name === "log" && {
        follow: (request: ControlRequest, connection: ServerConnection) =>
          this.#followLog(id, request, connection),
      }),
      ...(name === "agent" && { upgrade: this.#agents.upgrade.bind(this.#agents) }),
    };
  }

  #answer(
    name: TaskEndpoint["name"],
    id: string,
    request: ControlRequest,
  ): ControlAnswer | Promise<ControlAnswer> {
    const api = this.#api;
    switch (name) {
      case "tasks":
        return request.method === "POST" ? api.submit(request) : api.find(request.query);
      case "task":
        return request.method === "DELETE" ? api.cancel(id) : api.task(id);
      case "result":
        return api.result(id, request);
      case "why":
        return api.why(id);
      case "log":
        return this.#log(id);
      case "redrive":
        return api.redrive(id);
      case "redriveAll":
        return api.redriveAll(request.query);
      case "events":
        return api.events(request);
      case "workers":
        return api.workers();
      case "drain":
        return api.drain(id);
      case "queue":
        return api.queue();
      case "openapi":
        return jsonAnswer(openApi(this.#version));
      case "health":
        return textAnswer("text/plain; charset=utf-8", "ok\n");
      case "agent":
        throw new Error("an upgrade is never asked for an answer");
    }
  }

  async #log(id: string): Promise<ControlAnswer> {
    await this.#api.record(id);
    const { parts } = this.#dispatcher.output.since(id, 0);
    const text = Buffer.concat(parts.map(({ bytes }) => bytes));
    return { ...textAnswer("text/plain; charset=utf-8", ""), body: text };
  }

  #followEvents(request: ControlRequest, connection: ServerConnection): ControlStream {
    const { store } = this.#dispatcher;
    // A browser that comes back says so in the field; it counts more than the query of the first time.
    const query = /^\d{1,16}$/.test(request.lastEventId) ? `cursor=${request.lastEventId}` : request.query;
    const cursor = readNumber(query, "cursor", 0, 0, Number.MAX_SAFE_INTEGER);
    const task = new URLSearchParams(request.query).get("task") ?? undefined;
    const next = async (place: number): Promise<Piece> => {
      const events = await store.events(place, FED_MAX, task);
      const text = events
        .map((event) => `id: ${event.cursor}\ndata: ${JSON.stringify(eventView(event))}\n\n`)
        .join("");
      return {
        text,
        place: events.at(-1)?.cursor ?? place,
        hasMore: events.length === FED_MAX,
        isLast: false,
      };
    };
    const watch = (onNews: () => void): (() => void) => this.#dispatcher.watch(onNews);
    return new EventFeed(connection, cursor, { next, watch, onFailure: this.#onFailure });
  }

  #followLog(id: string, { lastEventId }: ControlRequest, connection: ServerConnection): ControlStream {
    const { output, engine } = this.#dispatcher;
    const next = (place: number): Promise<Piece> => {
      const { parts, next: behind } = output.since(id, place);
      const text = parts
        .map(({ stream, bytes }, i) => {
          const data = JSON.stringify({ stream, text: bytes.toString("utf8") });
          return `id: ${behind - parts.length + i + 1}\ndata: ${data}\n\n`;
        })
        .join("");
      const state = engine.book.stateOf(id);
      const isLast = state === undefined || isEnd(state);
      return Promise.resolve({
        text: isLast ? `${text}event: end\ndata: {}\n\n` : text,
        place: behind,
        hasMore: false,
        isLast,
      });
    };
    const place = /^\d{1,9}$/.test(lastEventId) ? Number(lastEventId) : 0;
    const watch = (onNews: () => void): (() => void) => output.watch(id, onNews);
    return new EventFeed(connection, place, { next, watch, onFailure: this.#onFailure });
  }
}

const PATTERNS = TASK_ENDPOINTS.map((endpoint) => ({ endpoint, pattern: pathPattern(endpoint.path) }));
const SUBMIT_BYTES_MAX = 32 * 1024 * 1024;
const BODY_BYTES_MAX = 64 * 1024;
/** Events that are written at once. */
const FED_MAX = 500;
