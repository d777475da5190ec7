// Law: prompts leave nothing behind, however they end, and of endpoints that have left nothing is known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointSpec } from "../../src/core/endpoint.ts";
import { PromptBook } from "../../src/core/inference/prompt-book.ts";
import { VirtualClock } from "../../src/core/kit/clock.ts";
import { combine } from "../../src/core/kit/hash.ts";
import { Random } from "../../src/core/kit/random.ts";
import { Lease, type Outcome } from "../../src/core/lease.ts";
import { Ledger } from "../../src/core/ledger.ts";
import { createPolicy } from "../../src/core/policies/create.ts";
import { Pool } from "../../src/core/pool.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { Prompt } from "../../src/core/prompt.ts";
import { Work } from "../../src/core/work.ts";

const REQUESTS = 100_000;
const OPEN_MAX = 200;
const ENDPOINTS = 8;
const KINDS = 500;

test("100,000 prompts, a third of them called off at any point, leave nothing behind", () => {
  const seed = 20_261_125;
  const random = new Random(seed);
  const clock = new VirtualClock();
  const ledger = new Ledger({ slotsMax: 64 });
  const prompts = PromptBook.of(ledger);
  const kit = { random: random.split(1), slotsMax: ledger.slotsMax, prompts };
  const options = { ...DEFAULT_POOL_OPTIONS, queue: { requestsMax: 50, waitMs: 2_000 } };
  const policy = createPolicy("inference", kit);
  const pool = new Pool({ name: "p", ledger, clock, random: random.split(2), policy, options });
  const specs = Array.from({ length: ENDPOINTS }, (_, i) =>
    endpointSpec(`e${i}:80`, { id: `e${i}`, limit: 20 }),
  );
  pool.update(specs);
  const open: Lease[] = [];
  const ends: readonly Outcome[] = [
    "ok",
    "ok",
    "client_abort",
    "backend_error",
    "timeout",
    "cancelled",
    "late",
  ];
  const endOne = (): void => {
    const [lease] = open.splice(random.below(open.length), 1);
    if (!lease!.isOpen) {
      pool.leaveQueue(lease!);
      return;
    }
    if (random.below(3) > 0) lease!.started();
    if (random.below(2) === 0) lease!.told(1_000, random.below(1_000), random.below(300));
    lease!.settle(ends[random.below(ends.length)]!);
  };
  for (let i = 0; i < REQUESTS; i++) {
    clock.advance(random.exponential(5));
    if (i % 20 === 0) pool.tend();
    // Whoever leaves in the middle takes his prompts' places with him.
    if (i % 5_000 === 2_500) pool.update(specs.slice(0, 1 + random.below(ENDPOINTS)));
    if (i % 5_000 === 0) pool.update(specs);
    const work = workOf(random);
    const lease = new Lease();
    const decision = pool.pick(work, lease, { decided: (): void => {} });
    if (decision.kind !== "refuse") open.push(lease);
    while (open.length > OPEN_MAX) endOne();
    if (open.length > 0 && random.below(5) < 4) endOne();
  }
  while (open.length > 0) endOne();
  pool.tend();
  // Whoever was served from the queue in the meantime.
  assert.equal(pool.waitingCount, 0, `seed ${seed}`);
  const { inFlight, pendingUnits, running, heldUnits } = ledger;
  for (const column of [inFlight, pendingUnits, running, heldUnits]) {
    assert.deepEqual(
      [...column].filter((value) => value !== 0),
      [],
      `seed ${seed}`,
    );
  }
  assert.ok(knownBlocks(pool, prompts) > 0, "what was placed is known while its endpoints are here");
  pool.update([]);
  pool.update(specs);
  assert.equal(knownBlocks(pool, prompts), 0, "of endpoints that have left nothing is known");
});

/** Blocks of all kinds of prompts that the members are believed to have cached. */
function knownBlocks({ members, ledger }: Pool, { prefixes }: PromptBook): number {
  let known = 0;
  for (let kind = 0; kind < KINDS; kind++) {
    const prompt = promptOf(kind, 20_000);
    for (const { slot } of members.list) known += prefixes.match(prompt, slot, ledger.generation[slot]!);
  }
  return known;
}

function workOf(random: Random): Work {
  const tokens = 1 + random.below(20_000);
  const isStream = random.below(2) === 0;
  const work = new Work();
  work.prompt = promptOf(random.below(KINDS), tokens);
  work.prompt.isStream = isStream;
  work.isReplayable = true;
  return work;
}

function promptOf(kind: number, tokens: number): Prompt {
  const prompt = new Prompt();
  prompt.tokens = tokens;
  prompt.blockCount = Math.ceil(tokens / prompt.blockTokens);
  prompt.blocks = new Uint32Array(prompt.blockCount * 2);
  for (let i = 0; i < prompt.blockCount; i++) {
    prompt.blocks[i * 2] = combine(kind, i);
    prompt.blocks[i * 2 + 1] = combine(i, kind);
  }
  return prompt;
}
