// Regular expressions of routes: the whole path, in linear time.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PathPattern } from "../../../src/http1/path-pattern.ts";

test("a pattern must match the whole path", () => {
  const cases: readonly [string, string, boolean][] = [
    ["/a", "/a", true],
    ["/a", "/ab", false],
    ["/a", "x/a", false],
    ["/a|/ab", "/ab", true],
    ["^/a$", "/a", true],
    ["/(?i)ABC", "/abc", true],
    ["/[^/]+", "/a/b", false],
    ["/.*", "/\u00e9", true],
    ["/\\d{2,3}", "/1234", false],
  ];
  for (const [text, path, expected] of cases) {
    assert.equal(new PathPattern(text).matches(path), expected, `${text} on ${path}`);
  }
});

test("what is not RE2, or too large, is refused with the reason", () => {
  for (const text of ["(", "a(?=b)", "(?<!a)b", "(a)\\1", "a**", "[z-a]", "/(?:a{1,100}){2}", "x{1001}"]) {
    assert.throws(() => new PathPattern(text), /./, text);
  }
});

test("patterns that stall a backtracking engine are answered at once", () => {
  const path = `/${"a".repeat(16_000)}!`;
  for (const text of ["/(a+)+", "/(a|aa)+", "/(a|a?)+", "/(.*a){12}", "/([a-z]+)*x"]) {
    assert.equal(new PathPattern(text).matches(path), false, text);
  }
});

test("agrees with JavaScript where the syntax is the same", () => {
  const atom = fc.constantFrom("a", "b", "/", ".", "[ab]", "[^a]", "(?:a|b/)", "%2F");
  const pattern = fc
    .array(fc.tuple(atom, fc.constantFrom("", "*", "+", "?")), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.flat().join(""));
  const path = fc.string({ unit: fc.constantFrom("a", "b", "/", "%", "2", "F"), maxLength: 10 });
  const property = fc.property(pattern, path, (text, at) => {
    assert.equal(new PathPattern(text).matches(at), new RegExp(`^(?:${text})$`).test(at));
  });
  fc.assert(property, { numRuns: 500 });
});
