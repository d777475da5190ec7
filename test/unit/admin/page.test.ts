import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import * as fc from "fast-check";
import { markup } from "../../../src/admin/html.ts";
import { PAGE_POLICY, PAGE_SCRIPT, PAGE_STYLE } from "../../../src/admin/page-assets.ts";
import { statusPage } from "../../../src/admin/page.ts";
import { RecentPicks } from "../../../src/admin/recent-picks.ts";
import { StatusReader } from "../../../src/admin/status.ts";
import { Work } from "../../../src/core/work.ts";
import { Deadlines } from "../../../src/http1/deadlines.ts";
import { FakeSource } from "./fake-source.ts";

const deadlines = new Deadlines();
after(() => deadlines.close());

function pageOf(source: FakeSource): string {
  const reader = new StatusReader(source, new RecentPicks(source, deadlines));
  return statusPage(
    source,
    source.pools().map((pool) => reader.pool(pool)),
    1_700_000_100_000,
  );
}

/** Tags of a page, without its own style and script. */
function tagsOf(page: string): string {
  const body = page.replace(/<(style|script)>[^]*?<\/\1>/g, "");
  return [...body.matchAll(/<[^>]*>/g)].map((tag) => tag[0].replaceAll(/"[^"]*"/g, '""')).join("");
}

describe("status page", () => {
  test("shows who has left and still has requests", () => {
    const source = new FakeSource();
    const { pool } = source.add("chat", ["one:1", "two:1"]);
    for (let i = 0; i < 4; i++) pool.pick(new Work());
    pool.update([pool.members.get("two:1")!.spec]);
    const page = pageOf(source);
    assert.match(page, /4 in flight/);
    assert.match(page, /one:1<\/td>\n<td><span class="s s-draining">▽ left<[^]*<td class="n">2<\/td>/);
  });

  test("has state and reason in words, share, limit and events", () => {
    const source = new FakeSource();
    const { pool } = source.add("chat", ["one:1", "two:1"]);
    pool.wish("two:1", "drain");
    const page = pageOf(source);
    assert.match(page, /<h2>chat<\/h2>/);
    assert.match(page, /one:1[^]*● up/);
    assert.match(page, /two:1[^]*▽ draining<\/span><br><span class="soft">drained by an operator/);
    assert.match(page, /0 \/ no limit/);
    assert.match(page, /of 100 % fair/);
    assert.match(page, /operator: drain/);
    assert.match(page, /up 100 s/);
    assert.match(page, /● ready/);
  });

  test("names, reasons and evidence are text, whatever they contain", () => {
    const plain = new FakeSource();
    plain.add("p", ["id"]);
    plain.events.append({ atMs: 0, pool: "p", endpoint: "id", kind: "agent", reason: "r", evidence: "e" });
    const expected = tagsOf(pageOf(plain));
    const evil = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom(
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'-alert(1)-'",
        "</style><script>",
        "<!--",
        "&lt;b&gt;",
        "]]>",
      ),
    );
    fc.assert(
      fc.property(evil, evil, (name, id) => {
        const source = new FakeSource();
        const { pool } = source.add(name, [id]);
        // The same tags as for a harmless name: an id that is not the address has one more line.
        assert.equal(pool.members.list[0]!.spec.address, id);
        source.events.append({
          atMs: 0,
          pool: name,
          endpoint: id,
          kind: "agent",
          reason: name,
          evidence: id,
        });
        assert.equal(tagsOf(pageOf(source)), expected);
      }),
      { numRuns: 200 },
    );
  });

  test("loads nothing from anywhere, and has no style or handler in an element", () => {
    const source = new FakeSource();
    source.add("chat", ["one:1"]);
    const page = pageOf(source);
    assert.doesNotMatch(page, /\b(?:src|href|style|on[a-z]+)=/);
    assert.ok(page.includes(`<style>${PAGE_STYLE}</style>`));
    assert.ok(page.includes(`<script>${PAGE_SCRIPT}</script>`));
    assert.doesNotMatch(page, /https?:\/\//);
    assert.match(PAGE_POLICY, /^default-src 'none'; /);
    assert.doesNotMatch(PAGE_POLICY, /unsafe|\*/);
  });

  test("panic and a full queue are said", () => {
    const source = new FakeSource();
    const { pool } = source.add("chat", ["one:1"], {
      outlier: {
        consecutive: 5,
        failures: 10,
        of: 20,
        ejectionMs: 1,
        ejectionMsMax: 1,
        ejectedShareMax: 1,
        panicShare: 0.5,
      },
      queue: { requestsMax: 10, waitMs: 1_000 },
    });
    for (let i = 0; i < 3; i++) pool.probed("one:1", { passed: false, detail: "refused" });
    const page = pageOf(source);
    assert.match(page, /Panic: too few backends/);
    assert.match(page, /queue empty/);
    assert.match(page, /✕ down<\/span><br><span class="soft">refused/);
  });
});

describe("markup", () => {
  test("escapes text and leaves html", () => {
    const quoted = markup`<a b="${`"'<>&`}">`.text;
    assert.equal(quoted, '<a b="&quot;&#39;&lt;&gt;&amp;">');
    assert.equal(markup`${markup`<i>`}${[markup`x`, markup`y`]}${1}`.text, "<i>xy1");
    assert.equal(markup`${"a\u0000b\u001bc"}`.text, "a\ufffdb\ufffdc");
  });
});
