// Microseconds for the choice of a backend for a prompt whose blocks are hashed, with what it writes into the
// index of prefixes, beside the calibration loop: prompts of 2,000 and 100,000 tokens, 8 and 64 backends that
// have all of it, half, or nothing. `--smoke` only proves that it runs.
import { endpointSpec } from "../../src/core/endpoint.ts";
import { PromptBook } from "../../src/core/inference/prompt-book.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { Pool } from "../../src/core/pool.ts";
import { Prompt } from "../../src/core/prompt.ts";
import { Work } from "../../src/core/work.ts";
import { calibrate } from "../calibration.ts";
import { markdownTable } from "../measure/table.ts";

const isSmoke = process.argv.includes("--smoke");
const ROUNDS = isSmoke ? 20 : 2_000;
const REPEATS = isSmoke ? 1 : 5;
const BLOCK_TOKENS = 128;

const rows: string[][] = [];
for (const backends of [8, 64]) {
  for (const tokens of [2_000, 100_000]) {
    for (const known of [0, 0.5, 1]) {
      const us = measure(backends, tokens, known);
      rows.push([String(backends), String(tokens), `${known * 100} %`, us.toFixed(1)]);
    }
  }
}
process.stdout.write(`calibration: ${calibrate().toFixed(2)} ns a step, Node ${process.version}\n\n`);
process.stdout.write(
  `${markdownTable(["backends", "tokens", "cached on all", "pick + settle, us"], rows)}\n`,
);

/** The best of some runs: what disturbs can only add. */
function measure(backends: number, tokens: number, known: number): number {
  const ledger = new Ledger({ slotsMax: 128 });
  const kit = { random: new Random(1), slotsMax: ledger.slotsMax, prompts: PromptBook.of(ledger) };
  const policy = createPolicy("inference", kit);
  let nowMs = 0;
  const clock = { nowMs: (): number => nowMs };
  const options = { ...DEFAULT_POOL_OPTIONS, slowStartMs: 0 };
  const pool = new Pool({ name: "bench", ledger, clock, random: new Random(2), policy, options });
  pool.update(Array.from({ length: backends }, (_, i) => endpointSpec(`10.0.0.${i}:80`, { id: `e${i}` })));
  const work = new Work();
  const prompt = promptOf(tokens);
  work.prompt = prompt;
  const shared = Math.round(prompt.blockCount * known);
  const noted = promptOf(tokens);
  noted.blockCount = shared;
  const { prefixes } = kit.prompts;
  for (const slot of pool.members.slots) prefixes.note(noted, slot, ledger.generation[slot]!, 0);
  const lease = new Lease();
  let best = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const beganAt = process.hrtime.bigint();
    for (let round = 0; round < ROUNDS; round++) {
      // Another end each time: what is not shared is new.
      for (let i = shared; i < prompt.blockCount; i++) prompt.blocks[i * 2 + 1]! += 1;
      nowMs += 0.1;
      pool.pick(work, lease);
      lease.started();
      lease.settle("ok");
    }
    best = Math.min(best, Number(process.hrtime.bigint() - beganAt) / ROUNDS / 1_000);
  }
  return best;
}

function promptOf(tokens: number): Prompt {
  const random = new Random(3);
  const prompt = new Prompt();
  prompt.tokens = tokens;
  prompt.blockTokens = BLOCK_TOKENS;
  prompt.blockCount = Math.ceil(tokens / BLOCK_TOKENS);
  prompt.blocks = Uint32Array.from({ length: prompt.blockCount * 2 }, () => random.uint32());
  return prompt;
}
