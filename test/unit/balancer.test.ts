import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Balancer } from "../../src/balancer.ts";
import { DEFAULT_POOL_OPTIONS } from "../../src/core/pool-options.ts";
import { EvenerError } from "../../src/errors.ts";

/** As a program in plain JavaScript may call it. */
function make(options: Record<string, unknown>): Balancer {
  return new Balancer({ endpoints: ["a:1", "b:1"], ...options });
}

describe("a balancer in a program", () => {
  it("refuses options that do not exist, and names those that do", () => {
    const refused: [Record<string, unknown>, RegExp][] = [
      [{ behaviour: { nope: 1 } }, /there is no "nope" in behaviour; there are: outlier, slowdown, /],
      [{ polcy: "hash" }, /there is no "polcy"; there are: endpoints, policy, /],
      [{ policy: "hsh" }, /hsh/],
      [{ policyOptions: { nope: 1 } }, /nope/],
      [{ endpoints: [{ address: "a:1", wieght: 2 }] }, /there is no "wieght" in endpoints; .*weight/],
      [{ endpoints: ["a:1", "a:1"] }, /the same id/],
      [{ behaviour: { queue: { max: 5 } } }, /there is no "max" in behaviour.queue; there are: requestsMax/],
      [{ behaviour: { outlier: { consecutive: 2 } } }, /behaviour.outlier has no failures; .* whole/],
      [{ behaviour: { slowdown: "off" } }, /behaviour.slowdown is no object/],
    ];
    for (const [options, message] of refused)
      assert.throws(() => make(options), { name: "RangeError", message });
  });

  it("takes those that do", () => {
    const { queue, ...rest } = { ...DEFAULT_POOL_OPTIONS, queue: { requestsMax: 5, waitMs: 1 } };
    const behaviour = { ...rest, queue, outlier: null };
    const lb = make({ behaviour, policy: "round_robin", seed: 1 });
    assert.deepEqual(lb.pool.options, behaviour);
    assert.deepEqual([lb.next(), lb.next(), lb.next()], ["a:1", "b:1", "a:1"]);
  });

  it("says why there is no lease", () => {
    const lb = make({ endpoints: [], behaviour: { slowStartMs: 0 } });
    const refuses = (message: string): void =>
      assert.throws(
        () => lb.pick(),
        (error) =>
          error instanceof EvenerError && error.code === "EVENER_NO_ENDPOINT" && error.message === message,
      );
    refuses("there are no endpoints; name some in the constructor, or by update()");
    lb.update([{ address: "a:1", limit: 1 }]);
    const lease = lb.pick();
    refuses("every endpoint is at its limit; try again when a lease has settled");
    lease.settle("ok");
    lb.pool.wish("a:1", "drain");
    refuses('every endpoint is drained; take one back by pool.wish(id, "ready")');
    lb.pool.wish("a:1", "ready");
    lb.pool.agentSaid("a:1", "down", 1);
    refuses("no endpoint is healthy; try again later");
    lb.pool.agentSaid("a:1", "ready", 1);
    assert.equal(lb.next(), "a:1");
  });
});
