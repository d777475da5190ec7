import type { RouteMatchConfig } from "../config/config-route.ts";
import type { Config } from "../config/config.ts";
import { formatDuration, formatSize } from "../config/scalars.ts";
import { Random } from "../core/kit/random.ts";
import { PromptBook } from "../core/inference/prompt-book.ts";
import { Ledger } from "../core/ledger.ts";
import type { Pool } from "../core/pool.ts";
import { Work } from "../core/work.ts";
import { EvenerError } from "../errors.ts";
import { Fleet } from "../fleet.ts";
import { Deadlines } from "../http1/deadlines.ts";
import type { RequestHead } from "../http1/head.ts";
import { RequestParser } from "../http1/parser.ts";
import { DataPlane, settingsOf } from "../planes/data-plane.ts";
import { admit, admitTo, type Admission } from "../proxy/admit.ts";
import { answerText, type OwnAnswer } from "../proxy/answer.ts";
import { noModelAnswer, parseAnswer } from "../proxy/answers.ts";
import type { ProxyContext } from "../proxy/context.ts";
import { routeByModel } from "../proxy/model-choice.ts";
import { leadsTo } from "../proxy/route.ts";
import type { Listing } from "../proxy/model-list.ts";
import { Peer } from "../proxy/peer.ts";
import { RequestRecord } from "../proxy/record.ts";
import { FITS, MISFIT, misfitOf } from "../proxy/route-match.ts";
import { TicketKeys } from "../proxy/ticket-keys.ts";
import { describeCondition, describeMatch, describeTarget } from "./describe-route.ts";

/** The request that is asked about. */
export interface ExplainOptions {
  /** `http://host/path?query`, or a path alone. */
  readonly url: string;
  readonly method: string;
  /** `name: value` each. */
  readonly headers: readonly string[];
  /** That its body asks for; null for none. */
  readonly model: string | null;
}

/** What a configuration does with one request; by the code that does it. */
export interface Explanation {
  /** The routes that were asked before, with their place in the file and why they did not take it. */
  readonly passed: readonly { readonly route: number; readonly match: string; readonly why: string }[];
  /** The route that takes it; null: none does, or the request is refused before. */
  readonly taken: { readonly route: number; readonly match: string; readonly target: string } | null;
  /** Where it goes; null: Evener answers. */
  readonly pool: string | null;
  readonly mirror: string | null;
  readonly rules: string;
  /** Head of the request to a backend, or Evener's own answer; lines without their ends. */
  readonly text: readonly string[];
}

/** Asks the data plane's own code what would happen, without a socket. Throws EVENER_USAGE. */
export function explain(config: Config, options: ExplainOptions): Explanation {
  const deadlines = new Deadlines();
  try {
    return judge(config, contextOf(config, deadlines), options);
  } finally {
    deadlines.close();
  }
}

/** For a terminal. */
export function explanationText(it: Explanation): string {
  const passed = it.passed.slice(0, PASSED_SHOWN_MAX).map(({ route, match, why }) => {
    return `  no   routes[${route}] ${match}: ${why}\n`;
  });
  const more = it.passed.length - passed.length;
  if (more > 0) passed.push(`  no   ${more} more routes\n`);
  const { taken } = it;
  // A configuration has at least one route: when none was passed, none was asked.
  let found = passed.length === 0 ? "no route is asked\n" : "  no route takes it\n";
  if (taken !== null) found = `  yes  routes[${taken.route}] ${taken.match} -> ${taken.target}\n`;
  const pool = it.pool === null ? "answered by Evener:\n" : `sent to pool ${it.pool} (${it.rules}):\n`;
  const mirror = it.mirror === null ? "" : `copied to ${it.mirror}\n`;
  return `${passed.join("")}${found}${pool}${it.text.map((line) => `  ${line}\n`).join("")}${mirror}`;
}

const PASSED_SHOWN_MAX = 20;

/** The real data plane, but nobody probes its pools, nobody listens and no connection is made. */
function contextOf(config: Config, deadlines: Deadlines): ProxyContext {
  const random = new Random(1);
  const clock = { nowMs: (): number => 0 };
  const ledger = new Ledger();
  const prompts = PromptBook.of(ledger);
  const fleet = new Fleet({
    ledger,
    prompts,
    clock,
    random,
    onEvent: () => {},
    turnstileOf: () => undefined,
  });
  const tickets = new TicketKeys();
  const shared = { clock, random, deadlines, tickets };
  const kit = { ...shared, pseudonym: "evener", threads: 1, onPrefaceRefused: () => {} };
  const plane = new DataPlane({ ...config, accessLog: { kind: "off" } }, kit);
  const pools = fleet.apply(config.pools.map((pool) => ({ ...pool, health: null, agentCheck: null })));
  const deskOf = (name: string): Pool => pools.get(name)!;
  plane.apply(config, ["no session is known here"], deskOf, (name) => fleet.update(name));
  return plane.proxy.context;
}

function requestBytes({ url, method, headers, model }: ExplainOptions): Buffer {
  // Not `new URL`: it would normalise what is to be judged.
  const match = /^(?:https?:\/\/([^/?#]+))?([^#]*)$/.exec(url);
  if (match === null || !/^$|^[/?*]/.test(match[2]!)) {
    throw new EvenerError("EVENER_USAGE", `--explain ${url}: write http://HOST/PATH or /PATH`);
  }
  const target = match[2]!.startsWith("/") || match[2] === "*" ? match[2]! : `/${match[2]!}`;
  const bad = headers.find((line) => !/^[^:\s]+:[^\r\n]*$/.test(line));
  if (bad !== undefined) {
    throw new EvenerError("EVENER_USAGE", `--header ${JSON.stringify(bad)}: write 'name: value'`);
  }
  const hasHost = headers.some((line) => /^host:/i.test(line));
  const host = hasHost ? "" : `host: ${match[1] ?? "localhost"}\r\n`;
  const lines = headers.map((line) => `${line}\r\n`).join("");
  // With a body: else there is no model that could be asked for.
  const length = model === null ? "" : "content-length: 2\r\n";
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${host}${lines}${length}\r\n`, "latin1");
}

function judge(config: Config, context: ProxyContext, options: ExplainOptions): Explanation {
  const bytes = requestBytes(options);
  const { limits, trust } = settingsOf(config, { threads: 1 });
  const parser = new RequestParser(limits);
  const record = new RequestRecord(new Peer(CLIENT, "http", trust));
  record.begin(0);
  const isRead = parser.parse(bytes, 0) === bytes.length;
  if (!isRead) return { ...NOTHING, text: answerLines(parseAnswer(parser.error!), record) };
  const { head } = parser;
  const work = new Work();
  let result = admit(context, head, record, work);
  if ("isListing" in result) return { ...NOTHING, text: listingLines(result) };
  let model = options.model ?? "";
  let hasRoute = true;
  if ("isUndecided" in result) {
    const found = routeByModel(result.routes, head, model);
    model = found.model;
    hasRoute = found.route !== null;
    result = hasRoute ? admitTo(context, found.route, head, record, work) : noModelAnswer(model);
  }
  // Refused before any route was asked.
  if (hasRoute && record.route === "" && context.unrouted === 0) {
    return { ...NOTHING, text: answerLines(result as OwnAnswer, record) };
  }
  const isNamed = model !== (options.model ?? "");
  const routing = routingOf(
    config,
    context,
    head,
    model,
    isNamed && "traffic" in result ? result.traffic.name : null,
  );
  if ("status" in result) return { ...NOTHING, ...routing, text: answerLines(result, record) };
  return { ...NOTHING, ...routing, ...sendingOf(result, options.model ?? "", model) };
}

function listingLines({ id, sources }: Listing): string[] {
  const pools = [...new Set(sources.flatMap((source) => source.pools.map(({ name }) => name)))];
  const asked = id === "" ? "the models" : `model ${JSON.stringify(id)}, if it is one`;
  return [`Evener answers with ${asked} of ${pools.length === 0 ? "no pool" : `pool ${pools.join(", ")}`}`];
}

/** Somebody on this machine asks. */
const CLIENT = { remoteAddress: "127.0.0.1", remotePort: 0, localAddress: "127.0.0.1", localPort: 0 };
const NOTHING = { passed: [], taken: null, pool: null, mirror: null, rules: "", text: [] };

function routingOf(
  config: Config,
  { plan }: ProxyContext,
  head: RequestHead,
  model: string,
  pool: string | null,
): Pick<Explanation, "passed" | "taken"> {
  const passed: { route: number; match: string; why: string }[] = [];
  const places = new Map<unknown, number>(config.routes.map((route, index) => [route, index]));
  for (const it of plan.routes.routes) {
    const { match, spec } = it;
    const place = places.get(spec)!;
    const route = config.routes[place]!;
    const described = { route: place, match: describeMatch(route) };
    const misfit = misfitOf(match, head, model);
    const leadsThere = pool === null || leadsTo(it, pool);
    if (misfit === FITS && leadsThere) {
      return { passed, taken: { ...described, target: describeTarget(route.target) } };
    }
    const why = misfit === FITS ? `leads elsewhere than to pool ${pool}` : reasonOf(misfit, route.match);
    passed.push({ ...described, why });
  }
  return { passed, taken: null };
}

function reasonOf(misfit: number, { conditions, models }: RouteMatchConfig): string {
  switch (misfit) {
    case MISFIT.host:
      return "another host";
    case MISFIT.path:
      return "another path";
    case MISFIT.method:
      return "another method";
    case MISFIT.model:
      return `asks for model ${models.join(" or ")}`;
    default:
      return `asks for ${describeCondition(conditions[misfit - MISFIT.conditions]!)}`;
  }
}

function sendingOf(
  { route, traffic, head }: Admission,
  asked: string,
  model: string,
): Pick<Explanation, "pool" | "mirror" | "rules" | "text"> {
  const { timeouts, retry } = traffic;
  const rules = [
    `first byte within ${formatDuration(timeouts.firstByteMs)}`,
    `idle ${formatDuration(timeouts.idleMs)}`,
    retry === null ? "no retries" : `${retry.attempts} attempts`,
    route.bodyBytesMax === 0 ? "any body" : `body up to ${formatSize(route.bodyBytesMax)}`,
  ];
  const { mirror, models } = route;
  const name = models?.nameFor(model) ?? model;
  if (name !== asked) rules.push(`model ${asked} as ${name}`);
  return {
    pool: traffic.name,
    mirror: mirror === null ? null : `pool ${mirror.traffic.name}, ${mirror.share * 100} % of the requests`,
    rules: rules.join(", "),
    text: linesOf(head).map(masked),
  };
}

function answerLines(answer: OwnAnswer, { isLlm, method }: RequestRecord): string[] {
  const dress = { isLlm, isHead: method === "HEAD", keepAlive: true, requestId: "", lines: "" };
  return linesOf(answerText(answer, dress)).filter((line) => line !== "");
}

/** Keys stand in configurations, and explanations in tickets. */
function masked(line: string): string {
  return line.replace(SECRET_LINE, "$1: ***");
}

const SECRET_LINE = /^([^:]*(?:authorization|cookie|key|token|secret|password)[^:]*):.*$/i;

function linesOf(text: string): string[] {
  return text.trimEnd().split("\r\n");
}
