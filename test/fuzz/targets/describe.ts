// The scan of LLM requests' bodies: whatever comes, in whatever pieces, it ends with facts that can be used,
// and where the bytes are JSON it has understood them.
import assert from "node:assert/strict";
import { hashText } from "../../../src/core/kit/hash.ts";
import { Random } from "../../../src/core/kit/random.ts";
import { BLOCKS_MAX } from "../../../src/proxy/describe/block-chain.ts";
import { LLM_APIS } from "../../../src/proxy/describe/index.ts";
import { RequestScan } from "../../../src/proxy/describe/request-scan.ts";
import { cutsOf, mutated, once, pick } from "../mutation.ts";
import type { Target } from "../target.ts";

/** One scan for all, as on a connection. */
export const describe: Target = {
  name: "describe",
  about: "the scan of the bodies of LLM requests",
  make,
  check,
};

const scan = new RequestScan();

function check(input: string): string {
  const random = new Random(hashText(input));
  const api = pick(LLM_APIS, random);
  const bytes = Buffer.from(input, "latin1");
  scan.begin(api, "");
  let from = 0;
  for (const cut of [...cutsOf(bytes.length, random), bytes.length]) {
    scan.push(bytes.subarray(from, cut));
    from = cut;
  }
  const facts = scan.finish(4);
  assert(facts.blockCount <= BLOCKS_MAX, "blocks");
  assert(facts.promptBytes >= 0 && facts.promptBytes <= bytes.length, "bytes");
  assert(facts.tokenIds >= 0 && facts.mediaParts >= 0, "counts");
  assert(facts.promptTokens >= 0 && Number.isFinite(facts.promptTokens), "tokens");
  assert(facts.modelStart < facts.modelEnd || facts.modelStart === -1, "where the model is");
  const parsed = parse(bytes);
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed))
    assert.equal(facts.state, "complete", "JSON is understood");
  const seen = [facts.model === "" ? "" : "model", facts.isStreamed ? "stream" : ""];
  seen.push(
    facts.tokenIds > 0 ? "ids" : "",
    facts.mediaParts > 0 ? "media" : "",
    facts.blockCount > 0 ? "blocks" : "",
  );
  return `${facts.state} ${seen.filter((word) => word !== "").join(" ")}`;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}

function make(random: Random): string {
  const members: string[] = [];
  do members.push(`${pick(KEYS, random)}:${pick(VALUES, random)}`);
  while (!once(4, random));
  const body = `{${members.join(",")}}`;
  return once(2, random) ? body : mutated(body, BODIES, INSERTS, random);
}

const KEYS = ["model", "messages", "prompt", "input", "inputs", "system", "tools", "stream", "options"]
  .concat("parameters", "n", "metadata", "context", "images", "mod\\u0065l", "cache_salt", "x")
  .map((key) => `"${key}"`);
const VALUES = [
  '"m"',
  "true",
  "null",
  "-1",
  "1e9",
  "[1,2,3]",
  "[[1, 2],[3]]",
  '"\\ud83d"',
  '"\\""',
  '"\\\\"',
  "{}",
  "[]",
  '{"num_predict":5,"max_new_tokens":7,"user_id":"u"}',
  '[{"role":"user","content":"Hello"}]',
  '[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]',
  '[{"content":[{"source":{"type":"base64","data":"AAAA"}}]}, {"images":["AAAA"]}]',
  `"${"even ".repeat(300)}"`,
  `[${"12345,".repeat(200)}1]`,
];
const BODIES = ["{}", '{"model":"m","messages":[{"role":"user","content":"x"}]}', '{"prompt":[1,2]}'];
const INSERTS = ['"', "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "1", "-", "\0", "\xff", "\\u", "e"];
