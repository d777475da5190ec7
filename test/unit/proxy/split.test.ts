// How requests of one route are spread over pools.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Random } from "../../../src/core/kit/random.ts";
import type { PoolTraffic } from "../../../src/proxy/pool-traffic.ts";
import { SessionCookies } from "../../../src/proxy/session-cookie.ts";
import { Split } from "../../../src/proxy/split.ts";
import { headOf, trafficOf } from "../../fixtures/routes.ts";

function splitOf(weights: Readonly<Record<string, number>>, rest: Partial<PoolTraffic> = {}): Split {
  return new Split(
    Object.entries(weights).map(([name, weight]) => ({ traffic: trafficOf(name, rest), weight })),
  );
}

const KEY: Partial<PoolTraffic> = { sessionKey: { from: "header", name: "x-user" } };

function poolOfUser(split: Split, user: number): string {
  return split.choose(headOf("GET /", [["x-user", `user ${user}`]]), "", new Random(1)).name;
}

describe("a split", () => {
  it("draws by weight, the same from the same seed", () => {
    const split = splitOf({ a: 90, b: 10, c: 0 });
    const draw = (): string[] => {
      const random = new Random(7);
      return Array.from({ length: 10_000 }, () => split.choose(headOf("GET /"), "", random).name);
    };
    const draws = draw();
    assert.deepEqual(draw(), draws);
    const ofB = draws.filter((name) => name === "b").length;
    // Five standard deviations of the binomial: 30 each.
    assert.ok(Math.abs(ofB - 1_000) < 150, `${ofB} of 10,000`);
    assert.ok(!draws.includes("c"));
  });

  it("keeps a session key in its pool, and moves only what new weights ask for", () => {
    const before = splitOf({ a: 90, b: 10 }, KEY);
    const after = splitOf({ a: 80, b: 20 }, KEY);
    const users = Array.from({ length: 5_000 }, (_, i) => i);
    const ofB = users.filter((user) => poolOfUser(before, user) === "b").length;
    assert.ok(Math.abs(ofB - 500) < 110, `${ofB} of 5,000`);
    const moved = users.filter((user) => poolOfUser(before, user) !== poolOfUser(after, user));
    assert.ok(Math.abs(moved.length - 500) < 110, `${moved.length} of 5,000 moved`);
    assert.ok(moved.every((user) => poolOfUser(after, user) === "b"));
  });

  it("draws where the request lacks the key", () => {
    const split = splitOf({ a: 1, b: 1 }, KEY);
    const random = new Random(3);
    const names = new Set(Array.from({ length: 50 }, () => split.choose(headOf("GET /"), "", random).name));
    assert.deepEqual(names, new Set(["a", "b"]));
  });

  it("follows a good session cookie to the pool that it is of", () => {
    const cookiesOf = (pool: string): SessionCookies => {
      return new SessionCookies("evener_session", pool, 60_000, ["a secret of enough length"]);
    };
    const parts = ["a", "b"].map((name) => ({
      traffic: trafficOf(name, { cookies: cookiesOf(name) }),
      weight: name === "a" ? 1_000_000 : 0.001,
    }));
    const line = cookiesOf("b").setCookieLine("backend", Date.now(), false);
    const cookie = /^set-cookie: ([^;]+);/.exec(line)![1]!;
    const choose = (split: Split, value: string): string => {
      return split.choose(headOf("GET /", [["cookie", value]]), "", new Random(1)).name;
    };
    assert.equal(choose(new Split(parts), cookie), "b");
    assert.equal(choose(new Split(parts), `${cookie}x`), "a", "a forged one counts for nothing");
    const withdrawn = parts.map((part) => ({ ...part, weight: part.traffic.name === "b" ? 0 : 1 }));
    assert.equal(choose(new Split(withdrawn), cookie), "a", "weight 0 takes nobody, whatever the session");
  });
});
