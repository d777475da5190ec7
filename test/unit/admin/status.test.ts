import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { RecentPicks } from "../../../src/admin/recent-picks.ts";
import { matchRoute } from "../../../src/admin/routes.ts";
import { StatusReader } from "../../../src/admin/status.ts";
import { endpointSpec } from "../../../src/core/endpoint.ts";
import { Lease } from "../../../src/core/lease.ts";
import { Work } from "../../../src/core/work.ts";
import { Deadlines } from "../../../src/http1/deadlines.ts";
import { FakeSource } from "./fake-source.ts";

const deadlines = new Deadlines();
after(() => deadlines.close());

function scene() {
  const source = new FakeSource();
  const it = source.add("chat", ["a:1", "b:1", "c:1"]);
  const recent = new RecentPicks(source, deadlines);
  const pick = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const lease = new Lease();
      it.pool.pick(new Work(), lease);
      lease.settle("ok");
    }
  };
  return { source, it, recent, pick, reader: new StatusReader(source, recent) };
}

describe("status", () => {
  test("fair share follows the weights of those that take work", () => {
    const { it, reader } = scene();
    it.pool.members.get("a:1")!.weightOverride = 3;
    it.pool.wish("c:1", "down");
    const shares = reader.pool(it).backends.map(({ fair_share }) => fair_share);
    assert.deepEqual(shares, [0.75, 0.25, 0]);
  });

  test("share looks back a minute, and is unknown where there were no picks", () => {
    const { it, reader, recent, pick } = scene();
    const shares = (): (number | null)[] => reader.pool(it).backends.map(({ share }) => share);
    assert.deepEqual(shares(), [null, null, null]);
    pick(3);
    assert.deepEqual(shares(), [0.3333, 0.3333, 0.3333]);
    it.pool.wish("a:1", "drain");
    pick(6);
    assert.deepEqual(shares(), [0.1111, 0.4444, 0.4444]);
    // A minute passes: only what came since the first sample counts.
    for (let i = 0; i < 12; i++) recent.sample();
    assert.deepEqual(shares(), [null, null, null]);
    pick(4);
    assert.deepEqual(shares(), [0, 0.5, 0.5]);
  });

  test("a backend that has left is shown until its last request has ended", () => {
    const { it, reader } = scene();
    const leases = [new Lease(), new Lease(), new Lease(), new Lease()];
    for (const lease of leases) it.pool.pick(new Work(), lease);
    assert.deepEqual(reader.pool(it).left, []);
    it.pool.update([it.pool.members.get("b:1")!.spec]);
    assert.deepEqual(
      reader.pool(it).left.map(({ id, state, in_flight }) => [id, state, in_flight]),
      [
        ["a:1", "left", 2],
        ["c:1", "left", 1],
      ],
    );
    assert.deepEqual(
      reader.pool(it).backends.map(({ id }) => id),
      ["b:1"],
    );
    leases[0]!.settle("ok");
    leases[2]!.settle("ok");
    assert.deepEqual(
      reader.pool(it).left.map(({ id, in_flight }) => [id, in_flight]),
      [["a:1", 1]],
    );
    // One that comes back is a member with its counts; one whose place went to another is forgotten.
    it.pool.update(["a:1", "b:1"].map((id) => endpointSpec(id)));
    assert.deepEqual(reader.pool(it).left, []);
    assert.equal(reader.backend(it, "a:1")!.in_flight, 1);
    it.pool.update([]);
    const before = reader.pool(it).left.map(({ id }) => id);
    assert.deepEqual(before, ["a:1", "b:1"]);
    it.pool.update(Array.from({ length: 256 }, (_, i) => endpointSpec(`x${i}:1`)));
    assert.deepEqual(reader.pool(it).left, []);
  });

  test("queue, vitals, latencies and counts are there; the unknown is null", () => {
    const { source, it, reader, pick } = scene();
    pick(3);
    const endpoint = it.pool.members.get("a:1")!;
    it.pool.reported(endpoint, 0.25, Number.NaN, 1);
    source.clock.advance(40);
    it.stats.of("a:1").recentFirstByteMs.record(120, 40);
    const status = reader.backend(it, "a:1")!;
    assert.deepEqual(status.vitals, { cpu: 0.25, memory: null, gpu: 1, queued: null, age_ms: 40 });
    assert.ok(status.first_byte_ms.p50! >= 120 && status.first_byte_ms.p50! < 143);
    assert.deepEqual([status.picks, status.successes, status.failures, status.aborts], [1, 1, 0, 0]);
    const other = reader.backend(it, "b:1")!;
    assert.equal(other.vitals, null);
    assert.deepEqual(other.first_byte_ms, { p50: null, p95: null });
    assert.deepEqual(other.limit, { configured: 0, override: null, effective: 0 });
    assert.equal(reader.backend(it, "nobody"), null);
  });

  test("the oldest wait is told", () => {
    const source = new FakeSource();
    const it = source.add("chat", ["a:1"], { queue: { requestsMax: 5, waitMs: 60_000 } });
    it.pool.members.get("a:1")!.limitOverride = 1;
    it.pool.changed();
    it.pool.pick(new Work(), new Lease());
    it.pool.pick(new Work(), new Lease(), { decided: () => {} });
    source.clock.advance(250);
    const reader = new StatusReader(source, new RecentPicks(source, deadlines));
    assert.deepEqual(reader.pool(it).queue, { length: 1, max: 5, oldest_wait_ms: 250 });
  });
});

describe("routes", () => {
  const cases: [string, string | null][] = [
    ["/", "page  "],
    ["/metrics", "metrics  "],
    ["/metrics/", null],
    ["//metrics", null],
    ["/api/v1/pools", "pools  "],
    ["/api/v1/pools/", null],
    ["/api/v1/pools/chat", "pool chat "],
    ["/api/v1/pools/a%2Fb", "pool a/b "],
    ["/api/v1/pools/%zz", null],
    ["/api/v1/pools/%ff", null],
    ["/api/v1/pools/chat/backends/127.0.0.1:8000", "backend chat 127.0.0.1:8000"],
    ["/api/v1/pools/chat/backends/127.0.0.1%3A8000", "backend chat 127.0.0.1:8000"],
    ["/api/v1/pools/chat/backends/%2541", "backend chat %41"],
    ["/api/v1/pools/chat/backends/x/vitals", "vitals chat x"],
    ["/api/v1/pools/chat/backends//vitals", null],
    ["/__proto__", null],
    ["*", null],
  ];
  for (const [path, expected] of cases) {
    test(path, () => {
      const match = matchRoute(path);
      const found = match === null ? null : `${match.endpoint.name} ${match.pool} ${match.id}`;
      assert.equal(found, expected);
    });
  }
});
