import { type EndpointSpec, endpointSpec } from "../core/endpoint.ts";
import { VirtualClock } from "../core/kit/clock.ts";
import { Random } from "../core/kit/random.ts";
import { Lease } from "../core/lease.ts";
import { Ledger } from "../core/ledger.ts";
import { createPolicy } from "../core/policies/create.ts";
import { POLICIES } from "../core/policies/index.ts";
import { DEFAULT_POOL_OPTIONS, type PoolOptions } from "../core/pool-options.ts";
import { Pool } from "../core/pool.ts";
import { Prompt } from "../core/prompt.ts";
import { Work } from "../core/work.ts";
import { LateLooks } from "./late-looks.ts";
import type { AnswerFacts, FleetView, Router, RouterSpec, SimRequest } from "./router.ts";

/**
 * As the product runs it, but for its judgement of slowness, so that what is compared are the policies: with
 * it `round_robin` knows who is slow, too (one worker at 35 %: mean TTFT 4.3 s, without it 121 s).
 */
export const POOL_OPTIONS: PoolOptions = { ...DEFAULT_POOL_OPTIONS, slowdown: null };

/** Every policy of the product's menu. */
export const CORE_ROUTERS: readonly RouterSpec[] = POLICIES.map(({ name, summary }) => ({
  name,
  summary,
  create: (_engines: number, seed: number): Router => new CoreRouter(name, seed),
}));

/**
 * The product itself as a way to route: a {@link Pool} with its leases and its health, in virtual time. It
 * knows what the proxy would: requests, first tokens, ends and deaths; no metrics and no KV events.
 */
export class CoreRouter implements Router {
  readonly name: string;
  readonly pool: Pool;
  readonly #clock: VirtualClock = new VirtualClock();
  readonly #leases: Map<number, Lease> = new Map();
  /** Engines that died with a request that is sent again. */
  readonly #tried: Map<number, number[]> = new Map();
  readonly #work: Work = new Work();
  readonly #prompt: Prompt = new Prompt();
  readonly #looks: LateLooks | null;
  /** Requests that have left an engine, and are not yet at another. */
  readonly #moving: Set<number> = new Set();
  /** Requests that have moved. */
  moves = 0;
  /** The list that the pool's members are of; compared by identity. */
  #engines: readonly number[] = [];

  /** `looksAfterLate`: requests may move, see {@link LateLooks}. */
  constructor(policy: string, seed: number, options: PoolOptions = POOL_OPTIONS, looksAfterLate = true) {
    const random = new Random(seed);
    const ledger = new Ledger({ slotsMax: ENGINES_MAX });
    this.name = policy;
    this.pool = new Pool({
      name: "simulated",
      ledger,
      clock: this.#clock,
      random: random.split(1),
      policy: createPolicy(policy, { random: random.split(2), slotsMax: ledger.slotsMax }),
      options,
    });
    this.#looks = looksAfterLate ? new LateLooks(this.pool) : null;
  }

  route(request: SimRequest, view: FleetView, nowS: number): number {
    this.#moveTo(nowS);
    const tried = this.#tried.get(request.id);
    if (tried === undefined && view.engines !== this.#engines) this.#update(view.engines);
    const work = describe(request, this.#work, this.#prompt);
    for (const engine of tried ?? []) {
      const slot = this.pool.members.get(idOf(engine))?.slot;
      if (slot !== undefined) work.avoid(slot);
    }
    work.isMoving = this.#moving.delete(request.id);
    const decision = this.pool.pick(work, new Lease());
    if (decision.kind !== "send") return -1;
    const { lease } = decision;
    const engine = Number(lease.endpoint!.spec.labels["engine"]);
    if (!view.engines.includes(engine)) {
      // It has left since the last request that was new.
      lease.settle("cancelled");
      return -1;
    }
    this.#leases.set(request.id, lease);
    if (tried === undefined) this.#looks?.sent(request, lease);
    return engine;
  }

  get nextLookS(): number {
    return this.#looks === null ? Number.POSITIVE_INFINITY : this.#looks.nextMs / 1000;
  }

  look(nowS: number): number {
    this.#moveTo(nowS);
    const look = this.#looks!.look(this.#clock.nowMs(), (request) =>
      describe(request, this.#work, this.#prompt),
    );
    if (look === null) return -1;
    const { request, lease } = look;
    this.moves++;
    this.#leases.delete(request.id);
    this.#tried.set(request.id, [Number(lease.endpoint!.spec.labels["engine"])]);
    this.#moving.add(request.id);
    lease.settle("late");
    return request.id;
  }

  firstToken(request: SimRequest, _engine: number, nowS: number): void {
    this.#moveTo(nowS);
    this.#leases.get(request.id)!.started();
  }

  finished(request: SimRequest, facts: AnswerFacts, nowS: number): void {
    this.#moveTo(nowS);
    const lease = this.#leases.get(request.id)!;
    this.#leases.delete(request.id);
    this.#tried.delete(request.id);
    learn(lease, request, facts);
    lease.settle("ok");
  }

  failed(request: SimRequest, engine: number, nowS: number): void {
    this.#moveTo(nowS);
    this.#leases.get(request.id)?.settle("backend_error");
    this.#leases.delete(request.id);
    const tried = this.#tried.get(request.id);
    if (tried === undefined) this.#tried.set(request.id, [engine]);
    else tried.push(engine);
  }

  #moveTo(nowS: number): void {
    this.#clock.moveTo(Math.max(this.#clock.nowMs(), nowS * 1000));
  }

  #update(engines: readonly number[]): void {
    this.#engines = engines;
    this.pool.update(engines.map(specOf));
  }
}

/**
 * What the proxy would know of a request when it asks for an endpoint: the one place that says so. It is
 * better at counting tokens than the proxy, which sees bytes.
 */
function describe(request: SimRequest, work: Work, prompt: Prompt): Work {
  const { blocks } = request;
  work.reset();
  if (request.session >= 0) work.key = hashOf(request.session, 1);
  work.isReplayable = true;
  work.prompt = prompt;
  prompt.reset();
  prompt.tokens = request.inputTokens;
  prompt.outputTokensMax = request.outputTokensMax;
  prompt.blockTokens = request.blockTokens;
  prompt.blockCount = blocks.length;
  if (prompt.blocks.length < 2 * blocks.length) prompt.blocks = new Uint32Array(4 * blocks.length);
  for (let i = 0; i < blocks.length; i++) {
    prompt.blocks[2 * i] = hashOf(blocks[i]!, 2);
    prompt.blocks[2 * i + 1] = hashOf(blocks[i]!, 3);
  }
  return work;
}

/** 32 bits that look random, others for each `salt`. Source: murmur3's finaliser. */
function hashOf(value: number, salt: number): number {
  let hash = Math.imul(value + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** What the end of an answer teaches, beside its times: its usage. */
function learn(lease: Lease, { inputTokens }: SimRequest, { cachedTokens, outputTokens }: AnswerFacts): void {
  lease.told(inputTokens, cachedTokens, outputTokens);
}

const ENGINES_MAX = 1024;

function idOf(engine: number): string {
  return `engine-${engine}`;
}

function specOf(engine: number): EndpointSpec {
  return endpointSpec(`${idOf(engine)}:8000`, { id: idOf(engine), labels: { engine: String(engine) } });
}
