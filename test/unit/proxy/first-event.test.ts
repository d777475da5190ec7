import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { AnswerScan } from "../../../src/proxy/describe/answer-scan.ts";
import { type ErrorDialect, finalErrorEvent } from "../../../src/proxy/describe/final-error-event.ts";
import { FirstEvent, HELD_BYTES_MAX } from "../../../src/proxy/describe/first-event.ts";
import * as streams from "../../fixtures/answer-streams.ts";

describe("the head of a stream is held", () => {
  test("until something generated comes, however many events bring nothing", () => {
    const starts = [
      { text: streams.VLLM_CHAT, quiet: 1 },
      { text: streams.ANTHROPIC_MESSAGES, quiet: 3 },
      { text: streams.OPENAI_RESPONSES, quiet: 3 },
      { text: streams.SGLANG_GENERATE, quiet: 0 },
    ];
    for (const { text, quiet } of starts) {
      const first = new FirstEvent();
      first.begin("sse");
      const events = text.split(/(?<=\n\n)/);
      for (const event of events.slice(0, quiet)) assert.equal(take(first, event), "more");
      assert.equal(first.held.toString(), events.slice(0, quiet).join(""));
      assert.equal(take(first, events[quiet]!), "event");
      assert.equal(first.held.toString(), events.slice(0, quiet).join(""), "what came last follows it");
    }
  });

  test("an error event before it is told", () => {
    const first = new FirstEvent();
    for (const text of [
      streams.VLLM_ERROR,
      streams.TGI_ERROR,
      streams.ANTHROPIC_ERROR,
      streams.SGLANG_ABORT,
    ]) {
      first.begin("sse");
      assert.equal(take(first, ": ping\n\n"), "more");
      assert.equal(take(first, text), "error");
    }
    first.begin("ndjson");
    assert.equal(take(first, '{"error":"model'), "more");
    assert.equal(take(first, ' requires more system memory"}\n'), "error");
  });

  test("an error event after it is the client's", () => {
    const first = new FirstEvent();
    first.begin("ndjson");
    assert.equal(take(first, streams.OLLAMA_ERROR), "event");
  });

  test("an end without anything generated is the client's, but for an error without its empty line", () => {
    const first = new FirstEvent();
    first.begin("sse");
    assert.equal(first.end(), "event");
    assert.equal(take(first, 'data: {"error": {"message": "no"}}\n'), "more");
    assert.equal(first.end(), "error");
    first.begin("sse");
    assert.equal(take(first, "data: [DONE]\n\n"), "event");
  });

  test("no more than so much", () => {
    const first = new FirstEvent();
    first.begin("sse");
    const ping = `: ${"x".repeat(1000)}\n\n`;
    let bytes = 0;
    while (take(first, ping) === "more") bytes += ping.length;
    assert.ok(bytes <= HELD_BYTES_MAX && bytes > HELD_BYTES_MAX - 2 * ping.length);
    assert.equal(first.held.length, bytes);
    first.release();
    assert.equal(first.held.length, 0);
  });
});

describe("the last event of ours", () => {
  const error = { code: "EVENER_BACKEND_RESET", message: "the backend broke off" };

  test("is one that each API's clients know", () => {
    const told = (dialect: ErrorDialect, framing: "sse" | "ndjson" = "sse"): string =>
      finalErrorEvent(dialect, framing, { lineEnd: "", isInEvent: false }, error);
    assert.equal(
      told("openai"),
      'data: {"error":{"message":"the backend broke off","type":"server_error","param":null,' +
        '"code":"EVENER_BACKEND_RESET"}}\n\n',
    );
    assert.equal(
      told("anthropic"),
      'event: error\ndata: {"type":"error","error":{"type":"api_error",' +
        '"message":"the backend broke off (EVENER_BACKEND_RESET)"}}\n\n',
    );
    assert.match(
      told("responses"),
      /^event: error\ndata: \{"type":"error","code":"EVENER_BACKEND_RESET",.*\}\n\n$/,
    );
    assert.match(told("tgi"), /^data: \{"error":"the .*","error_type":"incomplete_generation"\}\n\n$/);
    assert.equal(told("ollama", "ndjson"), '{"error":"the backend broke off (EVENER_BACKEND_RESET)"}\n');
  });

  const sse = streams.ANTHROPIC_MESSAGES;
  const places = [...Array.from({ length: sse.length + 1 }).keys()];
  for (const lineEnd of ["\n", "\r\n", "\r"]) {
    test(`stands apart wherever the stream broke off, lines ended by ${JSON.stringify(lineEnd)}`, () => {
      const text = sse.replaceAll("\n", lineEnd);
      for (const place of places) {
        for (const dialect of ["openai", "anthropic"] as const) {
          const begun = text.slice(0, place);
          const events = dispatched(
            begun + finalErrorEvent(dialect, "sse", scanOf("sse", begun).cut!, error),
          );
          const whole = dispatched(begun);
          assert.deepEqual(events.slice(0, whole.length), whole);
          const last = events.at(-1)!;
          assert.equal(JSON.parse(last.data).error.message.startsWith("the backend broke off"), true);
          const half = events.slice(whole.length, -1);
          assert.ok(half.length <= 1);
          if (dialect === "anthropic") assert.ok(half.every(({ name }) => name === "incomplete"));
        }
      }
    });
  }

  test("stands in a line of its own", () => {
    for (let place = 0; place <= streams.OLLAMA_CHAT.length; place++) {
      const begun = streams.OLLAMA_CHAT.slice(0, place);
      const text = begun + finalErrorEvent("ollama", "ndjson", scanOf("ndjson", begun).cut!, error);
      const lines = text.split("\n");
      assert.equal(lines.at(-1), "");
      assert.equal(JSON.parse(lines.at(-2)!).error, "the backend broke off (EVENER_BACKEND_RESET)");
    }
  });
});

function take(first: FirstEvent, text: string): string {
  const bytes = Buffer.from(`..${text}..`);
  return first.take(bytes, 2, bytes.length - 2);
}

function scanOf(form: "sse" | "ndjson", text: string): AnswerScan {
  const scan = new AnswerScan();
  scan.begin(form);
  scan.take(Buffer.from(text), 0, Buffer.byteLength(text));
  return scan;
}

/** As a client reads a stream by the HTML standard: an event without its empty line is none. */
function dispatched(text: string): { name: string; data: string }[] {
  const events: { name: string; data: string }[] = [];
  let name = "";
  let data: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/).slice(0, -1)) {
    if (line === "") {
      if (data.length > 0) events.push({ name, data: data.join("\n") });
      name = "";
      data = [];
    } else if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return events;
}
