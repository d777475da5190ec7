import { Random } from "../../core/kit/random.ts";
import type { Ending } from "../flight.ts";
import { Heap } from "../heap.ts";
import type { SimRequest } from "../router.ts";
import { BlockNumbers, geometric, lengthNear } from "./draws.ts";
import type { Workload, WorkloadOptions, WorkloadSource } from "./workload.ts";

/**
 * Agents in a closed loop: each begins at a random moment with one of ten system prompts (4,000 tokens) and a
 * task, and then takes turns: an answer (about 150 tokens), a tool that runs (4 s on average, exponential)
 * and gives back about 600 tokens, and all of it is the next prompt. Eight turns on average. Nobody asks
 * before he has been answered, so a slow fleet has fewer requests.
 */
export const agents: WorkloadSource = { name: "agents", create: (options) => new Agents(options) };

class Agents implements Workload {
  readonly requests: number;
  readonly #random: Random;
  readonly #beginnings: Random;
  readonly #numbers: BlockNumbers = new BlockNumbers();
  readonly #systems: readonly (readonly number[])[];
  /** Those who will ask, by when. */
  readonly #next: Heap<Agent> = new Heap((a, b) =>
    a.askS !== b.askS ? a.askS < b.askS : a.number < b.number,
  );
  /** Those who wait for an answer, by request. */
  readonly #asked: Map<number, Agent> = new Map();
  readonly #betweenS: number;
  #agents = 0;
  #taken = 0;
  #beginS = 0;

  constructor({ requests, seed, requestsPerS }: WorkloadOptions) {
    this.requests = requests;
    this.#random = new Random(seed).split(STREAM);
    this.#beginnings = this.#random.split(1);
    this.#systems = Array.from({ length: KINDS }, () => this.#numbers.take(SYSTEM_TOKENS / BLOCK_TOKENS));
    this.#betweenS = TURNS_MEAN / (requestsPerS > 0 ? requestsPerS : 1);
    this.#begin();
  }

  get nextS(): number {
    return this.#taken === this.requests ? Number.POSITIVE_INFINITY : this.#next.peek()!.askS;
  }

  take(): SimRequest {
    const agent = this.#next.pop()!;
    // Whoever begins is followed by the next one who does.
    if (agent.number === this.#agents - 1 && agent.turnsTaken === 0) this.#begin();
    agent.turnsTaken++;
    const id = this.#taken++;
    this.#asked.set(id, agent);
    const request: SimRequest = {
      id,
      atS: agent.askS,
      inputTokens: agent.tokens,
      outputTokens: lengthNear(agent.random, 150, 0.7, 2000),
      outputTokensMax: 2000,
      blocks: this.#blocksOf(agent),
      blockTokens: BLOCK_TOKENS,
      session: agent.number,
    };
    return request;
  }

  ended(request: SimRequest, ending: Ending, nowS: number): void {
    const agent = this.#asked.get(request.id)!;
    this.#asked.delete(request.id);
    // Without an answer he gives up.
    if (ending !== "answered" || agent.turnsTaken >= agent.turns) return;
    agent.tokens += request.outputTokens + lengthNear(agent.random, 600, 1, 8000);
    if (agent.tokens > CONTEXT_TOKENS_MAX) return;
    agent.askS = nowS + agent.random.exponential(TOOL_S);
    this.#next.push(agent);
  }

  #begin(): void {
    this.#beginS += this.#beginnings.exponential(this.#betweenS);
    const number = this.#agents++;
    const random = this.#random.split(number + 2);
    this.#next.push({
      number,
      random,
      turns: geometric(random, TURNS_MEAN, TURNS_MAX),
      turnsTaken: 0,
      askS: this.#beginS,
      tokens: SYSTEM_TOKENS + lengthNear(random, 400, 0.8, 4000),
      blocks: [...this.#systems[random.below(KINDS)]!],
    });
  }

  /** What is full stays; the last block is another one each time. */
  #blocksOf(agent: Agent): number[] {
    const full = Math.floor(agent.tokens / BLOCK_TOKENS);
    const { blocks } = agent;
    if (full > blocks.length) blocks.push(...this.#numbers.take(full - blocks.length));
    return agent.tokens % BLOCK_TOKENS === 0 ? [...blocks] : [...blocks, ...this.#numbers.take(1)];
  }
}

interface Agent {
  readonly number: number;
  /** His own dice, so that his turns do not depend on how others are served. */
  readonly random: Random;
  readonly turns: number;
  turnsTaken: number;
  askS: number;
  tokens: number;
  /** Full blocks of all that was said. */
  readonly blocks: number[];
}

const KINDS = 10;
const SYSTEM_TOKENS = 4000;
const BLOCK_TOKENS = 100;
const TURNS_MEAN = 8;
const TURNS_MAX = 60;
const TOOL_S = 4;
const CONTEXT_TOKENS_MAX = 100_000;
const STREAM = 7;
