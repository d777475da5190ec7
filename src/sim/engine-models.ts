/**
 * What one engine step costs, and what the engine holds. Seconds of one step with `d` decodes that have `C`
 * tokens in their contexts, and `t` prompt tokens in chunks of `n` behind `p` earlier ones:
 *
 *     [prefillStepS if t > 0] + [decodeStepS if d > 0] + max(floorS, prefillTokenS t + decodeTokenS d)
 *       + attentionS * sum(n (p + n / 2)) + contextS C + contextSquaredS C^2
 */
export interface EngineModel {
  /** As in `--engine`. */
  readonly name: string;
  /** One line: what it stands for. */
  readonly summary: string;
  /** Tokens that the KV cache holds. */
  readonly kvTokens: number;
  /** Requests in prefill and decode at once, at most. */
  readonly runningMax: number;
  /** Tokens of one step: decodes first, prompt chunks with the rest. */
  readonly stepTokensMax: number;
  readonly floorS: number;
  readonly prefillStepS: number;
  readonly decodeStepS: number;
  readonly prefillTokenS: number;
  readonly decodeTokenS: number;
  readonly attentionS: number;
  readonly contextS: number;
  readonly contextSquaredS: number;
}

/**
 * Llama-3-8B on one A100-80G. Source: Vidur's MLP profile (1 token 9.7 ms, 2048 tokens 146 ms with what is
 * shared by all operators; fitted 66.5 microseconds a token); attention 4 x 32 layers x 4096 FLOP for each
 * pair of tokens at 150 TFLOP/s (48 % of the peak); KV 128 KiB a token read at 1.6 TB/s (78 % of the peak).
 */
const A100_8B: EngineModel = {
  name: "a100-8b",
  summary: "Llama-3-8B on one A100-80G (Vidur's profile)",
  kvTokens: 412_000,
  runningMax: 256,
  stepTokensMax: 2048,
  floorS: 9.7e-3,
  prefillStepS: 0,
  decodeStepS: 0,
  prefillTokenS: 66.5e-6,
  decodeTokenS: 66.5e-6,
  attentionS: 524_288 / 1.5e14,
  contextS: 8.2e-8,
  contextSquaredS: 0,
};

/**
 * Llama-2-70B on four H100 (TP4). Source: Vidur's MLP profile, 1 token 14.3, 1024 tokens 62, 2048 tokens
 * 111, 4096 tokens 223 ms: floor 14.3 ms, 54.3 microseconds a token (the slope to 2048 and 4096 is 54.2 and
 * 54.4; 1024 comes out 10 % cheap). The rest by the shares of the peak that hold for `a100-8b`: attention 4 x
 * 80 layers x 8192 FLOP at 48 % of 4 x 989.5 TFLOP/s; KV 320 KiB a token (8 key-value heads) at 78 % of 4 x
 * 3.35 TB/s; KV capacity (0.9 x 320 GB - 140 GB of weights) / 320 KiB, less 3.5 % as there.
 */
const H100_70B: EngineModel = {
  name: "h100-70b",
  summary: "Llama-2-70B on four H100, TP4 (Vidur's profile)",
  kvTokens: 436_000,
  runningMax: 256,
  stepTokensMax: 2048,
  floorS: 14.3e-3,
  prefillStepS: 0,
  decodeStepS: 0,
  prefillTokenS: 54.3e-6,
  decodeTokenS: 54.3e-6,
  attentionS: 2_621_440 / 1.9e15,
  contextS: 327_680 / 1.05e13,
  contextSquaredS: 0,
};

const MOCKER_KV_TOKENS = 1_048_576;

/**
 * NVIDIA Dynamo's mock engine: prefill of n tokens 4.21e-7 n^2 + 0.01518 n + 16.5 ms, a decode step
 * -25.74 u^2 + 54.01 u + 5.74 ms where u is the used share of the KV cache. Its defaults: 16,384 blocks of
 * 64 tokens, 256 sequences, 8,192 tokens a step. The constant of the prefill is charged for each step that
 * has a chunk.
 */
const MOCKER: EngineModel = {
  name: "mocker",
  summary: "NVIDIA Dynamo's mock engine",
  kvTokens: MOCKER_KV_TOKENS,
  runningMax: 256,
  stepTokensMax: 8192,
  floorS: 0,
  prefillStepS: 16.5e-3,
  decodeStepS: 5.74e-3,
  prefillTokenS: 15.18344e-6,
  decodeTokenS: 0,
  attentionS: 2 * 4.209989e-10,
  contextS: 54.01e-3 / MOCKER_KV_TOKENS,
  contextSquaredS: -25.74e-3 / MOCKER_KV_TOKENS ** 2,
};

/** The menu of engines. */
export const ENGINE_MODELS: readonly EngineModel[] = [A100_8B, H100_70B, MOCKER];

/** By its name; undefined where there is none. */
export function engineModel(name: string): EngineModel | undefined {
  return ENGINE_MODELS.find((model) => model.name === name);
}

/**
 * Seconds of `steps` decode steps in a row of `decodes` requests whose contexts have `context` tokens before
 * the first one. Exact: the context grows by `decodes` a step.
 */
export function decodeSeconds(model: EngineModel, decodes: number, context: number, steps: number): number {
  const { kvTokens, floorS, decodeStepS, decodeTokenS, contextS, contextSquaredS } = model;
  const base = steps * (decodeStepS + Math.max(floorS, decodeTokenS * decodes));
  // The sum of j for j from 0 to steps - 1.
  if (contextSquaredS === 0) return base + contextS * (steps * context + (decodes * steps * (steps - 1)) / 2);
  // With a square, `context` stands for a share of the cache, which is never more than all of it.
  const growing = Math.max(0, Math.min(steps, Math.ceil((kvTokens - context) / decodes)));
  const sum = (growing * (growing - 1)) / 2;
  const squares = (sum * (2 * growing - 1)) / 3;
  const linear = growing * context + decodes * sum;
  const squared = growing * context * context + 2 * context * decodes * sum + decodes * decodes * squares;
  const rest = (steps - growing) * (contextS * kvTokens + contextSquaredS * kvTokens * kvTokens);
  return base + contextS * linear + contextSquaredS * squared + rest;
}

/** Of `steps` such steps, how many are over after `seconds`; the last one never is. */
export function stepsOver(
  model: EngineModel,
  decodes: number,
  context: number,
  steps: number,
  seconds: number,
): number {
  let low = 0;
  let high = steps - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (decodeSeconds(model, decodes, context, middle) <= seconds) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Seconds of one step that has prompt chunks: `tokens` in all, `pairs` is the sum of n (p + n / 2) over them.
 */
export function mixedStepSeconds(model: EngineModel, step: MixedStep): number {
  const { tokens, pairs, decodes } = step;
  const context = model.contextSquaredS === 0 ? step.context : Math.min(step.context, model.kvTokens);
  const { prefillStepS, decodeStepS, floorS, prefillTokenS, decodeTokenS } = model;
  const fixed = prefillStepS + (decodes > 0 ? decodeStepS : 0);
  const work = Math.max(floorS, prefillTokenS * tokens + decodeTokenS * decodes);
  const reading = model.contextS * context + model.contextSquaredS * context * context;
  return fixed + work + model.attentionS * pairs + reading;
}

/** A step with prompt chunks, decodes beside them, and the tokens in the decodes' contexts. */
export interface MixedStep {
  readonly tokens: number;
  readonly pairs: number;
  readonly decodes: number;
  readonly context: number;
}
