import type { Endpoint } from "../core/endpoint.ts";
import { EvenerError } from "../errors.ts";
import { type ControlAnswer, jsonAnswer, textAnswer } from "../control/answer.ts";
import { readNumber } from "../control/query.ts";
import { changeBackend, reportVitals } from "./change.ts";
import { EVENTS_MAX } from "./event-log.ts";
import { eventStatus } from "./event-stream.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { PAGE_POLICY } from "./page-assets.ts";
import { statusPage } from "./page.ts";
import { ENDPOINTS, type RouteMatch } from "./routes.ts";
import type { AdminPool, AdminSource } from "./source.ts";
import type { StatusReader } from "./status.ts";
import { whyStatus } from "./why.ts";

/**
 * Answers what has come through the access rule: everything that an endpoint does, without HTTP around it.
 */
export class AdminApi {
  readonly #source: AdminSource;
  readonly #status: StatusReader;
  readonly #onChange: (who: string, what: string) => void;

  constructor(source: AdminSource, status: StatusReader, onChange: (who: string, what: string) => void) {
    this.#source = source;
    this.#status = status;
    this.#onChange = onChange;
  }

  /** The answer to a GET. Throws EvenerError: no such thing, or a bad value. */
  read(route: RouteMatch, query: string): ControlAnswer {
    const source = this.#source;
    switch (route.endpoint.name) {
      case "page":
        return this.#page();
      case "health":
        return textAnswer(PLAIN, "ok\n");
      case "ready":
        if (source.isReady()) return textAnswer(PLAIN, "ready\n");
        return { ...textAnswer(PLAIN, "not ready: Evener is starting or stopping\n"), status: 503 };
      case "metrics":
        return textAnswer(METRICS_TYPE, metricsText(source, this.#status.nowMs()));
      case "pools":
        return jsonAnswer({ pools: source.pools().map((pool) => this.#status.pool(pool)) });
      case "pool":
        return jsonAnswer(this.#status.pool(this.#pool(route)));
      case "backend":
        return this.#backend(route);
      case "events":
        return this.#events(query);
      case "why":
      case "vitals":
        throw new Error("not to be read like this");
    }
  }

  /** The answer to a GET that asks all threads. Rejects with EvenerError where nothing is known. */
  async why({ id }: RouteMatch): Promise<ControlAnswer> {
    const placements = await this.#source.placementsOf(id);
    return jsonAnswer(whyStatus(id, placements, Date.now()));
  }

  /** Does what a PUT with this JSON asks for. `who` is for the audit log. Throws EvenerError. */
  write(route: RouteMatch, body: unknown, who: string): ControlAnswer {
    const { pool } = this.#pool(route);
    const endpoint = this.#endpoint(route);
    if (route.endpoint.name === "vitals") {
      // A figure that a backend reports of itself every few seconds is no change by an operator: no audit
      // line.
      reportVitals(pool, endpoint, body);
    } else {
      const what = changeBackend(pool, endpoint, body);
      this.#onChange(who, `pool ${route.pool}, backend ${route.id}: ${what}`);
    }
    return this.#backend(route);
  }

  #page(): ControlAnswer {
    const pools = this.#source.pools().map((pool) => this.#status.pool(pool));
    const lines = `content-security-policy: ${PAGE_POLICY}\r\nx-frame-options: DENY\r\n`;
    return textAnswer("text/html; charset=utf-8", statusPage(this.#source, pools, Date.now()), lines);
  }

  #backend(route: RouteMatch): ControlAnswer {
    const pool = this.#pool(route);
    this.#endpoint(route);
    return jsonAnswer(this.#status.backend(pool, route.id));
  }

  #events(query: string): ControlAnswer {
    const { events } = this.#source;
    const max = readNumber(query, "max", EVENTS_DEFAULT, 1, EVENTS_MAX);
    // Without a beginning: the latest ones.
    const since = readNumber(query, "since", Math.max(0, events.last - max), 0, Number.MAX_SAFE_INTEGER);
    const list = events.since(since, max).map(eventStatus);
    return jsonAnswer({ first: events.first, last: events.last, events: list });
  }

  #pool({ pool: name }: RouteMatch): AdminPool {
    const pools = this.#source.pools();
    const found = pools.find((pool) => pool.name === name);
    if (found !== undefined) return found;
    throw notFound(`there is no pool ${JSON.stringify(name)}; there are: ${namesOf(pools)}`);
  }

  #endpoint(route: RouteMatch): Endpoint {
    const { members } = this.#pool(route).pool;
    const endpoint = members.get(route.id);
    if (endpoint !== undefined) return endpoint;
    const ids = namesOf(members.list.map(({ id }) => ({ name: id })));
    throw notFound(`pool ${route.pool} has no backend ${JSON.stringify(route.id)}; it has: ${ids}`);
  }
}

/** The answer to a path that does not exist: what does. */
export function unknownPath(path: string): ControlAnswer {
  const endpoints = ENDPOINTS.map((each) => `${each.methods.join(", ")} ${each.path}`);
  const message = `there is no ${JSON.stringify(path)} here`;
  return jsonAnswer({ error: { code: "EVENER_NOT_FOUND", message, endpoints } }, 404);
}

const PLAIN = "text/plain; charset=utf-8";
/** Events in one answer when the query does not say. */
const EVENTS_DEFAULT = 100;
/** Names that an error lists. */
const NAMES_MAX = 20;

function namesOf(list: readonly { readonly name: string }[]): string {
  const names = list.slice(0, NAMES_MAX).map(({ name }) => name);
  if (list.length > NAMES_MAX) names.push(`and ${list.length - NAMES_MAX} more`);
  return names.length === 0 ? "none" : names.join(", ");
}

function notFound(message: string): EvenerError {
  return new EvenerError("EVENER_NOT_FOUND", message);
}
