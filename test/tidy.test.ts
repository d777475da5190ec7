// The rules of the house that a linter does not know (CONTRIBUTING.md lists them all).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file.endsWith(".ts"));
const sources = files.filter((file) => file.startsWith("src/"));

/** Lower floors may not import higher ones; rooms on one floor do not import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["core"],
  ["http1", "sim", "store"],
  ["control"],
  ["proxy", "signals", "discovery", "admin", "config", "demo", "tasks"],
  ["planes"],
  ["handover"],
  [
    "server.ts",
    "side-doors.ts",
    "fleet.ts",
    "balancer.ts",
    "state.ts",
    "version.ts",
    "journal.ts",
    "admin-source.ts",
    "identity.ts",
  ],
  ["commands"],
  ["cli.ts", "index.ts"],
];

/** What may be imported although it stands on the same floor, and why. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  "server.ts fleet.ts": "the server is made of its fleet",
  "server.ts identity.ts": "the server has one",
  "identity.ts state.ts": "its secret is kept there",
  "server.ts journal.ts": "the server tells it what happens",
  "server.ts admin-source.ts": "what the server's admin listener shows",
  "admin-source.ts fleet.ts": "it shows the pools",
  "admin-source.ts version.ts": "the admin listener tells the version",
  "server.ts side-doors.ts": "the listeners beside that of the requests",
  "side-doors.ts version.ts": "the task listener tells the version, too",
  "cli.ts commands": "the table of commands",
};

test("imports point down and rooms on one floor do not import each other", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    for (const target of importsOf(file)) {
      if (!target.startsWith("src/")) continue;
      const from = roomOf(file);
      const to = roomOf(target);
      if (from === to || to === "errors.ts" || isAllowed(from, to)) continue;
      wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("core imports nothing but itself, sim nothing but core and itself: no node:, no package", () => {
  const wrong = sources
    .filter(isPure)
    .flatMap((file) => importsOf(file).map((target) => ({ file, target })))
    .filter(({ file, target }) => {
      if (target.startsWith("src/core/")) return false;
      return !(file.startsWith("src/sim/") && target.startsWith("src/sim/"));
    });
  assert.deepEqual(wrong, []);
});

test("core and sim take time and dice from outside", () => {
  const banned = /\b(?:Date|performance|setTimeout|setInterval|setImmediate|process|console|Math\.random)\b/;
  const wrong = matchingLines(sources.filter(isPure), banned);
  assert.deepEqual(wrong, []);
});

test("lines have at most 110 columns, names of tests 140", () => {
  const wrong = files.flatMap((file) =>
    linesOf(file).flatMap((line, i) => {
      const columnsMax = file.startsWith("test/") && /["`]/.test(line) ? 140 : 110;
      return line.length > columnsMax ? [`${file}:${i + 1} has ${line.length}`] : [];
    }),
  );
  assert.deepEqual(wrong, []);
});

test("no leftovers: any, default exports, postponed work, skipped tests", () => {
  const wrong = [
    ...matchingLines(sources, /\bas any\b|: any\b|<any>|export default|@ts-(?:ignore|nocheck)/),
    ...matchingLines(
      files.filter((file) => file !== "test/tidy.test.ts"),
      /\b(?:FIXME|TODO|XXX)\b/,
    ),
    ...matchingLines(
      files.filter((file) => file.startsWith("test/") && file !== "test/tidy.test.ts"),
      /\b(?:test|it|describe)\.(?:skip|todo|only)\(|\{ skip: true/,
    ),
  ];
  assert.deepEqual(wrong, []);
});

test("no rooms or files with names that say nothing", () => {
  const banned = /(?:^|[/-])(?:utils?|common|helpers?|managers?|services?|types|misc)(?:[/.-]|$)/;
  assert.deepEqual(
    files.filter((file) => banned.test(file)),
    [],
  );
});

test("every policy file opens with what, when, when not, cost and source", () => {
  const notPolicies = new Set(["index.ts", "policy.ts", "create.ts"]);
  const wrong = sources
    .filter((file) => file.startsWith("src/core/policies/") && !notPolicies.has(file.split("/").at(-1)!))
    .filter((file) => {
      const text = readFileSync(file, "utf8");
      return !["When to use:", "When not:", "Cost: O(", "Source:"].every((part) => text.includes(part));
    });
  assert.deepEqual(wrong, []);
});

test("exported functions, classes and interfaces have a doc comment", () => {
  const wrong = sources.flatMap((file) => {
    const lines = linesOf(file);
    return lines.flatMap((line, i) => {
      const isExport = /^export (?:async )?(?:abstract )?(?:function|class|interface)/.test(line);
      return isExport && !lines[i - 1]?.trim().endsWith("*/") ? [`${file}:${i + 1}: ${line}`] : [];
    });
  });
  assert.deepEqual(wrong, []);
});

test("the lock names no registry host", () => {
  assert.equal(readFileSync("package-lock.json", "utf8").includes('"resolved"'), false);
});

test("what the package installs as a command can be run", () => {
  const [mode] = execFileSync("git", ["ls-files", "--stage", "bin/evener.js"], { encoding: "utf8" }).split(
    " ",
  );
  assert.equal(mode, "100755");
});

test("what Python's build leaves behind is ignored", () => {
  const left = [
    "python/build/lib/evener/a.py",
    "python/dist/evener.whl",
    "python/src/evener.egg-info/PKG-INFO",
  ];
  const ignored = execFileSync("git", ["check-ignore", ...left], { encoding: "utf8" });
  assert.deepEqual(ignored.trim().split("\n"), left);
});

/** Neither I/O nor a clock nor dice of its own. */
function isPure(file: string): boolean {
  return file.startsWith("src/core/") || file.startsWith("src/sim/");
}

function isAllowed(from: string, to: string): boolean {
  if (NEIGHBOURS[`${from} ${to}`] !== undefined) return true;
  const floorOf = (room: string): number => FLOORS.findIndex((floor) => floor.includes(room));
  return floorOf(to) >= 0 && floorOf(from) > floorOf(to);
}

/** `src/proxy/route.ts` -> `proxy`, `src/server.ts` -> `server.ts`. */
function roomOf(file: string): string {
  return file.split("/")[1]!;
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  const targets = [...text.matchAll(/^(?:import|export)\b[^"';]*?from "([^"]+)";|^import "([^"]+)";/gm)];
  return targets.map((match) => {
    const target = match[1] ?? match[2]!;
    return target.startsWith(".") ? normalize(join(dirname(file), target)) : target;
  });
}

function linesOf(file: string): string[] {
  return readFileSync(file, "utf8").split("\n");
}

/** Comments do not count. */
function matchingLines(among: readonly string[], pattern: RegExp): string[] {
  return among.flatMap((file) =>
    linesOf(file).flatMap((line, i) => {
      const code = line.trim();
      const isComment = code.startsWith("*") || code.startsWith("//") || code.startsWith("/*");
      return !isComment && pattern.test(line) ? [`${file}:${i + 1}: ${code}`] : [];
    }),
  );
}
