import { STATE } from "../core/ledger.ts";
import type { Work } from "../core/work.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import type { OwnAnswer } from "./answer.ts";
import { ANSWERS, OPTIONS_ANSWER } from "./answers.ts";
import type { ProxyContext } from "./context.ts";
import { requestLines } from "./forwarding.ts";
import { bodyKeyOf, cookieOf, keyOf, type KeySource } from "./keys.ts";
import type { PoolTraffic } from "./pool-traffic.ts";
import type { RequestRecord } from "./record.ts";
import { offeredProtocol, offerFault } from "./upgrade.ts";
import { findRoute, isAmbiguousPath, isLlmPath, isReplaySafe, type Route } from "./route.ts";

/** All that the rest of a request's life needs of its head. */
export interface Admission {
  readonly route: Route;
  /** Request line and field lines for the backend, without the empty line. */
  readonly head: string;
  /** HTTP/1.0 may name no host; what we send must. */
  readonly lacksHost: boolean;
  readonly method: string;
  readonly isReplaySafe: boolean;
  readonly expectsContinue: boolean;
  /** HTTP/1.0: no chunks, no interim responses, no second request. */
  readonly isOldClient: boolean;
  /** The cookie named a backend that is still well. */
  readonly cookieEndpoint: string | null;
  /** The protocol that the backend is offered; null for none. */
  readonly upgrade: string | null;
  /** The choice goes by a field of the body. */
  readonly bodyKey: { readonly field: string; readonly isSession: boolean } | null;
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
): Admission | OwnAnswer {
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
  const { plan } = context;
  if (head.method === "CONNECT" || head.method === "TRACE") return ANSWERS.methodRefused;
  if (isAmbiguousPath(head.path)) return ANSWERS.ambiguousPath;
  if (plan.bodyBytesMax > 0 && head.contentLength > plan.bodyBytesMax) return ANSWERS.bodyTooLarge;
  if (hasBeenHere(head, context.pseudonym)) return ANSWERS.loop;
  if (maxForwards(head) === 0) return OPTIONS_ANSWER;
  const route = findRoute(plan.routes, head);
  if (route === null) {
    context.unrouted++;
    return ANSWERS.noRoute;
  }
  const upgrade = head.upgrade === null ? null : offeredProtocol(head, route.spec.upgrades);
  const fault = upgrade === null ? null : offerFault(head, upgrade);
  const { traffic } = route;
  record.route = route.name;
  record.traffic = traffic;
  if (fault !== null) return fault;
  work.reset();
  work.labels = route.labels;
  work.classIndex = route.classIndex;
  work.isReplayable = isReplaySafe(route, head);
  const client = record.client;
  if (traffic.hashKey !== null) work.key = keyOf(traffic.hashKey, head, client);
  if (traffic.sessionKey !== null) work.sessionKey = keyOf(traffic.sessionKey, head, client);
  return {
    route,
    head: forwardedHead(context, head, record, traffic) + upgradeLines(upgrade),
    lacksHost: head.host === "",
    method: head.method,
    isReplaySafe: work.isReplayable,
    expectsContinue: head.expectsContinue,
    isOldClient: head.minorVersion === 0,
    cookieEndpoint: traffic.cookies === null ? null : readSession(traffic, head, work),
    upgrade,
    bodyKey: head.framing === "none" ? null : bodyKey(traffic.hashKey, traffic.sessionKey),
  };
}

/** Puts the key that the body carries into the work. */
export function readBodyKey(admission: Admission, work: Work, chunks: readonly Buffer[]): void {
  const { field, isSession } = admission.bodyKey!;
  const key = bodyKeyOf(field, chunks);
  if (isSession) work.sessionKey = key;
  else work.key = key;
}

function forwardedHead(
  context: ProxyContext,
  head: RequestHead,
  record: RequestRecord,
  traffic: PoolTraffic,
): string {
  let text = `${head.method} ${head.originTarget} HTTP/1.1\r\n`;
  if (head.host !== "") text += `host: ${head.host}\r\n`;
  text += requestLines(head, traffic.cookies);
  text += record.chain === null ? record.peer.lines(head.host) : record.chain.lines(head.host);
  text += `x-request-id: ${record.requestId}\r\ntraceparent: ${record.traceparent}\r\n`;
  const forwards = maxForwards(head);
  if (forwards > 0) text += `max-forwards: ${forwards - 1}\r\n`;
  return `${text}via: 1.${head.minorVersion} ${context.pseudonym}\r\n`;
}

/** The offer is ours: nothing of the client's Connection goes on. */
function upgradeLines(upgrade: string | null): string {
  return upgrade === null ? "" : `connection: upgrade\r\nupgrade: ${upgrade}\r\n`;
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

/** Finds the backend that the session cookie names; null when there is none, or it can not serve. */
function readSession(traffic: PoolTraffic, head: RequestHead, work: Work): string | null {
  const value = cookieOf(head, traffic.cookies!.name);
  const tag = value === null ? null : traffic.cookies!.verify(value, Date.now());
  const id = tag === null ? undefined : traffic.idByTag.get(tag);
  const endpoint = id === undefined ? undefined : traffic.pool.roster.get(id);
  if (endpoint === undefined) return null;
  work.sessionSlot = endpoint.slot;
  return traffic.pool.ledger.state[endpoint.slot] === STATE.available ? endpoint.id : null;
}

function bodyKey(hash: KeySource | null, session: KeySource | null): Admission["bodyKey"] {
  if (session?.from === "body") return { field: session.name, isSession: true };
  return hash?.from === "body" ? { field: hash.name, isSession: false } : null;
}
