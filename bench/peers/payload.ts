/** What the backends answer to GET: 64 bytes. */
export const SMALL_BODY: string = "the answer of a backend that has little to say and says it fast\n";

/** A chat request of about 2 KB. */
export const CHAT_REQUEST: string = chatRequest(false, 1800);

/** A chat request that asks for a stream. */
export const STREAM_REQUEST: string = chatRequest(true, 40);

/** A chat answer of about 1 KB. */
export const CHAT_ANSWER: string = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1,
  model: "bench",
  choices: [{ index: 0, message: { role: "assistant", content: prose(780) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 400, completion_tokens: 170, total_tokens: 570 },
});

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

function chatRequest(stream: boolean, length: number): string {
  return JSON.stringify({
    model: "bench",
    stream,
    max_tokens: 256,
    messages: [
      { role: "system", content: "You are a careful assistant." },
      { role: "user", content: prose(length) },
    ],
  });
}

function prose(length: number): string {
  const sentence = "Every horse of the team should feel the same pull on its collar. ";
  return sentence.repeat(Math.ceil(length / sentence.length)).slice(0, length);
}
