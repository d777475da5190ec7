import assert from "node:assert/strict";
import { test } from "node:test";

import { PrefixTree } from "../../../src/sim/rivals/prefix-tree.ts";
import type { Prompt } from "../../../src/sim/rivals/prefix-tree.ts";
import { Random } from "../../../src/core/kit/random.ts";

// Cases of sgl-project/sglang sgl-model-gateway/src/policies/tree.rs (mod tests), by their names there: a
// letter is a block of one token.
const text = (letters: string): Prompt => ({
  blocks: Array.from(letters, (letter) => letter.charCodeAt(0)),
  blockTokens: 1,
  inputTokens: letters.length,
});

test("test_cold_start", () => {
  assert.deepEqual(new PrefixTree().match(text("hello")), { engine: -1, tokens: 0 });
});

test("test_exact_match_seq", () => {
  const tree = new PrefixTree();
  tree.insert(text("hello"), 1);
  tree.insert(text("apple"), 2);
  tree.insert(text("banana"), 3);
  assert.deepEqual(tree.match(text("hello")), { engine: 1, tokens: 5 });
  assert.deepEqual(tree.match(text("apple")), { engine: 2, tokens: 5 });
  assert.deepEqual(tree.match(text("banana")), { engine: 3, tokens: 6 });
});

test("test_partial_match: a prefix that ends within a node, and one that goes beyond", () => {
  const tree = new PrefixTree();
  for (const word of ["apple", "apabc", "acbdeds"]) tree.insert(text(word), 0);
  assert.deepEqual(tree.match(text("apabz")), { engine: 0, tokens: 4 });
  assert.deepEqual(tree.match(text("apples")), { engine: 0, tokens: 5 });
});

test("test_tenant_char_count: what is counted stands in the tree", () => {
  const tree = new PrefixTree();
  for (const word of ["apple", "apricot", "banana"]) tree.insert(text(word), 1);
  for (const word of ["amplify", "application"]) tree.insert(text(word), 2);
  // ap(2) ple(3) ricot(5) banana(6); a(1) mplify(6) ppl(3) ication(7).
  assert.equal(tree.tokensOf(1), 16);
  assert.equal(tree.tokensOf(2), 17);
  for (const engine of [1, 2]) tree.insert(text("zebra"), engine);
  for (const engine of [1, 2]) tree.insert(text("zero"), engine);
  assert.equal(tree.tokensOf(1), 16 + 5 + 2);
  assert.equal(tree.tokensOf(2), 17 + 5 + 2);
});

test("test_simple_eviction: the older prompt goes, of the engine that has too much only", () => {
  const tree = new PrefixTree();
  tree.insert(text("hello"), 1);
  tree.insert(text("hello"), 2);
  tree.insert(text("world"), 2);
  tree.evict(5);
  assert.equal(tree.tokensOf(1), 5);
  assert.equal(tree.tokensOf(2), 5);
  assert.equal(tree.match(text("hello")).engine, 1);
  assert.equal(tree.match(text("world")).engine, 2);
});

test("who made a node is its holder, and after it the next", () => {
  const tree = new PrefixTree();
  tree.insert(text("shared"), 5);
  tree.insert(text("shared"), 3);
  assert.equal(tree.match(text("shared")).engine, 5);
  tree.insert(text("other"), 5);
  tree.evict(5);
  assert.equal(tree.tokensOf(3), 0);
  assert.equal(tree.match(text("shared")).engine, -1);
});

test("a part of a shared prefix is as old as can be: it goes with the last of its ends", () => {
  const tree = new PrefixTree();
  tree.insert(text("abX"), 0);
  tree.insert(text("abY"), 0);
  tree.insert(text("q"), 0);
  assert.equal(tree.tokensOf(0), 5);
  tree.evict(4);
  // X was the oldest end, then Y.
  assert.equal(tree.tokensOf(0), 4);
  tree.evict(3);
  assert.equal(tree.tokensOf(0), 3);
  // "ab" is an end now, and older than "q".
  tree.evict(2);
  assert.equal(tree.matchOf(text("ab"), 0), 0);
  assert.equal(tree.matchOf(text("q"), 0), 1);
});

test("an engine's own prefix, as a list of prompts finds it", () => {
  const random = new Random(11);
  const tree = new PrefixTree();
  const sent: { prompt: Prompt; engine: number }[] = [];
  const prompt = (): Prompt =>
    text(Array.from({ length: 1 + random.below(12) }, () => "ab"[random.below(2)]).join(""));
  const shared = (a: readonly number[], b: readonly number[]): number => {
    let i = 0;
    while (i < a.length && i < b.length && a[i] === b[i]) i++;
    return i;
  };
  for (let i = 0; i < 500; i++) {
    const asked = prompt();
    for (let engine = 0; engine < 3; engine++) {
      const own = sent
        .filter((one) => one.engine === engine)
        .map((one) => shared(one.prompt.blocks, asked.blocks));
      assert.equal(tree.matchOf(asked, engine), Math.max(0, ...own));
    }
    assert.equal(
      tree.match(asked).tokens,
      Math.max(0, ...sent.map((one) => shared(one.prompt.blocks, asked.blocks))),
    );
    const engine = random.below(3);
    sent.push({ prompt: asked, engine });
    tree.insert(asked, engine);
  }
});
