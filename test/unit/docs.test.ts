import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { parseConfig } from "../../src/config/load.ts";
import { POLICIES } from "../../src/core/policies/index.ts";
import { ERRORS } from "../../src/errors.ts";
import { makeCertificate } from "../fixtures/certificates.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COLUMNS_MAX = 160;
const PAGES: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "bench/RESULTS.md",
  "python/README.md",
  ...pagesBelow("docs"),
  ...pagesBelow("examples"),
];

test("there are pages to check", () => {
  assert.ok(PAGES.length > 30, `found ${PAGES.length}`);
});

describe("errors", () => {
  const page = read("docs/reference/errors.md");

  test("every code has a section, and no section is without a code", () => {
    const sections = headings(page, 2).toSorted();
    assert.deepEqual(sections, Object.keys(ERRORS).toSorted());
  });

  test("every code that a page mentions exists", () => {
    for (const name of PAGES) {
      for (const [code] of read(name).matchAll(/\bEVENER_[A-Z_]+\b/g)) {
        assert.ok(code in ERRORS || VARIABLES.has(code), `${name}: there is no code ${code}`);
      }
    }
  });
});

describe("policies", () => {
  const indexes = ["README.md", "docs/policies/README.md"].map((name) => ({ name, text: read(name) }));

  for (const { name, options, summary } of POLICIES) {
    test(`${name} has a page with its options and stands in the lists`, () => {
      const page = read(`docs/policies/${name}.md`);
      assert.deepEqual(headings(page, 1), [name]);
      for (const option of Object.keys(options)) {
        assert.ok(page.includes(`| \`${option}\` |`), `its page lacks the option ${option}`);
      }
      for (const index of indexes) {
        assert.ok(index.text.includes(`[\`${name}\`](`), `${index.name} does not list it`);
      }
      assert.ok(indexes[0]!.text.includes(summary), "README.md does not say its summary");
    });
  }

  test("no page is without a policy", () => {
    const names = POLICIES.map(({ name }) => `${name}.md`);
    const files = readdirSync(path.join(ROOT, "docs/policies")).filter((file) => file !== "README.md");
    assert.deepEqual(files.toSorted(), names.toSorted());
  });
});

test("every configuration that a page shows is valid", () => {
  let count = 0;
  for (const name of PAGES) {
    for (const [, block] of read(name).matchAll(/^```yaml\n([^]*?)^```$/gm)) {
      // Parts of a file, without backends, are not whole enough to be checked.
      if (!/^ *backends:/m.test(block!)) continue;
      const text = /^listen/m.test(block!) ? block! : `listen: 8080\n${block!}`;
      parseConfig(text, { path: name, env: {}, readFile });
      count++;
    }
  }
  assert.ok(count > 10, `found ${count}`);
});

describe("pages", () => {
  for (const name of PAGES) {
    test(name, () => {
      const text = read(name);
      assert.equal(headings(text, 1).length, 1, "it has one H1");
      for (const [index, line] of text.split("\n").entries()) {
        // A row of a table can not be broken, and results stand there as they were printed.
        const isAsItIs = line.startsWith("|") || name === "bench/RESULTS.md";
        assert.ok(isAsItIs || line.length <= COLUMNS_MAX, `line ${index + 1} has ${line.length} columns`);
      }
      for (const target of links(text)) assertLeads(name, target);
    });
  }

  test("every page of docs is in its index, or in that of the policies", () => {
    const found = ["docs/README.md", "docs/policies/README.md"].flatMap((index) =>
      links(read(index)).map((target) => path.posix.join(path.posix.dirname(index), target.split("#")[0]!)),
    );
    const missing = pagesBelow("docs").filter((page) => page !== "docs/README.md" && !found.includes(page));
    assert.deepEqual(missing, []);
  });
});

/** Names that look like codes and are none. */
const VARIABLES: ReadonlySet<string> = new Set([
  "EVENER_STATE_DIR",
  "EVENER_SEED",
  "EVENER_ADMIN_TOKEN",
  "EVENER_CORPUS_SEED",
  "EVENER_TASK_ID",
  "EVENER_TASKS_URL",
  "EVENER_TOKEN",
]);

const PAIR = makeCertificate();

/** What the files contain that pages name. */
function readFile(file: string): string {
  if (/key\w*\.pem$/.test(file)) return PAIR.key;
  return file.endsWith(".pem") ? PAIR.cert : "a secret of a file";
}

function pagesBelow(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => path.posix.join(folder, file.replaceAll(path.sep, "/")))
    .toSorted();
}

function read(name: string): string {
  return readFileSync(path.join(ROOT, name), "utf8");
}

/** The text without fenced code: what looks like markdown in there is none. */
function prose(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```$/gm, "");
}

function headings(text: string, level: number): string[] {
  return [...prose(text).matchAll(/^(#+) (.+)$/gm)]
    .filter(([, marks]) => marks!.length === level)
    .map(([, , title]) => title!.trim());
}

/** Targets of relative links, as written. */
function links(text: string): string[] {
  return [...prose(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function assertLeads(from: string, target: string): void {
  const [file = "", anchor] = target.split("#");
  const name = file === "" ? from : path.posix.join(path.posix.dirname(from), file);
  const full = path.join(ROOT, name);
  assert.ok(existsSync(full), `the link ${target} leads to ${name}, which does not exist`);
  if (anchor === undefined || statSync(full).isDirectory()) return;
  assert.ok(anchors(read(name)).has(anchor), `the link ${target}: ${name} has no heading #${anchor}`);
}

/** The anchors of headings, as code hosts make them. */
function anchors(text: string): Set<string> {
  const titles = [1, 2, 3, 4].flatMap((level) => headings(text, level));
  return new Set(
    titles.map((title) => {
      return title
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, "")
        .replaceAll(" ", "-");
    }),
  );
}
