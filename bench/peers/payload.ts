/** What the backends answer to GET: 64 bytes. */
export const SMALL_BODY: string = "the answer of a backend that has little to say and says it fast\n";

/** Bytes of {@link CHAT_REQUEST} and of {@link CHAT_ANSWER}. */
const CHAT_BYTES = 1024;

/** A chat request of 1 KiB. */
export const CHAT_REQUEST: string = chatRequestOf(CHAT_BYTES);

/** A chat request of so many bytes. */
export function chatRequestOf(bytes: number): string {
  return filled(bytes, (text) => chatRequest(text));
}

/** A chat answer of 1 KiB. */
export const CHAT_ANSWER: string = filled(CHAT_BYTES, (content) =>
  JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion",
    created: 1,
    model: "bench",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 400, completion_tokens: 170, total_tokens: 570 },
  }),
);

/** Where the backends have {@link LARGE_BODY}. */
export const LARGE_PATH = "/large";

/** 64 KiB. */
export const LARGE_BODY: string = prose(65_536);

/** A stream as a client asks a backend of the bench for it. */
export interface StreamWish {
  /** It ends after so many; 0: it goes on until the client goes. */
  events: number;
  everyUs: number;
}

/** A chat request that asks for a stream. */
export function streamRequest(wish: StreamWish): string {
  return chatRequest("Tell me a story.", wish);
}

/** What {@link streamRequest} wrote; undefined for a request that asks for a whole answer. */
export function readStreamWish(request: string): StreamWish | undefined {
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- our own program's request
  return (JSON.parse(request) as { bench?: StreamWish }).bench;
}

/** One event of a stream, always {@link EVENT_BYTES} long; `sentAtUs` is the machine's monotonic clock. */
export function writeEvent(sequence: number, sentAtUs: number): string {
  const n = String(sequence).padStart(DIGITS, "0");
  const t = String(Math.round(sentAtUs)).padStart(DIGITS, "0");
  return `${EVENT_HEAD}${n}${EVENT_MIDDLE}${t}${EVENT_TAIL}`;
}

/** What {@link writeEvent} wrote; undefined for anything else. */
export function readEvent(text: string): { sequence: number; sentAtUs: number } | undefined {
  const isEvent = text.length === EVENT_BYTES && text.startsWith(EVENT_HEAD) && text.endsWith(EVENT_TAIL);
  if (!isEvent) return undefined;
  const sequence = Number(text.slice(EVENT_HEAD.length, EVENT_HEAD.length + DIGITS));
  const timeAt = EVENT_HEAD.length + DIGITS + EVENT_MIDDLE.length;
  const sentAtUs = Number(text.slice(timeAt, timeAt + DIGITS));
  return { sequence, sentAtUs };
}

/** The machine's monotonic clock in microseconds: the same in every process. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const DIGITS = 16;
const EVENT_HEAD = 'data: {"n":"';
const EVENT_MIDDLE = '","t":"';
const EVENT_TAIL =
  '","id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench",' +
  '"choices":[{"index":0,"delta":{"content":" token"}}]}\n\n';

/** About 200. */
export const EVENT_BYTES: number = EVENT_HEAD.length + EVENT_MIDDLE.length + EVENT_TAIL.length + 2 * DIGITS;

function chatRequest(text: string, bench?: StreamWish): string {
  return JSON.stringify({
    model: "bench",
    stream: bench !== undefined,
    bench,
    max_tokens: 256,
    messages: [
      { role: "system", content: "You are a careful assistant." },
      { role: "user", content: text },
    ],
  });
}

/** What `write` makes of so much prose that it is `bytes` long. */
function filled(bytes: number, write: (text: string) => string): string {
  return write(prose(bytes - write("").length));
}

function prose(length: number): string {
  const sentence = "Every horse of the team should feel the same pull on its collar. ";
  return sentence.repeat(Math.ceil(length / sentence.length)).slice(0, length);
}
