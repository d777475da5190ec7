import type { RequestHead } from "../http1/head.ts";
import type { FixedAnswer, OwnAnswer } from "./answer.ts";
import { noModelAnswer } from "./answers.ts";
import { decodedSegment } from "./describe/recognise.ts";
import type { ModelNames, ModelRewrite } from "./model-names.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import type { Route } from "./route.ts";
import { FITS, misfitOf } from "./route-match.ts";
import type { RouteTable } from "./route-table.ts";

/** A question for the models of several pools: `/v1/models`, or `/v1/models/ID`. */
export interface Listing {
  readonly isListing: true;
  readonly upgrade: null;
  /** One model that is asked for; "" for all. */
  readonly id: string;
  readonly sources: readonly ModelSource[];
}

/** A route that a client's prompts may take. */
export interface ModelSource {
  readonly pools: readonly PoolTraffic[];
  /** What backends are asked for. */
  readonly path: string;
  /** Those that the route takes; null: all. */
  readonly takes: ModelNames | null;
  readonly renames: ModelRewrite | null;
}

/**
 * The listing that a request asks for where routes go by model: then no single pool knows them all. Null for
 * other requests, and where the file has a route of its own for that path. `head` is valid during the call.
 */
export function listingOf(head: RequestHead, routes: RouteTable): Listing | null {
  if (head.method !== "GET" && head.method !== "HEAD") return null;
  const at = head.path.indexOf(LIST_PATH);
  if (at < 0) return null;
  const rest = head.path.slice(at + LIST_PATH.length);
  if (rest !== "" && !rest.startsWith("/")) return null;
  const own = routes.find(head, null)?.match;
  if (own !== undefined && (own.pathKind !== "prefix" || own.path.includes(LIST_PATH))) return null;
  const base = head.path.slice(0, at);
  const asChat = asIf(head, "POST", `${base}/v1/chat/completions`);
  const asList = asIf(head, "GET", `${base}${LIST_PATH}`);
  const sources = routes.routes
    .filter(({ match }) => misfitOf(match, asChat, null) === FITS)
    .flatMap((route) => sourceOf(route, asList));
  return { isListing: true, upgrade: null, id: decodedSegment(rest.slice(1)), sources };
}

function sourceOf(route: Route, head: RequestHead): ModelSource[] {
  if (route.kind !== "pool") return [];
  const { rewrite, split, traffic, match, models } = route;
  const path = rewrite !== null && rewrite.takes(head.path) ? rewrite.apply(head) : head.path;
  if (path === null) return [];
  const pools = split === null ? [traffic] : split.parts.map((part) => part.traffic);
  return [{ pools, path, takes: match.models, renames: models }];
}

function asIf(head: RequestHead, method: string, path: string): RequestHead {
  return Object.assign(head.copy(), { method, target: path, originTarget: path, path, query: "" });
}

const LIST_PATH = "/v1/models";

/** The models of pools, as their backends tell; asked for at most every {@link FRESH_MS} each. */
export class ModelLists {
  readonly #nowMs: () => number;
  readonly #known: WeakMap<PoolTraffic["upstreams"], Map<string, KnownList>> = new WeakMap();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The answer to a listing, when the backends have said what they have, or have had their time. */
  async answer({ id, sources }: Listing): Promise<OwnAnswer> {
    const found = await Promise.all(sources.map((source) => this.#modelsOf(source)));
    const models = new Map<string, ListedModel>();
    for (const model of found.flat()) if (!models.has(model.id)) models.set(model.id, model);
    if (id !== "") {
      const model = models.get(id);
      return model === undefined ? noModelAnswer(id) : json(model);
    }
    const data = [...models.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return json({ object: "list", data });
  }

  /** By the names that clients use on that route. */
  async #modelsOf({ pools, path, takes, renames }: ModelSource): Promise<ListedModel[]> {
    const lists = await Promise.all(pools.map((traffic) => this.#ofPool(traffic, path)));
    const known = new Map(lists.flat().map((model) => [model.id, model]));
    const isSilent = known.size === 0;
    const models: ListedModel[] = [];
    for (const name of [...(takes?.names ?? []), ...(renames?.names ?? [])]) {
      if (takes !== null && !takes.takes(name)) continue;
      const upstream = renames?.nameFor(name) ?? name;
      const model = known.get(upstream);
      // Backends that tell nothing are believed to have what the file says.
      if (model !== undefined || isSilent) models.push({ ...UNTOLD, ...model, id: name });
    }
    for (const model of known.values()) {
      const isReached =
        (takes === null || takes.takes(model.id)) && (renames?.nameFor(model.id) ?? model.id) === model.id;
      if (isReached) models.push(model);
    }
    return models;
  }

  async #ofPool(traffic: PoolTraffic, path: string): Promise<ListedModel[]> {
    const lists = await Promise.all(
      traffic.pool.roster.list.slice(0, ASKED_MAX).map(({ id }) => this.#ofBackend(traffic, id, path)),
    );
    return lists.flat();
  }

  async #ofBackend({ upstreams }: PoolTraffic, id: string, path: string): Promise<readonly ListedModel[]> {
    const lists = this.#listsOf(upstreams);
    const key = `${id} ${path}`;
    const known = lists.get(key) ?? { models: [], askedMs: Number.NEGATIVE_INFINITY, asking: null };
    lists.set(key, known);
    if (this.#nowMs() - known.askedMs < FRESH_MS) return known.models;
    known.asking ??= this.#refresh(known, upstreams, id, path);
    await known.asking;
    return known.models;
  }

  async #refresh(
    known: KnownList,
    upstreams: PoolTraffic["upstreams"],
    id: string,
    path: string,
  ): Promise<void> {
    const models = await this.#ask(upstreams, id, path);
    // The last good answer stands while the backend says nothing.
    if (models !== null) known.models = models;
    known.askedMs = this.#nowMs();
    known.asking = null;
  }

  #listsOf(upstreams: PoolTraffic["upstreams"]): Map<string, KnownList> {
    const before = this.#known.get(upstreams);
    if (before !== undefined && before.size <= KNOWN_MAX) return before;
    const lists = new Map<string, KnownList>();
    this.#known.set(upstreams, lists);
    return lists;
  }

  /** Null: it does not tell. */
  async #ask(upstreams: PoolTraffic["upstreams"], id: string, path: string): Promise<ListedModel[] | null> {
    try {
      const limits = { timeoutMs: ASK_MS, bodyBytesMax: LIST_BYTES_MAX };
      const response = await upstreams.fetch(id, path, limits);
      if (response === null || response.status !== 200) return null;
      return readList(JSON.parse(response.body.toString("utf8")));
    } catch {
      // Down, slow or no JSON: its health is judged elsewhere.
      return null;
    }
  }
}

interface KnownList {
  models: readonly ListedModel[];
  askedMs: number;
  asking: Promise<void> | null;
}

/** A model as OpenAI lists it; whatever else its backend says of it is passed on. */
interface ListedModel {
  readonly id: string;
  readonly [key: string]: unknown;
}

function readList(value: unknown): ListedModel[] | null {
  const data = typeof value === "object" && value !== null && "data" in value ? value.data : null;
  if (!Array.isArray(data)) return null;
  return data.slice(0, LISTED_MAX).filter(isModel);
}

function isModel(value: unknown): value is ListedModel {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

function json(value: unknown): FixedAnswer {
  const body = Buffer.from(JSON.stringify(value)).toString("latin1");
  return {
    kind: "fixed",
    status: 200,
    lines: "content-type: application/json\r\ncache-control: no-store\r\n",
    body,
  };
}

const UNTOLD = { object: "model", created: 0, owned_by: "evener" };
/** How long a backend's list counts before it is asked again. */
const FRESH_MS = 10_000;
const ASK_MS = 2_000;
const LIST_BYTES_MAX = 1024 * 1024;
/** Models of one backend that are listed. */
const LISTED_MAX = 10_000;
/** Backends of one pool that are asked. */
const ASKED_MAX = 256;
/** Lists of one pool that are kept: backends come and go. */
const KNOWN_MAX = 1_024;
