import { jsonText } from "../access-log.ts";
import type { ModelCall } from "./model-call.ts";

/**
 * What the access log says of a prompt and its answer, as further fields of its line. `hasHashes`: with the
 * hashes of the prompt's beginnings.
 */
export function callText(call: ModelCall, beganMs: number, hasHashes: boolean): string {
  const { facts, answer } = call;
  if (facts === null) return "";
  const { promptTokens, cachedTokens, completionTokens } = answer.usage;
  const told = Number.isNaN(promptTokens) ? Math.round(facts.promptTokens) : promptTokens;
  let text = `,"model":${jsonText(facts.model)},"stream":${facts.isStreamed},"prompt_tokens":${told}`;
  if (facts.upstreamModel !== "") text += `,"upstream_model":${jsonText(facts.upstreamModel)}`;
  const isCounted = Number.isNaN(completionTokens) && answer.contentEvents > 0;
  const outputTokens = isCounted ? answer.contentEvents : completionTokens;
  text += `,"cached_tokens":${orNull(cachedTokens)},"output_tokens":${orNull(outputTokens)}`;
  if (isCounted) text += ',"output_tokens_counted":true';
  text += `,"first_token_ms":${orNull(Math.round((answer.firstContentMs - beganMs) * 100) / 100)}`;
  if (hasHashes)
    text += `,"block_tokens":${facts.blockTokens.toFixed(2)},"prompt_blocks":"${hashesOf(call)}"`;
  return text;
}

function orNull(value: number): string {
  return Number.isNaN(value) ? "null" : String(value);
}

/** Base64 of 32 bits a block, little-endian: equal beginnings, equal numbers. */
function hashesOf({ facts }: ModelCall): string {
  const { blocks, blockCount } = facts!;
  const bytes = Buffer.allocUnsafe(blockCount * 4);
  for (let i = 0; i < blockCount; i++) bytes.writeUInt32LE(blocks[i * 2]!, i * 4);
  return bytes.toString("base64");
}
