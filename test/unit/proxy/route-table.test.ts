// Which route takes a request.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { RequestHead } from "../../../src/http1/head.ts";
import type { Route } from "../../../src/proxy/route.ts";
import { FITS, misfitOf } from "../../../src/proxy/route-match.ts";
import { RouteTable } from "../../../src/proxy/route-table.ts";
import { headOf, routesOf } from "../../fixtures/routes.ts";

type Fields = readonly (readonly [string, string])[];

function poolOf(route: Route | null): string | null {
  return route?.kind === "pool" ? route.traffic.name : null;
}

function taken(table: RouteTable, line: string, fields: Fields = []): string | null {
  return poolOf(table.find(headOf(line, fields), null));
}

/** Routes with these matches, whose pools are named by `name`, in the order of the file. */
function tableOf(matches: Readonly<Record<string, Readonly<Record<string, unknown>>>>): RouteTable {
  return new RouteTable(routesOf(Object.entries(matches).map(([pool, match]) => ({ match, pool }))));
}

describe("paths", () => {
  const table = tableOf({
    rest: {},
    prefix: { path: "/v1" },
    written: { path: { prefix: "/v2" } },
    longer: { path: "/v1/models" },
    slash: { path: "/files/" },
    exact: { path: { exact: "/v1/models" } },
    regex: { path: { regex: "/v1/models/[^/]+/infer" } },
  });
  const cases: readonly [string, string][] = [
    ["/", "rest"],
    ["/v1", "prefix"],
    ["/v1?x=1", "prefix"],
    ["/v1/", "prefix"],
    ["/v10", "rest"],
    ["/V1", "rest"],
    ["/v2/x", "written"],
    ["/v1/models", "exact"],
    ["/v1/models?x=/v1", "exact"],
    ["/v1/models/", "longer"],
    ["/v1/models/llama/infer", "regex"],
    ["/v1/models/llama/infer/", "longer"],
    ["/v1/models/a/b/infer", "longer"],
    ["/v1/models/org%2Fllama/infer", "regex"],
    ["/x/v1/models/llama/infer", "rest"],
    ["/files", "rest"],
    ["/files/a", "slash"],
  ];
  for (const [target, pool] of cases) {
    it(`${target} goes to ${pool}`, () => assert.equal(taken(table, `GET ${target}`), pool));
  }

  it("'*' is taken by the root alone", () => assert.equal(taken(table, "OPTIONS *"), "rest"));
});

describe("conditions", () => {
  const table = tableOf({
    rest: {},
    header: { header: { "X-Tier": "gold" } },
    known: { header: { accept: "text/html" } },
    there: { path: "/there", header: { "x-any": { present: true } } },
    absent: { path: "/absent", header: { "x-any": { present: false } } },
    query: { query: { tier: "gold plus" } },
    queryThere: { query: { debug: { present: true } } },
    cookie: { cookie: { beta: "1" } },
    cookieThere: { path: "/c", cookie: { beta: { present: true } } },
  });
  const cases: readonly [string, Fields, string][] = [
    ["/", [["x-tier", "gold"]], "header"],
    ["/", [["X-TIER", "gold"]], "header"],
    ["/", [["x-tier", "Gold"]], "rest"],
    ["/", [["x-tier", "gold, gold"]], "rest"],
    ["/", [["x-tiers", "gold"]], "rest"],
    ["/", [["accept", "text/html"]], "known"],
    [
      "/",
      [
        ["x-tier", "iron"],
        ["x-tier", "gold"],
      ],
      "header",
    ],
    ["/there", [["x-any", ""]], "there"],
    ["/there", [], "rest"],
    ["/absent", [], "absent"],
    ["/absent", [["x-any", "1"]], "rest"],
    ["/?tier=gold+plus", [], "query"],
    ["/?tier=gold%20plus", [], "query"],
    ["/?a=1&tier=iron&tier=gold%20plus#".slice(0, -1), [], "query"],
    ["/?t%69er=gold+plus", [], "query"],
    ["/?tier=gold", [], "rest"],
    ["/?xtier=gold+plus", [], "rest"],
    ["/?debug", [], "queryThere"],
    ["/?debug=", [], "queryThere"],
    ["/?debugger=1", [], "rest"],
    ["/?a=debug", [], "rest"],
    ["/?%zz&debug=%zz", [], "queryThere"],
    ["/", [["cookie", "a=2; beta=1"]], "cookie"],
    ["/", [["cookie", "a=beta=1"]], "rest"],
    ["/", [["cookie", "beta=12"]], "rest"],
    [
      "/",
      [
        ["cookie", "a=1"],
        ["cookie", "beta=1"],
      ],
      "cookie",
    ],
    ["/c", [["cookie", "beta=2"]], "cookieThere"],
    ["/c", [["cookie", "beta"]], "rest"],
  ];
  for (const [target, fields, pool] of cases) {
    it(`${target} with ${JSON.stringify(fields)} goes to ${pool}`, () => {
      assert.equal(taken(table, `GET ${target}`, fields), pool);
    });
  }
});

describe("the most specific wins", () => {
  it("host, then path, then the number of conditions, then the order of the file", () => {
    const routes = routesOf([
      { pool: "p", match: { path: "/a", method: "GET", header: { x: "1" } } },
      { pool: "p", match: {} },
      { pool: "p", match: { path: { regex: "/.*" } } },
      { pool: "p", match: { path: "/a/b" } },
      { pool: "p", match: { path: { exact: "/a" } } },
      { pool: "p", match: { path: "/a", query: { q: "1" } } },
      { pool: "p", match: { path: { exact: "/a" }, method: ["GET", "PUT"] } },
      { pool: "p", match: { host: "*.b.c" } },
      { pool: "p", match: { host: "*.c", path: { exact: "/a" } } },
      { pool: "p", match: { host: "a.b.c" } },
      { pool: "p", match: { path: { regex: "/a" }, method: "GET" } },
      { pool: "p", match: { path: "/a", cookie: { c: "1" } } },
    ]);
    const order = new RouteTable(routes).routes.map((route) => routes.indexOf(route));
    assert.deepEqual(order, [9, 7, 8, 6, 4, 10, 2, 3, 0, 5, 11, 1]);
  });

  it("and an exact host that does not take the request leaves it to a wildcard, then to any", () => {
    const table = tableOf({
      exact: { host: "a.b.c", path: "/exact" },
      near: { host: "*.b.c", path: "/near" },
      far: { host: "*.c", path: "/far" },
      any: {},
    });
    const at = (path: string): string | null => taken(table, `GET ${path}`, [["host", "A.b.c:8080"]]);
    assert.deepEqual(["/exact", "/near", "/far", "/none"].map(at), ["exact", "near", "far", "any"]);
    assert.equal(taken(table, "GET /far", [["host", "c"]]), "any");
    assert.equal(taken(table, "GET /far", [["host", ".c"]]), "any");
  });
});

const segment = fc.constantFrom("", "a", "b", "ab", "v1");
const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
const host = fc.constantFrom("a.b", "x.a.b", "y.x.a.b", "b");
const anyMatch = fc.record(
  {
    host: fc.oneof(
      host,
      host.map((name) => `*.${name}`),
    ),
    path: fc.oneof(
      path,
      path.map((exact) => ({ exact })),
      fc.constantFrom({ regex: "/a.*" }, { regex: "/(?:a|v1)/b?" }, { regex: ".*b" }),
    ),
    method: fc.constantFrom("GET", "POST"),
    header: fc.constantFrom({ x: "1" }, { x: { present: false } }, { y: { present: true } }),
    query: fc.constantFrom({ q: "1" }, { q: { present: true } }),
  },
  { requiredKeys: [] },
);
const anyHead = fc
  .tuple(
    fc.constantFrom("GET", "POST"),
    path,
    fc.constantFrom("", "?q=1", "?q=2"),
    host,
    fc.constantFrom<Fields>([], [["x", "1"]], [["y", ""]]),
  )
  .map(([method, at, query, name, fields]) => headOf(`${method} ${at}${query}`, [["host", name], ...fields]));

/** What the table must find, the slow way. */
function firstThatFits(table: RouteTable, head: RequestHead): Route | null {
  return table.routes.find(({ match }) => misfitOf(match, head, null) === FITS) ?? null;
}

describe("whatever the routes", () => {
  it("the look-ups find the first of the order that fits", () => {
    const property = fc.property(fc.array(anyMatch, { maxLength: 12 }), anyHead, (matches, head) => {
      const table = new RouteTable(
        routesOf([{ pool: "p" }, ...matches.map((match) => ({ match, pool: "p" }))]),
      );
      assert.equal(table.find(head, null), firstThatFits(table, head));
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("10,000 routes that do not match change nothing (CVE class 9)", () => {
    const strangers = routesOf(
      Array.from({ length: 10_000 }, (_, i) => {
        const kinds = [{ host: `h${i}.test` }, { path: `/s${i}` }, { path: { exact: `/a/s${i}` } }];
        return { pool: "p", match: { ...kinds[i % 3], header: { [`x-stranger-${i % 7}`]: "1" } } };
      }),
    );
    const property = fc.property(
      fc.array(anyMatch, { minLength: 1, maxLength: 4 }),
      fc.array(anyHead),
      (some, heads) => {
        const routes = routesOf(some.map((match) => ({ match, pool: "p" })));
        const alone = new RouteTable(routes);
        const crowded = new RouteTable([...strangers.slice(0, 5_000), ...routes, ...strangers.slice(5_000)]);
        for (const head of heads) assert.equal(crowded.find(head, null), alone.find(head, null));
      },
    );
    fc.assert(property, { numRuns: 20 });
  });
});
