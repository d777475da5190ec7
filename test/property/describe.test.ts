import assert from "node:assert/strict";
import { describe, test } from "node:test";

import * as fc from "fast-check";

import { hashText } from "../../src/core/kit/hash.ts";
import { NO_KEY } from "../../src/core/work.ts";
import { BLOCK_BYTES, BlockChain } from "../../src/proxy/describe/block-chain.ts";
import type { LlmApi } from "../../src/proxy/describe/llm-api.ts";
import { recogniseApi } from "../../src/proxy/describe/recognise.ts";
import type { RequestFacts } from "../../src/proxy/describe/request-facts.ts";
import { RequestScan } from "../../src/proxy/describe/request-scan.ts";
import { body, message, pieces, written } from "./describe-bodies.ts";
import { expected, hashesOf, type Json, plainOf, textBytes, tokensOf } from "./describe-oracle.ts";

const seeds = fc.integer();
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 900 })), {
  minLength: 1,
  maxLength: 8,
});
/** One for all: it must not keep anything from one body to the next. */
const scan = new RequestScan();

function scanned(
  api: LlmApi,
  bytes: Buffer,
  tenant = NO_KEY,
  cuts: readonly number[] = [1 << 30],
): RequestFacts {
  scan.begin(api, "");
  for (const piece of pieces(bytes, cuts)) scan.push(piece);
  return scan.finish(4, tenant);
}

interface Snapshot {
  readonly facts: Record<string, unknown>;
  readonly hashes: readonly string[];
}

function snapshot(facts: RequestFacts): Snapshot {
  return {
    facts: Object.fromEntries(Object.entries(facts).filter(([name]) => name !== "blocks")),
    hashes: hashesOf(facts),
  };
}

function hashes(path: string, value: Json, tenant = NO_KEY): string[] {
  return hashesOf(scanned(recogniseApi("POST", path)!, Buffer.from(JSON.stringify(value)), tenant));
}

describe("facts", () => {
  test("are those that JSON.parse would have told, however the body is written", () => {
    fc.assert(
      fc.property(body, seeds, ({ api, entries }, seed) => {
        const bytes = written({ api, entries }, seed);
        const parsed = JSON.parse(bytes.toString()) as Record<string, Json>;
        scan.begin(api, "of the path");
        scan.push(bytes);
        const facts = scan.finish(4);
        assert.deepEqual(plainOf(facts), expected(api, parsed, "of the path"));
        assert.equal(facts.promptTokens, tokensOf(facts, 4));
        if (facts.modelStart < 0) return;
        assert.equal(JSON.parse(bytes.toString("utf8", facts.modelStart, facts.modelEnd)), facts.model);
      }),
      { numRuns: 3_000 },
    );
  });

  test("do not depend on where the body is cut", () => {
    fc.assert(
      fc.property(body, seeds, sizes, (value, seed, cuts) => {
        const bytes = written(value, seed);
        const whole = snapshot(scanned(value.api, bytes));
        assert.deepEqual(snapshot(scanned(value.api, bytes, NO_KEY, cuts)), whole);
      }),
      { numRuns: 2_000 },
    );
  });

  test("count the bytes of the prompt and of what goes before it", () => {
    fc.assert(
      fc.property(body, ({ api, entries }) => {
        const value = Object.fromEntries(entries) as Record<string, Json>;
        const facts = scanned(api, Buffer.from(JSON.stringify(value)));
        assert.equal(facts.promptBytes, textBytes(api, value));
      }),
      { numRuns: 1_000 },
    );
  });

  test("can be asked for at any time: of a body that ends there, and then of the whole", () => {
    fc.assert(
      fc.property(body, seeds, fc.nat(), sizes, (value, seed, at, cuts) => {
        const bytes = written(value, seed);
        const start = bytes.subarray(0, at % (bytes.length + 1));
        const early = snapshot(scanned(value.api, start));
        assert.deepEqual(snapshot(scanned(value.api, start, NO_KEY, cuts)), early);
        assert.notEqual(early.facts.state, "unreadable");
        scan.push(bytes.subarray(start.length));
        const late = snapshot(scan.finish(4));
        assert.deepEqual(late, snapshot(scanned(value.api, bytes)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("of a body in which something was changed are facts", () => {
    fc.assert(
      fc.property(
        body,
        seeds,
        fc.nat(),
        fc.uint8Array({ maxLength: 9 }),
        sizes,
        (value, seed, at, noise, cuts) => {
          const bytes = written(value, seed);
          const from = at % (bytes.length + 1);
          const to = Math.min(bytes.length, from + noise.length);
          const broken = Buffer.concat([bytes.subarray(0, from), noise, bytes.subarray(to)]);
          const facts = scanned(value.api, broken, NO_KEY, cuts);
          assert.ok(facts.promptTokens >= 0 && Number.isFinite(facts.blockTokens));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("of any bytes are facts: nothing is thrown", () => {
    const parts = [
      '{"messages":',
      '"model"',
      "tru",
      "null",
      "\\u00",
      ...'[ ] { } , : " \\ 1 -'.split(" "),
      " ",
    ];
    const fragments = fc.constantFrom(...parts);
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.array(fragments, { maxLength: 60 }).map((list) => Buffer.from(`{${list.join("")}`)),
    );
    fc.assert(
      fc.property(body, noise, sizes, ({ api }, bytes, cuts) => {
        const facts = scanned(api, bytes, NO_KEY, cuts);
        assert.ok(facts.promptTokens >= 0 && Number.isFinite(facts.blockTokens));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("blocks", () => {
  const chat = "/v1/chat/completions";
  const indents = fc.constantFrom(undefined, 1, 2, "\t");

  test("of a conversation begin those of its next turn", () => {
    const turns = fc.array(message, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(turns, turns, indents, sizes, (before, after, indent, cuts) => {
        const api = recogniseApi("POST", chat)!;
        const write = (messages: Json[]): Buffer =>
          Buffer.from(JSON.stringify({ model: "m", messages, stream: true }, null, indent));
        const first = hashesOf(scanned(api, write(before)));
        const next = hashesOf(scanned(api, write([...before, ...after]), NO_KEY, cuts));
        assert.deepEqual(next.slice(0, first.length), first);
      }),
      { numRuns: 1_000 },
    );
  });

  test("of a text or of token ids begin those of a longer one", () => {
    const texts = fc.string({ maxLength: 3_000 });
    const ids = fc.array(fc.nat(150_000), { minLength: 1, maxLength: 500 });
    const pairs = fc.oneof(
      fc.tuple(texts, texts).map(([a, b]): [Json, Json] => [a, a + b]),
      fc.tuple(ids, ids).map(([a, b]): [Json, Json] => [a, [...a, ...b]]),
    );
    fc.assert(
      fc.property(pairs, ([short, long]) => {
        const first = hashes("/v1/completions", { prompt: short });
        assert.deepEqual(hashes("/v1/completions", { prompt: long }).slice(0, first.length), first);
      }),
    );
  });

  test("do not depend on the order of keys", () => {
    const rest = fc.shuffledSubarray(["model", "tools", "messages", "cache_salt", "lora_path", "stream"], {
      minLength: 6,
    });
    const value: Record<string, Json> = {
      model: "m",
      tools: [{ name: "hitch" }],
      cache_salt: "s",
      lora_path: "a",
      stream: true,
      messages: [{ role: "user", content: "even ".repeat(300) }],
    };
    const first = hashes(chat, value);
    fc.assert(
      fc.property(rest, (keys) => {
        assert.deepEqual(hashes(chat, Object.fromEntries(keys.map((key) => [key, value[key]!]))), first);
      }),
    );
  });

  test("are all others for another model, adapter, salt, tool, system text or tenant", () => {
    const messages = [{ role: "user", content: "even ".repeat(600) }];
    const anthropic = "/v1/messages";
    const words = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 2 });
    const keys = fc.constantFrom(
      "model",
      "lora_path",
      "cache_salt",
      "extra_key",
      "tools",
      "functions",
      "system",
    );
    fc.assert(
      fc.property(words, keys, ([one, other], key) => {
        const path = key === "system" ? anthropic : chat;
        const sets = [undefined, one!, other!].map((word) =>
          hashes(path, {
            messages,
            ...(word === undefined ? {} : { [key]: key === "tools" ? [{ name: word }] : word }),
          }),
        );
        assert.ok(sets.every((set) => set.length >= 5));
        assert.equal(new Set(sets.flat()).size, sets.flat().length);
        const tenants = [NO_KEY, hashText(one!), hashText(other!)].flatMap((id) =>
          hashes(chat, { messages }, id),
        );
        assert.equal(new Set(tenants).size, tenants.length);
      }),
    );
  });

  test("of two prompts of as many token ids are others from where they differ", () => {
    const lists = fc.array(fc.integer({ min: 10_000, max: 99_999 }), { minLength: 200, maxLength: 400 });
    fc.assert(
      fc.property(lists, fc.nat(199), (list, at) => {
        const other = list.with(at, list[at] === 10_000 ? 10_001 : 10_000);
        const one = hashes("/v1/completions", { prompt: list });
        const two = hashes("/v1/completions", { prompt: other });
        const [text, otherText] = [list.join(), other.join()];
        let same = 0;
        while (text[same] === otherText[same]) same++;
        const changed = Math.floor(same / BLOCK_BYTES);
        assert.equal(one.length, two.length);
        one.forEach((hash, i) => assert.equal(hash === two[i], i < changed, `block ${i}`));
      }),
    );
  });

  test("are the same in whatever pieces the bytes come", () => {
    const bytes = fc.uint8Array({ maxLength: 3_000 });
    fc.assert(
      fc.property(bytes, sizes, (list, cuts) => {
        const whole = new BlockChain(4);
        const cut = new BlockChain(4);
        whole.feed(list, 0, list.length);
        for (const piece of pieces(Buffer.from(list), cuts)) cut.feed(piece, 0, piece.length);
        assert.equal(whole.count, Math.min(4, Math.floor(list.length / BLOCK_BYTES)));
        assert.deepEqual([...cut.states], [...whole.states]);
        assert.deepEqual([cut.low, cut.high, cut.bytes], [whole.low, whole.high, list.length]);
      }),
    );
  });
});
