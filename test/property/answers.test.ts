import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { readJsonEvent, readSseEvent } from "../../src/proxy/describe/answer-event.ts";
import { AnswerFrames } from "../../src/proxy/describe/answer-frames.ts";
import { LoadReport, readLoadReport } from "../../src/proxy/describe/answer-headers.ts";
import { type AnswerForm, AnswerScan } from "../../src/proxy/describe/answer-scan.ts";
import { AnswerTail, TAIL_BYTES_MAX } from "../../src/proxy/describe/answer-tail.ts";
import { AnswerUsage, readUsageFromEnd } from "../../src/proxy/describe/answer-usage.ts";
import { FirstEvent, HELD_BYTES_MAX } from "../../src/proxy/describe/first-event.ts";
import { STREAMS } from "../fixtures/answer-streams.ts";

const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 });
const lineEnd = fc.constantFrom("\n", "\r\n", "\r");

/** Streams of engines with foreign line ends, comments between their events, broken off anywhere. */
const realStreams = fc
  .record({
    stream: fc.constantFrom(...STREAMS),
    lineEnds: fc.array(lineEnd, { minLength: 1, maxLength: 5 }),
    comment: fc.constantFrom("", ": ping\n\n", ":\n"),
    repeats: fc.integer({ min: 1, max: 12 }),
    kept: fc.double({ min: 0.3, max: 1, noNaN: true }),
  })
  .map(({ stream: { text, framing }, lineEnds, comment, repeats, kept }) => {
    if (framing === "ndjson") return { framing, bytes: Buffer.from(text.repeat(repeats)) };
    let turn = 0;
    const mixed = `${comment}${text}`
      .repeat(repeats)
      .replaceAll("\n", () => lineEnds[turn++ % lineEnds.length]!);
    return { framing, bytes: Buffer.from(mixed.slice(0, Math.ceil(mixed.length * kept))) };
  });

/** What no engine sends. */
const wildStreams = fc.record({
  framing: fc.constantFrom("sse" as const, "ndjson" as const),
  bytes: fc
    .array(
      fc.oneof(
        fc.constantFrom(
          "\n",
          "\r",
          "\n\n",
          "\r\n\r\n",
          "\r\r",
          ":",
          "data:",
          "event: error",
          "error: {",
          "[DONE]",
          '"',
        ),
        fc.constantFrom(
          '{"choices":[{"delta":{"content":"x"}}]}',
          '"usage":{"prompt_tokens":1}',
          "\u{1f600}",
          " ",
        ),
        fc.string({ maxLength: 20 }),
        fc.nat(3_000).map((length) => "y".repeat(length)),
      ),
      { maxLength: 60 },
    )
    .map((parts) => Buffer.from(parts.join(""))),
});

const anyStream = fc.oneof(realStreams, wildStreams);

test("any cut of an answer teaches the same", () => {
  fc.assert(
    fc.property(anyStream, cuts, fc.boolean(), ({ framing, bytes }, cut, isBody) => {
      const form = isBody ? "json" : framing;
      assert.deepEqual(factsOf(form, pieces(bytes, cut)), factsOf(form, [bytes]));
      assert.deepEqual(factsOf(form, pieces(bytes, [1])), factsOf(form, [bytes]));
    }),
    { numRuns: 300 },
  );
});

test("events are those of a reader of the whole text", () => {
  fc.assert(
    fc.property(anyStream, cuts, ({ framing, bytes }, cut) => {
      const { events, contentEvents, hasContent } = factsOf(framing, pieces(bytes, cut));
      const frames = framesOf(framing, bytes.toString("latin1"));
      assert.equal(events, frames.length);
      assert.ok(contentEvents <= events);
      const kinds = frames.map((frame) => kindOf(framing, frame));
      assert.equal(hasContent, kinds.includes("content"));
      assert.equal(contentEvents > 0, hasContent);
      // The end is in the tail as a whole, and nothing was cut in its middle.
      const isEnded = framing === "sse" ? /(?:\n\n|\r\r|\r\n\r\n)$/ : /\n$/;
      if (!hasContent || bytes.length > TAIL_BYTES_MAX || !isEnded.test(bytes.toString("latin1"))) return;
      const after = kinds.length - 1 - kinds.lastIndexOf("content");
      if (after < 12) assert.equal(contentEvents, events - kinds.indexOf("content") - after);
    }),
    { numRuns: 300 },
  );
});

test("a frame ends at the byte where a reader of the whole text sees its end", () => {
  fc.assert(
    fc.property(anyStream, cuts, ({ framing, bytes }, cut) => {
      const frames = new AnswerFrames();
      frames.begin(framing);
      let count = 0;
      let seen = "";
      for (const piece of pieces(bytes, cut)) {
        let at = frames.enter(piece);
        for (let end = frames.next(piece, at); end >= 0; end = frames.next(piece, at)) {
          if (frames.isEvent) count++;
          at = end;
          const text = seen + piece.toString("latin1", 0, end);
          assert.equal(framesOf(framing, text).length, count);
        }
        seen += piece.toString("latin1");
      }
      assert.equal(framesOf(framing, seen).length, count);
    }),
    { numRuns: 100 },
  );
});

test("the head of a stream is judged as by a reader of the whole text, and nothing of it is lost", () => {
  fc.assert(
    fc.property(anyStream, cuts, ({ framing, bytes }, cut) => {
      const start = bytes.subarray(0, HELD_BYTES_MAX);
      const verdict = framesOf(framing, start.toString("latin1"))
        .map((frame) => kindOf(framing, frame))
        .find((kind) => kind !== "quiet");
      const first = new FirstEvent();
      first.begin(framing);
      let found = "more";
      let held = "";
      for (const piece of pieces(start, cut)) {
        const room = Buffer.from(`\n\n${piece.toString("latin1")}\n\n`, "latin1");
        found = first.take(room, 2, room.length - 2);
        room.fill(0);
        if (found === "more") held += piece.toString("latin1");
        assert.equal(first.held.toString("latin1"), held);
        if (found !== "more") break;
      }
      assert.equal(found, verdict === undefined ? "more" : verdict === "error" ? "error" : "event");
      assert.equal(start.toString("latin1").startsWith(held), true);
    }),
    { numRuns: 300 },
  );
});

test("a tail is the end of what passed, and no longer than its room", () => {
  const lengths = fc.array(fc.oneof(fc.nat(300), fc.nat(3 * TAIL_BYTES_MAX), fc.constant(TAIL_BYTES_MAX)), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(lengths, (list) => {
      const tail = new AnswerTail();
      let all = "";
      for (const [i, length] of list.entries()) {
        const piece = Buffer.from(Array.from({ length }, (_, j) => (i * 31 + j * 7) & 0xff));
        tail.push(piece);
        all += piece.toString("latin1");
        assert.equal(tail.text(), all.slice(-TAIL_BYTES_MAX));
        assert.equal(tail.isWhole, all.length <= TAIL_BYTES_MAX);
      }
    }),
  );
});

test("arbitrary bytes and texts do no harm", () => {
  const report = new LoadReport();
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 50 }), fc.string(), (list, text) => {
      for (const form of ["sse", "ndjson", "json"] as const) {
        factsOf(
          form,
          list.map((bytes) => Buffer.from(bytes)),
        );
      }
      readUsageFromEnd(`"usage":{${text}"prompt_eval_count":${text}`, new AnswerUsage());
      readLoadReport(text, report);
      readLoadReport(`TEXT named_metrics.${text}`, report);
    }),
  );
  fc.assert(
    fc.property(
      fc.json(),
      fc.constantFrom("usage", "timings", "meta_info", "details", "message", "choices"),
      (json, name) => {
        for (const body of [
          json,
          `[${json}]`,
          `{"${name}":${json}}`,
          `{"${name}":[${json}],"error":${json}}`,
        ]) {
          factsOf("json", [Buffer.from(body)]);
          factsOf("sse", [Buffer.from(`data: ${body}\n\n`)]);
        }
      },
    ),
  );
});

test("a deep text is no trap", () => {
  const deep = `{"error":${'{"a":'.repeat(1000)}1${"}".repeat(1000)}}`;
  assert.equal(factsOf("json", [Buffer.from(deep)]).hasFailed, true);
  assert.equal(factsOf("sse", [Buffer.from(`data: ${"[".repeat(5000)}\n\n`)]).events, 1);
});

interface Facts {
  readonly events: number;
  readonly contentEvents: number;
  readonly hasContent: boolean;
  readonly hasFailed: boolean;
  readonly isDone: boolean;
  readonly cut: unknown;
  readonly usage: readonly unknown[];
}

function factsOf(form: AnswerForm, list: readonly Buffer[]): Facts {
  const scan = new AnswerScan();
  scan.begin(form);
  for (const piece of list) {
    // The buffer of a read is used again by the next one.
    const room = Buffer.from(`\r\n\r\n${piece.toString("latin1")}\n\n`, "latin1");
    scan.take(room, 4, room.length - 2);
    room.fill(0x0a);
  }
  scan.readEnd(1);
  const { cut } = scan;
  scan.finish();
  const { events, contentEvents, hasFailed, isDone, usage } = scan;
  return {
    events,
    contentEvents,
    hasContent: scan.firstContentMs === 1,
    hasFailed,
    isDone,
    cut,
    usage: Object.entries(usage),
  };
}

function pieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const list: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + lengths[i % lengths.length]!);
    list.push(bytes.subarray(at, end));
    at = end;
  }
  return list;
}

/** The complete events of a text, read as a whole. */
function framesOf(framing: "sse" | "ndjson", text: string): string[] {
  if (framing === "ndjson") {
    const lines = text.split("\n").slice(0, -1);
    return lines.filter((line) => Buffer.from(line, "latin1").some((byte) => byte > 0x20));
  }
  const events: string[] = [];
  let lines: string[] = [];
  for (const line of text.split(/\r\n|\r|\n/).slice(0, -1)) {
    if (line !== "") lines.push(line);
    else {
      if (lines.some((each) => !each.startsWith(":"))) events.push(`${lines.join("\n")}\n\n`);
      lines = [];
    }
  }
  return events;
}

/** Only the beginning of an event is looked at until something generated has come. */
function kindOf(framing: "sse" | "ndjson", frame: string): string {
  const head = frame.slice(0, 2048);
  return framing === "sse" ? readSseEvent(head).kind : readJsonEvent(head).kind;
}
