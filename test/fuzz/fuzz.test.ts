// All that `npm run fuzz` has found, and the first cases of one seed; `npm run fuzz` looks for others.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readCorpus } from "./corpus.ts";
import { inputOf, tryInput } from "./target.ts";
import { TARGETS } from "./targets/index.ts";

const FRESH = 1_000;
const seed = Number(process.env.EVENER_FUZZ_SEED ?? 20_261_124);

for (const target of TARGETS) {
  const { name } = target;
  describe(`fuzz ${name}`, () => {
    before(() => target.open?.());
    after(() => target.close?.());

    test("what was found holds", async () => {
      for (const { file, reason, input } of readCorpus(name)) {
        const result = await tryInput(target, input);
        if (result instanceof Error) throw new Error(`corpus/${name}/${file} (${reason})`, { cause: result });
      }
    });

    test(`${FRESH} fresh cases, seed ${seed}`, async () => {
      const outcomes = new Set<string>();
      for (let number = 0; number < FRESH; number++) {
        const result = await tryInput(target, inputOf(target, seed, number));
        const again = `npm run fuzz -- --seed ${seed} --target ${name} --case ${number}`;
        if (result instanceof Error) throw new Error(again, { cause: result });
        outcomes.add(result);
      }
      assert.ok(outcomes.size >= 8, `it sees ${[...outcomes].join("; ")} only`);
    });

    test("a seed and a number are a case", () => {
      assert.equal(inputOf(target, seed, 7), inputOf(target, seed, 7));
      assert.notEqual(inputOf(target, seed, 7), inputOf(target, seed, 8));
    });
  });
}
