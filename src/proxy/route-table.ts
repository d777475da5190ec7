// Hot path: one look-up by host where routes name hosts, one by path where they name whole paths, then one
// comparison a route.
import type { RequestHead } from "../http1/head.ts";
import { leadsTo, type Route } from "./route.ts";
import { FITS, hostName, misfitOf, type RouteMatch } from "./route-match.ts";

/**
 * The routes of a configuration, most specific first: an exact host before a wildcard (the longer first)
 * before any; an exact path before a regular expression before a prefix (the longer first); a model's name
 * before a pattern (the longer first) before any; then more conditions (methods count as one); then the order
 * of the file. Immutable.
 */
export class RouteTable {
  /** In the order in which they are tried. */
  readonly routes: readonly Route[];
  readonly #byHost: Map<string, HostRoutes> = new Map();
  /** The longer suffix first. */
  readonly #wildcards: readonly { readonly suffix: string; readonly routes: HostRoutes }[];
  readonly #anyHost: HostRoutes;
  readonly #hasHosts: boolean;
  /** Some route asks for a model. */
  readonly asksForModels: boolean;

  /** `routes` in the order of the file. */
  constructor(routes: readonly Route[]) {
    this.routes = routes.toSorted((a, b) => compare(a.match, b.match));
    const groups = Map.groupBy(this.routes, ({ match }) => match.host);
    const wildcards = [];
    for (const [host, group] of groups) {
      const suffix = group[0]!.match.hostSuffix;
      if (suffix !== null) wildcards.push({ suffix, routes: new HostRoutes(group) });
      else if (host !== null) this.#byHost.set(host, new HostRoutes(group));
    }
    this.#wildcards = wildcards;
    this.#anyHost = new HostRoutes(groups.get(null) ?? []);
    this.asksForModels = this.routes.some(({ match }) => match.models !== null);
    this.#hasHosts = groups.size > (groups.has(null) ? 1 : 0);
  }

  /**
   * The route that takes the request, or null: always the first of `routes` that it fits. `model` as for
   * {@link misfitOf}: where it is null and the route found asks for none, no model would lead elsewhere.
   */
  find(head: RequestHead, model: string | null): Route | null {
    return (this.#hasHosts ? this.#findByHost(head, model) : null) ?? this.#anyHost.find(head, model);
  }

  /**
   * The first route that takes the request with that model and leads to that pool, and to no other; or null.
   */
  findTo(pool: string, head: RequestHead, model: string): Route | null {
    for (let i = 0; i < this.routes.length; i++) {
      const route = this.routes[i]!;
      if (leadsTo(route, pool) && misfitOf(route.match, head, model) === FITS) return route;
    }
    return null;
  }

  #findByHost(head: RequestHead, model: string | null): Route | null {
    const name = hostName(head.host);
    const found = this.#byHost.get(name)?.find(head, model);
    if (found) return found;
    for (let i = 0; i < this.#wildcards.length; i++) {
      const { suffix, routes } = this.#wildcards[i]!;
      const route = name.endsWith(suffix) ? routes.find(head, model) : null;
      if (route !== null) return route;
    }
    return null;
  }
}

/** The routes of one host. Those with an exact path come first, and there may be thousands of them. */
class HostRoutes {
  readonly #exact: Map<string, readonly Route[]>;
  readonly #others: readonly Route[];

  constructor(routes: readonly Route[]) {
    const exact = routes.filter(({ match }) => match.pathKind === "exact");
    this.#exact = Map.groupBy(exact, ({ match }) => match.path);
    this.#others = routes.filter(({ match }) => match.pathKind !== "exact");
  }

  find(head: RequestHead, model: string | null): Route | null {
    if (this.#exact.size > 0) {
      const exact = this.#exact.get(head.path);
      const route = exact === undefined ? null : firstThatFits(exact, head, model);
      if (route !== null) return route;
    }
    return firstThatFits(this.#others, head, model);
  }
}

function firstThatFits(routes: readonly Route[], head: RequestHead, model: string | null): Route | null {
  for (let i = 0; i < routes.length; i++) {
    if (misfitOf(routes[i]!.match, head, model) === FITS) return routes[i]!;
  }
  return null;
}

/** Below zero: `a` is the more specific. Sorting is stable, so the order of the file decides the rest. */
function compare(a: RouteMatch, b: RouteMatch): number {
  return (
    hostRank(b) - hostRank(a) ||
    PATH_RANK[b.pathKind] - PATH_RANK[a.pathKind] ||
    prefixLength(b) - prefixLength(a) ||
    (b.models?.rank ?? 0) - (a.models?.rank ?? 0) ||
    conditionCount(b) - conditionCount(a)
  );
}

/** Host names have at most 253 characters. */
function hostRank({ host, hostSuffix }: RouteMatch): number {
  if (host === null) return 0;
  return hostSuffix === null ? 1_000 : hostSuffix.length;
}

const PATH_RANK = { exact: 2, regex: 1, prefix: 0 } as const;

function prefixLength({ pathKind, path }: RouteMatch): number {
  return pathKind === "prefix" ? path.length : 0;
}

function conditionCount({ methods, conditions }: RouteMatch): number {
  return conditions.length + (methods.length > 0 ? 1 : 0);
}
