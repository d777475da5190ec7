// Whatever the body and its pieces are: exchanging the model's name leaves every other byte as it was.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ModelCall } from "../../src/proxy/describe/model-call.ts";
import { recogniseApi } from "../../src/proxy/describe/recognise.ts";
import { RequestBody } from "../../src/proxy/request-body.ts";
import { headOf } from "../unit/admin/fake-source.ts";

const PATH = "/v1/chat/completions";
const HEAD = headOf(`POST ${PATH} HTTP/1.1`, "host: x", "content-length: 1");
const API = recogniseApi("POST", PATH)!;

/** JSON with spaces, and its model anywhere among other keys. */
const bodies = fc
  .record({
    model: fc.oneof(
      fc.string({ minLength: 1, unit: "grapheme" }),
      fc.constantFrom("a", "gpt-4o", 'q"uote', "\\", "é"),
    ),
    before: fc.dictionary(fc.string().filter(isFree), fc.jsonValue(), { maxKeys: 4 }),
    behind: fc.dictionary(fc.string().filter(isFree), fc.jsonValue(), { maxKeys: 4 }),
    indent: fc.constantFrom(0, 2),
  })
  .map(({ model, before, behind, indent }) => ({
    model,
    text: JSON.stringify({ ...before, model, ...behind }, null, indent),
  }));

function isFree(key: string): boolean {
  return key !== "model" && key !== "__proto__";
}

test("the model's name is exchanged, and nothing else", () => {
  fc.assert(
    fc.property(
      bodies,
      fc.stringMatching(/^[a-z0-9.:/-]{1,40}$/),
      fc.array(fc.nat(), { maxLength: 6 }),
      (it, name, cuts) => {
        const bytes = Buffer.from(it.text);
        const call = new ModelCall();
        const body = new RequestBody();
        call.begin(API, HEAD);
        body.start("length", bytes.length);
        const ends = [...new Set([...cuts.map((cut) => cut % bytes.length), bytes.length])].toSorted(
          (a, b) => a - b,
        );
        let from = 0;
        for (const to of ends) {
          if (to === from) continue;
          call.push(bytes, from, to);
          body.take(bytes, from, to, null);
          from = to;
        }
        const { model, modelStart, modelEnd } = call.read();
        assert.equal(model, it.model);
        body.replace(modelStart, modelEnd, Buffer.from(JSON.stringify(name)));
        const sent = Buffer.concat(body.chunks);
        assert.equal(sent.length, body.keptBytes);
        assert.deepEqual(JSON.parse(sent.toString()), { ...(JSON.parse(it.text) as object), model: name });
        assert.deepEqual(sent.subarray(0, modelStart), bytes.subarray(0, modelStart));
        const behind = bytes.length - modelEnd;
        assert.deepEqual(sent.subarray(sent.length - behind), bytes.subarray(modelEnd));
        assert.ok(
          body.chunks.every((chunk) => chunk.length > 0),
          "an empty chunk would end the body",
        );
        call.end();
      },
    ),
    { numRuns: 500 },
  );
});
