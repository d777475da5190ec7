// Every rule has its tests, and its row in docs/internals/http-rules.md. Names of tests begin with the ids of
// the rules that they show, so that one finds both from either.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("./", import.meta.url));
const PAGE = readFileSync(new URL("../../docs/internals/http-rules.md", import.meta.url), "utf8");

const RULES: readonly string[] = [...ids("S", 18), ...ids("F", 15), ...ids("P", 15), ...ids("C", 8)];

/** What Node's own server wrongly accepts, and the tests that show that Evener does not. */
const NODE_ACCEPTS: Readonly<Record<string, string>> = {
  "two different Host lines": "S7 N two different Host lines",
  "Host: u@a": "S7 N userinfo in Host",
  "Host: a/b": "S7 N path in Host",
  "Host: a,b": "S7 N list in Host",
  "Host without a value": "S7 N empty Host",
  "Transfer-Encoding: ,chunked": "F2 N empty element before chunked",
  "chunked in HTTP/1.0": "F4 N chunked in HTTP/1.0",
  "GET *": "S9 N asterisk with GET",
  "a fragment in the target": "S6 N fragment in the target",
  "an absolute target whose host differs from Host": "S8 N the target wins over Host",
  "a double space in the request line": "S6 N two spaces before the target",
  Transfer_Encoding: "S12 N Transfer_Encoding",
  "a header named __proto__": "S12 N __proto__",
};

/** What Node rightly rejects: no less of it may be rejected here. */
const NODE_REJECTS: Readonly<Record<string, string>> = {
  "length and coding": "F5 N CL and TE",
  "duplicate length": "F6 N two differing lines",
  "length with a plus": "F6 N plus",
  "empty length": "F6 N empty",
  "length with a comma": "F7 N list of equals",
  "bare LF": "S1 N bare LF after a field",
  "bare CR": "S1 N bare CR in a value",
  "obs-fold": "S13 N obs-fold with a space",
  "space before the colon": "S12 N space before the colon",
  "empty name": "S12 N empty name",
  "CR LF CR X": "S14 N CR LF CR X",
  "0x chunk size": "F1 N 0x size",
  "space in a chunk size": "F1 N space before the size",
  "chunk spill": "F1 N data longer than the size",
  "bare semicolon": "F12 N bare semicolon",
  NUL: "S14 N NUL in a value",
  controls: "S14 N control in a value",
  "non-ASCII target": "S6 N non-ASCII in the target",
  "duplicate coding": "F2 N two Transfer-Encoding lines",
  "unknown coding": "F3 N unknown coding",
};

const files = readdirSync(FOLDER).filter((file) => file.endsWith(".test.ts"));
const textOf = new Map(files.map((file) => [file, readFileSync(`${FOLDER}${file}`, "utf8")]));

describe("every rule", () => {
  test("has a test that is named by its id", () => {
    const named = new Set([...textOf.values()].flatMap((text) => [...idsIn(text)]));
    assert.deepEqual(
      RULES.filter((id) => !named.has(id)),
      [],
    );
    assert.deepEqual(
      [...named].filter((id) => !RULES.includes(id)),
      [],
      "ids that are no rules",
    );
  });

  test("has one row on the page, with files that have tests of its name", () => {
    for (const id of RULES) {
      const rows = PAGE.split("\n").filter((line) => line.startsWith(`| ${id} |`));
      assert.equal(rows.length, 1, `docs/internals/http-rules.md has ${rows.length} rows for ${id}`);
      const cell = rows[0]!.split(" | ").at(-1)!;
      const named = [...cell.matchAll(/`([a-z0-9-]+)`/g)].map((match) => `${match[1]!}.test.ts`);
      const found = files.filter((file) => file !== "rules.test.ts" && idsIn(textOf.get(file)!).has(id));
      assert.ok(named.length > 0, `the row of ${id} names no file`);
      for (const file of named)
        assert.ok(found.includes(file), `the row of ${id}: ${file} has no test of that name`);
    }
  });
});

test("what Node's server accepts wrongly or rejects rightly is tested, thing by thing", () => {
  const all = [...textOf.entries()].filter(([file]) => file !== "rules.test.ts").map(([, text]) => text);
  const missing = Object.entries({ ...NODE_ACCEPTS, ...NODE_REJECTS }).filter(
    ([, name]) => !all.some((text) => text.includes(`"${name}"`)),
  );
  assert.deepEqual(missing, []);
});

/** `S1` to `S18` and the like. */
function ids(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
}

/** The ids with which names of tests in that source begin. */
function idsIn(text: string): Set<string> {
  const names = [...text.matchAll(/["'`]((?:[SFPC]\d+ )+)/g)];
  return new Set(names.flatMap(([, prefix]) => prefix!.trim().split(" ")));
}
