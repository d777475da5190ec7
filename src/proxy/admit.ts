import { STATE } from "../core/ledger.ts";
import { NO_KEY, type Work } from "../core/work.ts";
import { isAmbiguousPath } from "../http1/ambiguous-path.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import type { OwnAnswer } from "./answer.ts";
import { ANSWERS, OPTIONS_ANSWER } from "./answers.ts";
import type { ProxyContext } from "./context.ts";
import type { LlmApi } from "./describe/llm-api.ts";
import { describableApi, recogniseApi } from "./describe/recognise.ts";
import { requestLines } from "./forwarding.ts";
import { keyOf, type KeySource } from "./keys.ts";
import { findLearned } from "./learned-session.ts";
import { drawMirror, type MirroredRequest } from "./mirror.ts";
import { type Listing, listingOf } from "./model-list.ts";
import type { Peer } from "./peer.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import type { RequestRecord } from "./record.ts";
import { Redirect } from "./redirect.ts";
import { isLlmPath, isReplaySafe } from "./request-kind.ts";
import type { LocalRoute, PoolRoute, Route } from "./route.ts";
import type { RouteTable } from "./route-table.ts";
import { sessionTag } from "./session-cookie.ts";
import { offeredProtocol, offerFault } from "./upgrade.ts";

/** All that the rest of a request's life needs of its head. */
export interface Admission {
  readonly route: PoolRoute;
  /** Of the pool that the route has led to. */
  readonly traffic: PoolTraffic;
  /**
   * Request line and field lines for the backend, without the empty line; they change where its model does.
   */
  head: string;
  /** HTTP/1.0 may name no host; what we send must. */
  readonly lacksHost: boolean;
  readonly method: string;
  /** As its method and path say; what its body says may change it before the first attempt. */
  isReplaySafe: boolean;
  /** The backend is asked how it is, which the client did not do. */
  readonly asksForLoad: boolean;
  readonly expectsContinue: boolean;
  /** HTTP/1.0: no chunks, no interim responses, no second request. */
  readonly isOldClient: boolean;
  /** The backend at which the session is at home, by our cookie or learned; null when it is not well. */
  readonly sessionHome: string | null;
  /** Of a learned session; NO_KEY for none. */
  readonly learnedHash: number;
  /** The protocol that the backend is offered; null for none. */
  readonly upgrade: string | null;
  /** The choice goes by a field of the body. */
  readonly bodyKey: { readonly field: string; readonly isSession: boolean } | null;
  /** The body is read for what the request will cost, or for its model; null where neither matters. */
  readonly api: LlmApi | null;
  /** Whose prompt it is; NO_KEY where that does not matter. */
  readonly tenant: number;
  /** A copy that goes elsewhere when the body is complete. */
  readonly mirror: MirroredRequest | null;
}

/**
 * Judges the head of a request: where it goes and what goes along, or why it goes nowhere. Fills record and
 * work.
 */
export function admit(
  context: ProxyContext,
  head: RequestHead,
  record: RequestRecord,
  work: Work,
): Admission | OwnAnswer | Undecided | Listing {
  record.method = head.method;
  record.target = head.target;
  record.host = head.host;
  record.isLlm = isLlmPath(head.path);
  record.requestId = context.ids.requestId(head.value(FIELD.xRequestId));
  record.traceparent = context.ids.traceparent(head.value(FIELD.traceparent));
  if (record.chain !== null) {
    record.chain.read(head);
    record.client = record.chain.client;
  }
  if (head.method === "CONNECT" || head.method === "TRACE") return ANSWERS.methodRefused;
  if (isAmbiguousPath(head.path)) return ANSWERS.ambiguousPath;
  if (hasBeenHere(head, context.pseudonym)) return ANSWERS.loop;
  if (maxForwards(head) === 0) {
    context.answeredLocally++;
    return OPTIONS_ANSWER;
  }
  const { routes } = context.plan;
  const listing = routes.asksForModels ? listingOf(head, routes) : null;
  if (listing !== null) return listing;
  const route = routes.find(head, null);
  if (route === null || route.match.models === null) return admitTo(context, route, head, record, work);
  const api = modelApi(route, head);
  if (api === null) return admitTo(context, routes.find(head, ""), head, record, work);
  return { isUndecided: true, upgrade: null, head: head.copy(), api, routes };
}

/**
 * A request whose route goes by the model, which stands in its body: the head is kept until that has come.
 */
export interface Undecided {
  readonly isUndecided: true;
  readonly upgrade: null;
  readonly head: RequestHead;
  readonly api: LlmApi;
  /** Those of the configuration that the request has begun with. */
  readonly routes: RouteTable;
}

/** How the body says which model it asks for, if that is to be waited for; null where it says none. */
function modelApi(route: Route, head: RequestHead): LlmApi | null {
  if (head.framing === "none" || head.upgrade !== null) return null;
  const rewrite = route.kind === "pool" ? route.rewrite : null;
  const target = rewrite !== null && rewrite.takes(head.path) ? rewrite.apply(head) : null;
  return recogniseApi(head.method, target === null ? head.path : pathOf(target));
}

/** What becomes of a request on the route that has been found for it. */
export function admitTo(
  context: ProxyContext,
  route: Route | null,
  head: RequestHead,
  record: RequestRecord,
  work: Work,
): Admission | OwnAnswer {
  if (route === null) {
    context.unrouted++;
    return ANSWERS.noRoute;
  }
  record.route = route.name;
  if (route.kind === "local") return localAnswer(context, route, head);
  const { bodyBytesMax } = route;
  if (bodyBytesMax > 0 && head.contentLength > bodyBytesMax) return ANSWERS.bodyTooLarge;
  return admitToPool(context, route, head, record, work);
}

function localAnswer(context: ProxyContext, { answer }: LocalRoute, head: RequestHead): OwnAnswer {
  context.answeredLocally++;
  return answer instanceof Redirect ? answer.answerTo(head) : answer;
}

function admitToPool(
  context: ProxyContext,
  route: PoolRoute,
  head: RequestHead,
  record: RequestRecord,
  work: Work,
): Admission | OwnAnswer {
  const { rewrite, split, mirror } = route;
  const isRewritten = rewrite !== null && rewrite.takes(head.path);
  const target = isRewritten ? rewrite.apply(head) : head.originTarget;
  if (target === null) return ANSWERS.doubleSlash;
  const path = isRewritten ? pathOf(target) : head.path;
  record.isLlm ||= isRewritten && isLlmPath(path);
  const client = record.client;
  const traffic = split === null ? route.traffic : split.choose(head, client, context.random);
  record.traffic = traffic;
  const upgrade = head.upgrade === null ? null : offeredProtocol(head, route.upgrades);
  const fault = upgrade === null ? null : offerFault(head, upgrade);
  if (fault !== null) return fault;
  work.reset();
  work.labels = route.labels;
  work.classIndex = route.classIndex;
  work.isReplayable = isReplaySafe(route.replay, head.method, path);
  if (traffic.hashKey !== null) work.key = keyOf(traffic.hashKey, head, client);
  if (traffic.sessionKey !== null) work.sessionKey = keyOf(traffic.sessionKey, head, client);
  if (traffic.cookies !== null) work.sessionSlot = cookieSlot(traffic, head);
  const learnedHash =
    traffic.learner === null ? NO_KEY : findLearned(traffic, head, work, context.clock.nowMs());
  const loadLine = traffic.loadReports?.lineFor(head) ?? "";
  return {
    route,
    traffic,
    head: forwardedHead(context, head, record, route, traffic, target) + loadLine + upgradeLines(upgrade),
    lacksHost: head.host === "" && route.host === null,
    method: head.method,
    isReplaySafe: work.isReplayable,
    asksForLoad: loadLine !== "",
    expectsContinue: head.expectsContinue,
    isOldClient: head.minorVersion === 0,
    sessionHome: homeOf(traffic, work.sessionSlot),
    learnedHash,
    upgrade,
    bodyKey: head.framing === "none" ? null : bodyKey(traffic.hashKey, traffic.sessionKey),
    api: upgrade === null && head.framing !== "none" ? apiOf(route, traffic, head.method, path) : null,
    tenant: traffic.tenantKey === null ? NO_KEY : keyOf(traffic.tenantKey, head, client),
    // A tunnel is no request that could be copied.
    mirror: mirror === null || upgrade !== null ? null : drawMirror(context, mirror, head, record),
  };
}

/**
 * The answer is what the route says, whatever the body is: it may be thrown away behind it. A client that
 * waits for a 100 may send its next request in place of the body then.
 */
export function waivesBody(answer: OwnAnswer, head: RequestHead): boolean {
  return answer.kind === "fixed" && answer !== OPTIONS_ANSWER && !head.expectsContinue;
}

function forwardedHead(
  context: ProxyContext,
  head: RequestHead,
  record: RequestRecord,
  route: PoolRoute,
  traffic: PoolTraffic,
  target: string,
): string {
  const host = route.host ?? head.host;
  let text = record.opening.of(head.method, target, host);
  text += requestLines(head, traffic.cookies, route.requestFields);
  text += record.chain === null ? record.peer.lines(head.host) : record.chain.lines(head.host);
  text += `x-request-id: ${record.requestId}\r\ntraceparent: ${record.traceparent}\r\n`;
  if (target !== head.originTarget) text += prefixLine(route, record.peer);
  const forwards = maxForwards(head);
  if (forwards > 0) text += `max-forwards: ${forwards - 1}\r\n`;
  return `${text}via: 1.${head.minorVersion} ${context.pseudonym}\r\n`;
}

/** The offer is ours: nothing of the client's Connection goes on. */
function upgradeLines(upgrade: string | null): string {
  return upgrade === null ? "" : `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
}

/** What was taken off the path, so that a backend can make links that lead back to it. */
function prefixLine({ rewrite }: PoolRoute, { fields }: Peer): string {
  const stripped = rewrite?.stripped ?? "";
  return stripped === "" || fields === "off" || fields === "forwarded"
    ? ""
    : `x-forwarded-prefix: ${stripped}\r\n`;
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}

/** Our name is in one of its Via lines. */
function hasBeenHere(head: RequestHead, pseudonym: string): boolean {
  for (let i = 0; i < head.count; i++) {
    if (head.ids[i] === FIELD.via && head.valueAt(i).includes(pseudonym)) return true;
  }
  return false;
}

/** How much further an OPTIONS may go; -1 where nothing is said, and for other methods. */
function maxForwards(head: RequestHead): number {
  if (head.method !== "OPTIONS") return -1;
  const value = head.value(FIELD.maxForwards);
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : -1;
}

/** The slot of the backend that the session cookie names; -1 when there is none. */
function cookieSlot(traffic: PoolTraffic, head: RequestHead): number {
  const tag = sessionTag(traffic.cookies!, head);
  const id = tag === null ? undefined : traffic.idByTag.get(tag);
  return id === undefined ? -1 : (traffic.pool.roster.get(id)?.slot ?? -1);
}

/** The id of the backend in that slot, if a session may stay there: it is well, full or not. */
function homeOf({ pool }: PoolTraffic, slot: number): string | null {
  return slot >= 0 && pool.ledger.state[slot] === STATE.available ? pool.roster.at(slot).id : null;
}

/** Whose body is read: where the policy looks at prompts, or the model gets another name. */
function apiOf(route: PoolRoute, { pool }: PoolTraffic, method: string, path: string): LlmApi | null {
  if (route.models !== null) return recogniseApi(method, path);
  return pool.bytesPerToken === undefined ? null : describableApi(method, path);
}

function bodyKey(hash: KeySource | null, session: KeySource | null): Admission["bodyKey"] {
  if (session?.from === "body") return { field: session.name, isSession: true };
  return hash?.from === "body" ? { field: hash.name, isSession: false } : null;
}
