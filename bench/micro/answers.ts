// Nanoseconds per event of a model's stream that is followed as it passes, and per whole answer, beside a
// loop over the same bytes in one run: compare the ratios, the times are of the machine. `--smoke` only
// proves that it runs.
import { AnswerScan, type AnswerForm } from "../../src/proxy/describe/answer-scan.ts";
import { FirstEvent } from "../../src/proxy/describe/first-event.ts";

const isSmoke = process.argv.includes("--smoke");
const BYTES = isSmoke ? 2_000_000 : 200_000_000;
const REPEATS = isSmoke ? 1 : 5;
const EVENTS = 100;
const EVENT_BYTES = 200;

/** Keeps results alive, so that no loop is optimised away. */
let sink = 0;
const scan = new AnswerScan();
const first = new FirstEvent();

const open =
  'data: {"id":"chatcmpl-7b1f","object":"chat.completion.chunk","created":1767225600,"model":"llama",' +
  '"choices":[{"index":0,"delta":{"content":"';
const close = '"},"logprobs":null,"finish_reason":null}]}\n\n';
const token = open + "x".repeat(EVENT_BYTES - open.length - close.length) + close;
const usage =
  'data: {"id":"chatcmpl-7b1f","choices":[],"usage":{"prompt_tokens":1042,"total_tokens":1142,' +
  '"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":1024}}}\n\n';
const stream = Buffer.from(`${token.repeat(EVENTS)}${usage}data: [DONE]\n\n`);
const lines = Buffer.from(token.repeat(EVENTS).replaceAll("data: ", "").replaceAll("\n\n", "\n"));
const text = "word ".repeat(200);
const body = Buffer.from(
  `{"id":"chatcmpl-7b1f","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",` +
    `"content":"${text}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":342,"completion_tokens":200}}`,
);
const embedding = Buffer.from(
  `{"data":[{"embedding":${JSON.stringify(Array.from({ length: 3072 }, (_, i) => i / 7))}}],` +
    `"usage":{"prompt_tokens":8,"total_tokens":8}}`,
);
const plain = Buffer.alloc(64 * 1024, "plain text. ");

report("stream, one event a read", "an event", stream, EVENTS, passing("sse", stream, EVENT_BYTES));
report("stream, ten events a read", "an event", stream, EVENTS, passing("sse", stream, 10 * EVENT_BYTES));
report("stream, all in one read", "an event", stream, EVENTS, passing("sse", stream, stream.length));
report("lines of JSON, one a read", "an event", lines, EVENTS, passing("ndjson", lines, EVENT_BYTES - 7));
const tail = stream.subarray(stream.length - 2_000);
report("a stream's first and last events", "a stream", tail, 1, passing("sse", tail, tail.length));
report("small body", "a body", body, 1, passing("json", body, body.length));
report("embedding", "a body", embedding, 1, passing("json", embedding, 16 * 1024));
report("64 KiB that are no model's", "a body", plain, 1, passing("none", plain, plain.length));
const head = stream.subarray(0, EVENT_BYTES);
report("the head of a stream, held", "a stream", head, 1, () => {
  first.begin("sse");
  if (first.take(head, 0, head.length) === "event") sink++;
  first.release();
});
if (sink === 0) throw new Error("nothing was measured");

/** One answer from its beginning to its end, so many bytes a read. */
function passing(form: AnswerForm, bytes: Buffer, readBytes: number): () => void {
  let nowMs = 0;
  return () => {
    scan.begin(form);
    for (let at = 0; at < bytes.length; at += readBytes) {
      scan.take(bytes, at, Math.min(bytes.length, at + readBytes));
      scan.readEnd(++nowMs);
    }
    scan.finish();
    sink += scan.events + 1;
  };
}

function report(name: string, unit: string, bytes: Buffer, units: number, run: () => void): void {
  const rounds = Math.max(10, Math.round(BYTES / REPEATS / 4 / Math.max(bytes.length, 2_000)));
  const own = bestNs(run, rounds) / units;
  const loop =
    bestNs(() => {
      let sum = 0;
      for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
      sink += sum;
    }, rounds) / units;
  const columns = [
    name.padEnd(34),
    `${own.toFixed(0).padStart(7)} ns ${unit}`.padEnd(22),
    `${(own / loop).toFixed(2)}x byte loop (${loop.toFixed(0)} ns)`,
  ];
  process.stdout.write(`${columns.join("  ")}\n`);
}

/** The best of some repeats: on a shared machine the others measure the neighbours. */
function bestNs(run: () => void, rounds: number): number {
  let best = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / rounds);
  }
  return best;
}
