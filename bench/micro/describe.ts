// What it costs to know a request: microseconds for scanning a body and hashing its prompt, beside JSON.parse
// of the same bytes (with the string that it needs), in one run. Compare the ratios, the times are of the
// machine. `--smoke` only proves that it runs.
import { recogniseApi } from "../../src/proxy/describe/recognise.ts";
import type { LlmApi } from "../../src/proxy/describe/llm-api.ts";
import { RequestScan } from "../../src/proxy/describe/request-scan.ts";
import { markdownTable } from "../measure/table.ts";

const isSmoke = process.argv.includes("--smoke");
/** Bytes that one measurement reads, about. */
const VOLUME_BYTES = isSmoke ? 2_000_000 : 100_000_000;
const REPEATS = isSmoke ? 1 : 9;
const PIECE_BYTES = 65_536;
const SMALL_BYTES = 2_000;
const LARGE_BYTES = 400_000;

/** Keeps results alive, so that no loop is optimised away. */
let sink = 0;

const PROSE =
  "The harness maker measures each horse before it is put to the bar. Loads are never equal, he says, but\n" +
  "shares can be: a bar that turns gives the stronger one the longer way, and both arrive at once. ";
const CODE =
  'if (name === "harness" && weights["left"] > 0) {\n\treturn { "bar": "evener", "path": "C:\\\\bar" };\n}\n';

main();

function main(): void {
  const chat = recogniseApi("POST", "/v1/chat/completions")!;
  const messages = recogniseApi("POST", "/v1/messages")!;
  const completions = recogniseApi("POST", "/v1/completions")!;
  const rows = [
    row("chat, 2 KB", chat, chatBody(SMALL_BYTES, 250, PROSE)),
    row("chat with tools, 2 KB", chat, toolsBody(SMALL_BYTES)),
    row("one long message, 400 KB", chat, chatBody(LARGE_BYTES, LARGE_BYTES, PROSE)),
    row("many turns, 400 KB", chat, chatBody(LARGE_BYTES, 800, PROSE)),
    row("code (many escapes), 400 KB", chat, chatBody(LARGE_BYTES, 8_000, CODE)),
    row("Chinese as \\u escapes, 400 KB", chat, escapedBody(LARGE_BYTES)),
    row("indented by an editor, 400 KB", chat, indentedBody(LARGE_BYTES)),
    row("token ids, 400 KB", completions, idsBody(LARGE_BYTES)),
    row("an image of 300 KB, 400 KB", messages, imageBody(LARGE_BYTES, 300_000)),
  ];
  const head = [
    "body",
    "bytes",
    "scan + hash, us",
    "in pieces of 64 KiB, us",
    "JSON.parse, us",
    "scan / parse",
  ];
  process.stdout.write(`${markdownTable(head, rows)}\n`);
  if (Number.isNaN(sink)) throw new Error("a result is not a number");
}

function row(name: string, api: LlmApi, text: string): string[] {
  const body = Buffer.from(text);
  const scan = new RequestScan();
  const rounds = Math.max(3, Math.round(VOLUME_BYTES / REPEATS / body.length));
  const whole = bestUs(rounds, () => {
    scan.begin(api, "");
    scan.push(body);
    sink += scan.finish(4).blockCount;
  });
  if (scan.facts.state !== "complete") throw new Error(`${name} was not understood`);
  const pieces = Array.from({ length: Math.ceil(body.length / PIECE_BYTES) }, (_, i) =>
    body.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  );
  const cut = bestUs(rounds, () => {
    scan.begin(api, "");
    for (const piece of pieces) scan.push(piece);
    sink += scan.finish(4).blockCount;
  });
  const parse = bestUs(rounds, () => {
    sink += (JSON.parse(body.toString()) as { model: string }).model.length;
  });
  const ratio = (whole / parse).toFixed(2);
  return [name, String(body.length), whole.toFixed(1), cut.toFixed(1), parse.toFixed(1), ratio];
}

/** The best of some repeats: what disturbs can only add. */
function bestUs(rounds: number, run: () => void): number {
  let best = Infinity;
  for (let i = 0; i < rounds; i++) run();
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / rounds / 1_000);
  }
  return best;
}

function chatBody(bytes: number, messageBytes: number, text: string): string {
  return JSON.stringify({ ...request(), messages: turns(bytes - 180, messageBytes, text) });
}

function indentedBody(bytes: number): string {
  return JSON.stringify({ ...request(), messages: turns(bytes * 0.85, 300, PROSE) }, null, 2);
}

function toolsBody(bytes: number): string {
  const tools = ["find_horse", "hitch", "unhitch"].map((name) => ({
    type: "function",
    function: {
      name,
      description: "Does what its name says.",
      parameters: {
        type: "object",
        properties: { horse: { type: "string" }, side: { type: "string", enum: ["left", "right"] } },
        required: ["horse"],
      },
    },
  }));
  const room = bytes - 180 - JSON.stringify(tools).length;
  return JSON.stringify({ ...request(), messages: turns(room, 300, PROSE), tools });
}

function escapedBody(bytes: number): string {
  const text = JSON.stringify({ ...request(), messages: turns(bytes / 2, bytes / 6, "均衡器") });
  return text.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

function idsBody(bytes: number): string {
  const prompt = Array.from({ length: Math.floor(bytes / 5.7) }, (_, i) => (i * 7_919) % 50_257);
  return JSON.stringify({ ...request(), prompt });
}

function imageBody(bytes: number, imageBytes: number): string {
  const data = "iVBORw0KGgo".repeat(Math.ceil(imageBytes / 11));
  const image = { type: "image", source: { type: "base64", media_type: "image/png", data } };
  const turn = { role: "user", content: [image, { type: "text", text: "What is this?" }] };
  return JSON.stringify({ ...request(), messages: [turn, ...turns(bytes - imageBytes, 800, PROSE)] });
}

function request(): Record<string, unknown> {
  return {
    model: "meta-llama/Llama-3.1-8B-Instruct",
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0.7,
    max_tokens: 512,
  };
}

function turns(bytes: number, messageBytes: number, text: string): unknown[] {
  const messages: unknown[] = [];
  const content = text.repeat(Math.ceil(messageBytes / text.length)).slice(0, messageBytes);
  let used = 0;
  while (used < bytes) {
    const message = {
      role: messages.length % 2 === 0 ? "user" : "assistant",
      content: content.slice(0, bytes - used),
    };
    messages.push(message);
    used += Buffer.byteLength(JSON.stringify(message));
  }
  return messages;
}
