// Hard limits with a queue, and retries: what is repeated, where, and how often.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { request } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

/** One backend that takes one request at a time. */
async function single(
  t: Parameters<typeof setUp>[0],
  queue: unknown,
  rest: Readonly<Record<string, unknown>> = {},
): Promise<Awaited<ReturnType<typeof setUp>>> {
  const scene = await setUp(t, { handler: () => {}, pool: { queue, ...rest } });
  const { pool } = scene.evener.server.fleet.list()[0]!;
  pool.members.list[0]!.limitOverride = 1;
  pool.changed();
  return scene;
}

describe("a limit of one request", () => {
  it("is never exceeded; who waits is served in order", async (t) => {
    const { evener, backend } = await single(t, { max: 100, wait: "20s" });
    const answers = [];
    for (let i = 0; i < 20; i++) {
      answers.push(request(evener.port, `/${i}`));
      await until(() => evener.inFlight() + evener.queued() === i + 1, `request ${i} is known`);
    }
    for (let i = 0; i < 20; i++) {
      const current = await backend.request(i);
      assert.equal(evener.inFlight(), 1);
      assert.equal(backend.requests.length, i + 1);
      assert.equal(current.target, `/${i}`);
      current.respond(200, "ok");
    }
    const all = await Promise.all(answers);
    assert.equal(
      all.every(({ status }) => status === 200),
      true,
    );
    assert.ok(Number(all[19]!.headers["x-evener-queue-ms"]) >= 0);
    await evener.idle();
  });

  it("refuses with 503 and Retry-After: queue full, waited long enough, or no queue at all", async (t) => {
    const full = await single(t, { max: 1, wait: "300ms" });
    const first = request(full.evener.port, "/v1/chat/completions", { method: "POST", body: "{}" });
    await full.backend.request(0);
    const waiting = request(full.evener.port, "/v1/models");
    await until(() => full.evener.queued() === 1, "one that waits");
    const refused = await request(full.evener.port, "/plain");
    assert.equal(refused.status, 503);
    assert.match(refused.body, /EVENER_QUEUE_FULL/);
    assert.equal(refused.headers["content-type"], "application/problem+json");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    assert.match(String(refused.headers["proxy-status"]), /^evener; error=/);
    const late = await waiting;
    assert.equal(late.status, 503);
    const { error } = JSON.parse(late.body) as { error: Record<string, unknown> };
    assert.equal(error.code, "EVENER_QUEUE_TIMEOUT");
    full.backend.requests[0]!.respond(200, "ok");
    assert.equal((await first).status, 200);
    const none = await single(t, "off");
    const busy = request(none.evener.port, "/");
    await none.backend.request(0);
    assert.match((await request(none.evener.port, "/")).body, /EVENER_SATURATED/);
    none.backend.requests[0]!.respond(200);
    await busy;
  });
});

describe("retries", () => {
  it("go to another backend when one says 503, and never to the same one", async (t) => {
    const handler = (it: BackendRequest): void =>
      it.respond(it.backend.name === "a" ? 503 : 200, it.backend.name);
    const { evener, backends } = await setUp(t, { count: 2, handler });
    for (let i = 0; i < 6; i++) {
      const answer = await request(evener.port, `/${i}`);
      assert.equal(answer.status, 200);
      assert.equal(answer.body, "b");
    }
    for (let i = 0; i < 6; i++) {
      assert.ok(backends[0]!.requests.filter(({ target }) => target === `/${i}`).length <= 1);
    }
    const line = await evener.logged(({ attempts }) => attempts === 2);
    assert.equal(line.failed, `${backends[0]!.id}:503`);
  });

  it("pass the backend's own 503 on when nobody else is left", async (t) => {
    const handler = (it: BackendRequest): void => it.respond(503, "loading", { "retry-after": "7" });
    const { evener } = await setUp(t, { handler });
    const answer = await request(evener.port, "/");
    assert.equal(answer.status, 503);
    assert.equal(answer.body, "loading");
    assert.equal(answer.headers["retry-after"], "7");
  });

  it("do not repeat a POST that a backend has seen, nor a generation where the route says never", async (t) => {
    const handler = (it: BackendRequest): void => it.respond(502, "broken");
    const routes = [{ match: { path: "/" }, pool: "default", replay: "never" }];
    const plain = await setUp(t, { count: 2, handler });
    assert.equal((await request(plain.evener.port, "/orders", { method: "POST", body: "x" })).status, 502);
    assert.equal(plain.backends.flatMap(({ requests }) => requests).length, 1);
    const never = await setUp(t, { count: 2, handler, rest: { routes } });
    await request(never.evener.port, "/v1/chat/completions", { method: "POST", body: "{}" });
    assert.equal(never.backends.flatMap(({ requests }) => requests).length, 1);
  });

  it("stay within their budget when everything fails", async (t) => {
    const handler = (it: BackendRequest): void => it.respond(503);
    const retry = {
      budget: "20%",
      budget_min_per_second: 1,
      attempts: 3,
      backoff: "1ms",
      backoff_max: "2ms",
    };
    const { evener, backends } = await setUp(t, { count: 3, handler, pool: { retry } });
    for (let i = 0; i < 200; i++) await request(evener.port, "/");
    const deliveries = backends.reduce((sum, { requests }) => sum + requests.length, 0);
    assert.ok(deliveries > 200, "some were retried");
    assert.ok(deliveries <= 200 + 0.2 * 200, `${deliveries} deliveries of 200 requests`);
  });

  it("every status that is listed is repeated, also those that say nothing against the backend", async (t) => {
    for (const status of [404, 429, 500, 501, 505]) {
      const handler = (it: BackendRequest): void => it.respond(it.backend.name === "b" ? 200 : status);
      const retry = { on: [status] };
      const { evener, backends } = await setUp(t, { count: 2, handler, pool: { retry } });
      const answers = await Promise.all([request(evener.port, "/1"), request(evener.port, "/2")]);
      assert.deepEqual(
        answers.map((answer) => answer.status),
        [200, 200],
        `${status} was not repeated`,
      );
      assert.ok(backends[0]!.requests.length > 0);
      await evener.idle();
    }
  });

  it("a backend that does not begin to answer gives 504, repeated only where that is listed", async (t) => {
    const handler = (it: BackendRequest): void => {
      if (it.backend.name === "b") it.respond(200, "b");
    };
    const timeouts = { first_byte: "200ms" };
    const { evener, backends } = await setUp(t, { count: 2, handler, pool: { timeouts } });
    const answers = await Promise.all([request(evener.port, "/1"), request(evener.port, "/2")]);
    assert.deepEqual(
      answers.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 504],
    );
    assert.equal(
      backends[0]!.requests[0]!.isClosed || (await backends[0]!.requests[0]!.closed) === undefined,
      true,
    );
    const retry = { on: ["first_byte_timeout"] };
    const listed = await setUp(t, { count: 2, handler, pool: { timeouts, retry } });
    const both = await Promise.all([request(listed.evener.port, "/1"), request(listed.evener.port, "/2")]);
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200],
    );
  });
});
