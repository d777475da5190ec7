/**
 * Which engine was sent which prompt: the approximate tree of SGLang's and vLLM's routers, with blocks in
 * place of characters.
 * Source: sgl-project/sglang sgl-model-gateway/src/policies/tree.rs at 03744db (vllm-project/router
 * src/tree.rs descends from it).
 *
 * A radix tree that all engines share. Each node knows the engines that were sent it, each with the number of
 * its last use (only the end of a prompt is marked; what lies on the way begins with 0), and who made it:
 * that one is found by a match for as long as it is there.
 *
 * Left out: prefixes that end inside a block, which traces do not tell; so hits are a little shorter than
 * with characters, for this index as for the caches of the engines.
 */
export class PrefixTree {
  readonly #root: Node = {
    ids: [],
    from: 0,
    to: 0,
    tokens: 0,
    parent: null,
    children: null,
    holders: new Map(),
    maker: -1,
  };
  readonly #tokens: number[] = [];
  #uses = 0;

  /** Prompt tokens that stand in the tree for that engine. */
  tokensOf(engine: number): number {
    return this.#tokens[engine] ?? 0;
  }

  /**
   * The longest prefix of the prompt that any engine was sent, and who is taken for its holder (-1 is
   * nobody).
   */
  match(prompt: Prompt): PrefixMatch {
    const { node, blocks } = this.#descend(prompt, -1);
    if (!node.holders.has(node.maker)) node.maker = firstKey(node.holders);
    const use = this.#uses++;
    if ((use & 7) === 0 && node.holders.has(node.maker)) node.holders.set(node.maker, use);
    return { engine: node.maker, tokens: Math.min(blocks * prompt.blockTokens, prompt.inputTokens) };
  }

  /** The longest prefix of the prompt that this engine was sent, in tokens. */
  matchOf(prompt: Prompt, engine: number): number {
    const { node, blocks } = this.#descend(prompt, engine);
    if (node.holders.has(engine)) node.holders.set(engine, this.#uses++);
    return Math.min(blocks * prompt.blockTokens, prompt.inputTokens);
  }

  /** The engine was sent this prompt. */
  insert(prompt: Prompt, engine: number): void {
    const ids = prompt.blocks;
    let node = this.#root;
    let at = 0;
    while (at < ids.length) {
      const child = node.children?.get(ids[at]!);
      if (child === undefined) {
        this.#addLeaf(node, prompt, at, engine);
        return;
      }
      const shared = sharedBlocks(child, ids, at);
      node = shared < child.to - child.from ? split(child, shared, prompt.blockTokens) : child;
      if (!node.holders.has(engine)) {
        node.holders.set(engine, 0);
        this.#count(engine, node.tokens);
      }
      at += shared;
    }
    if (node !== this.#root) node.holders.set(engine, this.#uses++);
  }

  /**
   * Forgets the least recently used ends of prompts of each engine that has more tokens than that. What was
   * only on the way to them is as old as can be, so it goes with the last of its ends.
   */
  evict(tokensMax: number): void {
    for (let engine = 0; engine < this.#tokens.length; engine++) {
      if (this.tokensOf(engine) > tokensMax) this.#evictOf(engine, tokensMax);
    }
  }

  #evictOf(engine: number, tokensMax: number): void {
    // The oldest is the last.
    const ends = this.#endsOf(engine).sort((a, b) => b.holders.get(engine)! - a.holders.get(engine)!);
    while (this.tokensOf(engine) > tokensMax) {
      const node = ends.pop();
      if (node === undefined || node.parent === null) return;
      node.holders.delete(engine);
      this.#count(engine, -node.tokens);
      const parent = node.parent;
      if (node.holders.size === 0 && node.children === null) removeChild(parent, node);
      if (!parent.holders.has(engine) || !isEndOf(parent, engine)) continue;
      const use = parent.holders.get(engine)!;
      let i = ends.length;
      while (i > 0 && ends[i - 1]!.holders.get(engine)! < use) i--;
      ends.splice(i, 0, parent);
    }
  }

  #endsOf(engine: number): Node[] {
    const ends: Node[] = [];
    const open = [this.#root];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const child of node.children?.values() ?? []) open.push(child);
      if (node !== this.#root && node.holders.has(engine) && isEndOf(node, engine)) ends.push(node);
    }
    return ends;
  }

  #addLeaf(parent: Node, prompt: Prompt, at: number, engine: number): void {
    const ids = prompt.blocks;
    const tokens = prompt.inputTokens - at * prompt.blockTokens;
    const holders = new Map([[engine, this.#uses++]]);
    const leaf = { ids, from: at, to: ids.length, tokens, parent, children: null, holders, maker: engine };
    parent.children ??= new Map();
    parent.children.set(ids[at]!, leaf);
    this.#count(engine, tokens);
  }

  /** `engine` -1 is any. */
  #descend(prompt: Prompt, engine: number): { node: Node; blocks: number } {
    const ids = prompt.blocks;
    let node = this.#root;
    let at = 0;
    while (at < ids.length) {
      const child = node.children?.get(ids[at]!);
      if (child === undefined || (engine >= 0 && !child.holders.has(engine))) break;
      const shared = sharedBlocks(child, ids, at);
      node = child;
      at += shared;
      if (shared < child.to - child.from) break;
    }
    return { node, blocks: at };
  }

  #count(engine: number, tokens: number): void {
    this.#tokens[engine] = this.tokensOf(engine) + tokens;
  }
}

/** Of a request, what the tree needs. */
export interface Prompt {
  readonly blocks: readonly number[];
  readonly blockTokens: number;
  readonly inputTokens: number;
}

/** Who has how much of a prompt. */
export interface PrefixMatch {
  readonly engine: number;
  readonly tokens: number;
}

/** Blocks `ids[from..to)`, after those of its parents. */
interface Node {
  ids: readonly number[];
  from: number;
  to: number;
  tokens: number;
  parent: Node | null;
  /** By their first block. */
  children: Map<number, Node> | null;
  /** The number of the last use by engine. */
  holders: Map<number, number>;
  maker: number;
}

function sharedBlocks(node: Node, ids: readonly number[], at: number): number {
  const max = Math.min(node.to - node.from, ids.length - at);
  let shared = 1;
  while (shared < max && node.ids[node.from + shared] === ids[at + shared]) shared++;
  return shared;
}

/** Puts a node with the first blocks above the rest of it. */
function split(node: Node, blocks: number, blockTokens: number): Node {
  const parent = node.parent!;
  const upper: Node = {
    ids: node.ids,
    from: node.from,
    to: node.from + blocks,
    tokens: blocks * blockTokens,
    parent,
    children: null,
    holders: new Map(node.holders),
    maker: node.maker,
  };
  node.from += blocks;
  node.tokens -= upper.tokens;
  node.parent = upper;
  upper.children = new Map([[node.ids[node.from]!, node]]);
  parent.children!.set(upper.ids[upper.from]!, upper);
  return upper;
}

function removeChild(parent: Node, node: Node): void {
  parent.children!.delete(node.ids[node.from]!);
  if (parent.children!.size === 0) parent.children = null;
}

function isEndOf(node: Node, engine: number): boolean {
  for (const child of node.children?.values() ?? []) if (child.holders.has(engine)) return false;
  return true;
}

function firstKey(holders: ReadonlyMap<number, number>): number {
  for (const engine of holders.keys()) return engine;
  return -1;
}
