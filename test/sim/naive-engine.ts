import type { EngineModel } from "../../src/sim/engine-models.ts";
import { decodeSeconds, mixedStepSeconds } from "../../src/sim/engine-models.ts";
import type { SimRequest } from "../../src/sim/router.ts";

/** What is known of one request. */
interface Job {
  readonly request: SimRequest;
  admission: number;
  held: number;
  own: number;
  context: number;
  left: number;
  written: number;
  firstS: number;
  endS: number;
}

/**
 * The same engine, written anew with nothing in mind but to be plain: step by step, request by request, with
 * lists and no columns. Takes requests in the order of their times; returns first and last token of each.
 */
export function naiveEngine(
  model: EngineModel,
  requests: readonly SimRequest[],
): { firstS: number; endS: number }[] {
  const jobs = requests.map((request): Job => {
    return { request, admission: 0, held: 0, own: 0, context: 0, left: 0, written: 0, firstS: -1, endS: -1 };
  });
  /**
   * Blocks in the cache: how many hold it, and its tokens; those nobody holds in the order of their last use.
   */
  const uses = new Map<number, { count: number; tokens: number }>();
  const loose: number[] = [];
  const waiting: Job[] = [];
  const prefilling: Job[] = [];
  const decoding: Job[] = [];
  let admissions = 0;
  let nowS = 0;
  let next = 0;

  const all = (): Job[] => [...prefilling, ...decoding];
  const tokensOf = (isMeant: (count: number) => boolean): number => {
    let sum = 0;
    for (const { count, tokens } of uses.values()) if (isMeant(count)) sum += tokens;
    return sum;
  };
  const room = (): number => {
    return model.kvTokens - tokensOf((count) => count > 0) - all().reduce((sum, job) => sum + job.own, 0);
  };
  const evict = (): void => {
    while (loose.length > 0 && room() < tokensOf((count) => count === 0)) uses.delete(loose.shift()!);
  };
  const hold = (block: number): void => {
    const use = uses.get(block)!;
    if (use.count++ === 0) loose.splice(loose.indexOf(block), 1);
  };
  const release = (job: Job): void => {
    for (let i = job.held - 1; i >= 0; i--) {
      const block = job.request.blocks[i]!;
      if (--uses.get(block)!.count === 0) loose.push(block);
    }
    job.held = 0;
    job.own = 0;
  };
  const budget = (): number => {
    return Math.max(model.stepTokensMax - decoding.length, Math.min(64, model.stepTokensMax));
  };
  const admit = (): void => {
    while (waiting.length > 0 && all().length < model.runningMax) {
      if (prefilling.reduce((sum, job) => sum + job.left, 0) >= budget()) return;
      const job = waiting[0]!;
      const { blocks, blockTokens, inputTokens } = job.request;
      const missing = blocks.findIndex((block) => !uses.has(block));
      const matched = missing < 0 ? blocks : blocks.slice(0, missing);
      const cached = Math.min(matched.length * blockTokens, inputTokens - 1);
      const own = inputTokens + job.written - cached;
      const taken =
        own + matched.reduce((sum, block) => sum + (loose.includes(block) ? uses.get(block)!.tokens : 0), 0);
      if (room() - taken < (all().length === 0 ? 0 : 0.01 * model.kvTokens)) return;
      waiting.shift();
      for (const block of matched) hold(block);
      job.held = matched.length;
      Object.assign(job, { admission: ++admissions, own, context: cached, left: own });
      prefilling.push(job);
      evict();
    }
  };
  const end = (job: Job): void => {
    job.endS = nowS;
    release(job);
  };
  const begin = (job: Job): void => {
    const { blocks, blockTokens, inputTokens, outputTokens } = job.request;
    job.written++;
    blocks.slice(job.held).forEach((block, i) => {
      const tokens = Math.min(blockTokens, inputTokens - (job.held + i) * blockTokens);
      if (uses.has(block)) hold(block);
      else uses.set(block, { count: 1, tokens });
    });
    job.held = blocks.length;
    job.own = (blocks.length === 0 ? inputTokens : 0) + job.written;
    if (job.firstS < 0) job.firstS = nowS;
    if (job.written === outputTokens) end(job);
    else decoding.push(job);
  };
  const step = (): number => {
    const context = decoding.reduce((sum, job) => sum + job.request.inputTokens + job.written, 0);
    if (prefilling.length === 0) return decodeSeconds(model, decoding.length, context, 1);
    let left = budget();
    const tokens = left;
    let pairs = 0;
    for (const job of prefilling) {
      const chunk = Math.min(job.left, left);
      left -= chunk;
      pairs += chunk * (job.context + chunk / 2);
      job.left -= chunk;
      job.context += chunk;
    }
    return mixedStepSeconds(model, { tokens: tokens - left, pairs, decodes: decoding.length, context });
  };

  while (next < jobs.length || waiting.length + all().length > 0) {
    if (waiting.length + all().length === 0) {
      nowS = Math.max(nowS, jobs[next]!.request.atS);
      waiting.push(jobs[next++]!);
    }
    admit();
    while (all().length > 1 && room() < all().length) {
      const last = all().reduce((one, other) => (other.admission > one.admission ? other : one));
      for (const list of [prefilling, decoding]) if (list.includes(last)) list.splice(list.indexOf(last), 1);
      release(last);
      waiting.unshift(last);
    }
    nowS += step();
    while (next < jobs.length && jobs[next]!.request.atS < nowS) waiting.push(jobs[next++]!);
    for (const job of decoding) {
      job.written++;
      job.own++;
    }
    evict();
    for (const job of decoding
      .filter(({ written, request }) => written === request.outputTokens)
      .sort(byAdmission)) {
      decoding.splice(decoding.indexOf(job), 1);
      end(job);
    }
    const done = prefilling.filter(({ left }) => left === 0);
    prefilling.splice(0, done.length);
    for (const job of done) begin(job);
    evict();
  }
  return jobs.map(({ firstS, endS }) => ({ firstS, endS }));
}

function byAdmission(a: Job, b: Job): number {
  return a.admission - b.admission;
}
