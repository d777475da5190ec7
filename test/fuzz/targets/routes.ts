// Routing: look-ups find what trying one route after the other would, and no path talks around them.
import assert from "node:assert/strict";
import type { Random } from "../../../src/core/kit/random.ts";
import { isAmbiguousPath } from "../../../src/http1/ambiguous-path.ts";
import { RequestParser } from "../../../src/http1/parser.ts";
import { FITS, misfitOf } from "../../../src/proxy/route-match.ts";
import { RouteTable } from "../../../src/proxy/route-table.ts";
import { routesOf } from "../../fixtures/routes.ts";
import { mutated, once, pick } from "../mutation.ts";
import type { Target } from "../target.ts";

/** The head of a request against one table of many routes. */
export const routes: Target = {
  name: "routes",
  about: "which route takes a request",
  make,
  check: (input) => {
    const parser = new RequestParser();
    const bytes = Buffer.from(input, "latin1");
    if (parser.parse(bytes, 0) < 0) return `no head: ${parser.error?.code ?? "incomplete"}`;
    const { head } = parser;
    const found = TABLE.find(head, null);
    const first = TABLE.routes.find(({ match }) => misfitOf(match, head, null) === FITS) ?? null;
    assert.equal(found?.name, first?.name, "the first that fits");
    if (isAmbiguousPath(head.path)) return "ambiguous";
    checkPath(head.path);
    return found?.name ?? "none";
  },
};

/** However a backend decodes and normalises it, no segment leads elsewhere. */
function checkPath(path: string): void {
  if (!path.startsWith("/")) return;
  // As the URL standard has it, browsers and Node: segments stay as many as they were.
  const url = URL.parse(`http://host.example${path}`);
  assert(url !== null, "a path of a URL");
  assert.equal(url.pathname.split("/").length, path.split("/").length, "segments");
  const plain = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  assert(!plain.includes("\0"), "NUL");
  for (const segment of plain.split(/[/\\]/)) assert.doesNotMatch(segment, /^\.\.?(?:;|$)/, "dot segment");
}

function make(random: Random): string {
  let path = "";
  for (let left = 1 + random.below(5); left > 0; left--) path += pick(SEGMENTS, random);
  const query = once(3, random) ? `?${pick(QUERIES, random)}&${pick(QUERIES, random)}` : "";
  let fields = `host: ${pick(HOSTS, random)}\r\n`;
  for (let left = random.below(4); left > 0; left--) fields += `${pick(FIELDS, random)}\r\n`;
  const head = `${pick(METHODS, random)} ${path}${query} HTTP/1.1\r\n${fields}\r\n`;
  return once(2, random) ? head : mutated(head, [head], INSERTS, random);
}

const TABLE = new RouteTable(
  routesOf([
    { pool: "p" },
    { match: { path: "/v1" }, pool: "a" },
    { match: { path: "/v1/" }, pool: "b" },
    { match: { path: { exact: "/v1/models" } }, pool: "c" },
    { match: { path: { exact: "/v1/models" }, method: "GET" }, pool: "d" },
    { match: { path: { regex: "/v[0-9]+/(a|b)*" } }, pool: "e" },
    { match: { host: "a.example" }, pool: "f" },
    { match: { host: "*.example", path: "/v1" }, pool: "g" },
    { match: { host: "*.b.example", header: { "x-a": "1" } }, pool: "h" },
    { match: { host: "a.example", query: { q: "a b" } }, pool: "i" },
    { match: { cookie: { c: "1" }, path: "/%2e" }, pool: "j" },
    { match: { header: { "content-type": "a" }, path: "/a" }, pool: "k" },
  ]),
);
const METHODS = ["GET", "POST", "HEAD", "OPTIONS", "x"];
const SEGMENTS = [
  "/v1",
  "/v1",
  "/models",
  "/v1/models",
  "/v2",
  "/a",
  "/b",
  "/",
  "//",
  "/.",
  "/..",
  "/...",
  "/%2e",
  "/%2E%2e",
  "/.%2e",
  "/..;a=b",
  "/;..",
  "/%3b",
  "/..%3bx",
  "%2f",
  "%2F..",
  "%5c..",
  "%5C",
  "/%00",
  "/%",
  "/%zz",
  "/%252e%252e",
  "/.a",
  "/a.",
  "/..a",
  "/;",
  "/%c0%ae%c0%ae",
  "/..%2f",
  "/..%5c",
  "/%e2%80%a5",
  "/..;/",
  "/@",
  "/:",
  "/a|{}^`[]",
];
const QUERIES = [
  "q=a+b",
  "q=a%20b",
  "q",
  "=",
  "q=%",
  "q=%ff",
  "%71=a%20b",
  "a=b",
  "q=a b".replace(" ", "%2B"),
  "?",
  "q=&q=a+b",
];
const HOSTS = [
  "a.example",
  "A.Example:80",
  "x.b.example",
  "b.example",
  ".example",
  "example",
  "[::1]",
  "127.0.0.1:1",
];
const FIELDS = [
  "x-a: 1",
  "X-A:  1 ",
  "x-a: 2",
  "cookie: c=1",
  "cookie: a=b; c=1;",
  "cookie: c",
  "cookie: ;;=;",
  "content-type: a",
];
const INSERTS = [
  "/",
  ".",
  "%",
  "%2e",
  "%2f",
  ";",
  "\\",
  "?",
  "=",
  "&",
  "+",
  "\0",
  "\xff",
  "\r\n",
  "%25",
  "..",
  "/../",
];
