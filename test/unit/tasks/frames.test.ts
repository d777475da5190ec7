// What agents say, as bytes: what is well comes through, whatever else is refused, and nothing crashes.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { EvenerError } from "../../../src/errors.ts";
import { encodeFrame } from "../../../src/tasks/frames.ts";
import { readFromAgent } from "../../../src/tasks/from-agent.ts";
import { readToAgent } from "../../../src/tasks/to-agent.ts";

const lease = fc.record({ task: fc.string({ minLength: 1, maxLength: 40 }), fence: fc.nat() });
const result = fc.uint8Array({ maxLength: 50 });
const ended = fc.array(
  fc.record({
    lease,
    outcome: fc.constantFrom("ok", "error", "cancelled", "overtime", "refused", "killed"),
    exitCode: fc.option(fc.integer()),
    reason: fc.option(fc.string()),
    ranMs: fc.nat(),
    result,
  }),
);

test("ends with their results come through", () => {
  fc.assert(
    fc.property(ended, (list) => {
      const tasks = list.map(({ lease: name, result: bytes, ...rest }) => ({
        ...name,
        ...rest,
        bytes: bytes.length,
      }));
      const frame = encodeFrame(
        { say: "ended", tasks },
        list.map((one) => one.result),
      );
      const read = readFromAgent(frame);
      assert.deepEqual(read.message, JSON.parse(JSON.stringify({ say: "ended", tasks })));
      assert.deepEqual(
        read.attachments.map((bytes) => [...bytes]),
        list.map((one) => [...one.result]),
      );
    }),
  );
});

test("arbitrary bytes, and messages with a part exchanged, are refused as bad frames or are messages", () => {
  const messages = [
    {
      say: "hello",
      worker: "w",
      boot: "b",
      version: "1",
      slots: 2,
      resources: { gpu: 1 },
      labels: {},
      loops: [],
      holds: [],
    },
    {
      say: "beat",
      vitals: { cpu: 0.5, memory: null, gpu: null },
      frozen: [{ task: "t", fence: 1, why: "x" }],
    },
    { say: "output", parts: [{ task: "t", fence: 1, stream: "stdout", bytes: 3 }] },
    { say: "draining" },
  ];
  const mutated = fc
    .tuple(fc.constantFrom(...messages), fc.string(), fc.jsonValue())
    .map(([message, key, value]) => {
      const keys = Object.keys(message);
      return { ...message, [keys[key.length % keys.length]!]: value };
    });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw)),
    fc.tuple(mutated, result).map(([message, rest]) => encodeFrame(message, [rest])),
  );
  fc.assert(
    fc.property(bytes, (frame) => {
      for (const read of [readFromAgent, readToAgent]) {
        try {
          read(frame);
        } catch (error) {
          assert.ok(error instanceof EvenerError && error.code === "EVENER_BAD_FRAME", String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
