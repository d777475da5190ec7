// What was in flight on a backend when it died, and what a backend asks for by Retry-After.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

/** Nothing of it is a retry by budget. */
const NO_BUDGET = { budget: "0%", budget_min_per_second: 0, attempts: 5, backoff: "1ms", backoff_max: "2ms" };

describe("a backend dies", () => {
  it("and all that it had is sent again elsewhere, outside the budget", async (t) => {
    const { evener, backends, request } = await setUp(t, { count: 2, pool: { retry: NO_BUDGET } });
    const [dying, other] = backends;
    const held: BackendRequest[] = [];
    for (const backend of backends) backend.handler = (asked): void => void held.push(asked);
    const answers = Array.from({ length: 12 }, (_, i) => request(`/${i}`));
    await until(() => held.length === 12, "12 requests in flight");
    other!.handler = (asked): void => asked.respond(200, "saved");
    for (const asked of held) if (asked.backend === other) asked.respond(200, "first");
    await dying!.kill();
    const bodies = (await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`);
    assert.deepEqual(bodies.toSorted(), [
      ...Array.from({ length: 6 }, () => "200 first"),
      ...Array.from({ length: 6 }, () => "200 saved"),
    ]);
    await evener.idle();
  });

  it("and again when it has come back and dies once more, some seconds later", async (t) => {
    const pool = { retry: NO_BUDGET, policy: "round_robin" };
    const { backends, request } = await setUp(t, { count: 2, pool });
    const [dying, other] = backends;
    other!.handler = (asked): void => asked.respond(200, "saved");
    for (let round = 0; round < 3; round++) {
      const held: BackendRequest[] = [];
      dying!.handler = (asked): void => void held.push(asked);
      const answers = Array.from({ length: 4 }, (_, i) => request(`/${round}/${i}`));
      await until(() => held.length === 2, "two requests in flight on it");
      await dying!.kill();
      for (const { status, body } of await Promise.all(answers))
        assert.equal(`${status} ${body}`, "200 saved");
      // Whoever asks now finds nobody listening there; nothing is judged here, and there is no budget.
      for (let i = 0; i < 2; i++) await request("/meanwhile");
      await dying!.revive();
    }
  });

  it("and again, when that one dies in the same minute as others that never had it", async (t) => {
    const pool = { retry: NO_BUDGET, policy: "round_robin" };
    const { backends, request } = await setUp(t, { count: 5, pool });
    const held: BackendRequest[] = [];
    for (const backend of backends) backend.handler = (asked): void => void held.push(asked);
    const victim = request("/victim");
    const other = request("/other");
    await until(() => held.length === 2, "two requests in flight");
    const [one, two] = held;
    await two!.backend.kill();
    await until(() => held.length === 3, "the other one elsewhere");
    one!.reset();
    await until(() => held.length === 4, "the first one elsewhere");
    const again = held[3]!;
    assert.equal(again.target, "/victim");
    for (const backend of backends) backend.handler = (asked): void => asked.respond(200, "saved");
    again.reset();
    assert.deepEqual([(await victim).status, (await victim).body], [200, "saved"]);
    held[2]!.respond(200, "saved, too");
    assert.equal((await other).body, "saved, too");
  });

  it("but a request that kills one after the other is redelivered once", async (t) => {
    const { backends, request } = await setUp(t, { count: 4, pool: { retry: NO_BUDGET } });
    for (const backend of backends) backend.handler = (asked): void => asked.reset();
    const answer = await request("/poison");
    const deliveries = backends.reduce((sum, { requests }) => sum + requests.length, 0);
    assert.deepEqual([answer.status, deliveries], [502, 2]);
    assert.match(answer.body, /EVENER_BACKEND_RESET/);
  });
});

describe("a backend that asks for a pause", () => {
  const forms: Readonly<Record<string, () => string>> = {
    seconds: () => "60",
    "a date": () => new Date(Date.now() + 60_000).toUTCString(),
  };
  for (const [form, value] of Object.entries(forms)) {
    // Its answer goes to the client, or the request goes on to another.
    for (const retry of ["off", { backoff: "1ms" }]) {
      const how = retry === "off" ? "without retries" : "with retries";
      it(`by ${form} has it, ${how}: the others are sent everything meanwhile`, async (t) => {
        const { backends, request } = await setUp(t, { count: 2, pool: { retry } });
        const [tired, other] = backends;
        tired!.handler = (asked): void => asked.respond(503, "busy", { "retry-after": value() });
        while (tired!.requests.length === 0) await request("/until-it-has-said-so");
        const before = other!.requests.length;
        for (let i = 0; i < 20; i++) assert.equal((await request(`/${i}`)).status, 200);
        assert.deepEqual([tired!.requests.length, other!.requests.length - before], [1, 20]);
      });
    }
  }

  it("does not have one where it names none", async (t) => {
    const { backends, request } = await setUp(t, { count: 2, pool: { retry: "off" } });
    backends[0]!.handler = (asked): void => asked.respond(503, "busy");
    for (let i = 0; i < 20; i++) await request(`/${i}`);
    assert.equal(backends[0]!.requests.length, 10);
  });
});

describe("interim answers", () => {
  const INTERIM = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

  it("pass, sixteen of them; one more is a flood and a fault of the backend", async (t) => {
    const { backend, connect } = await setUp(t, { pool: { retry: "off" } });
    for (const [count, status] of [
      [16, 200],
      [17, 502],
    ] as const) {
      backend.handler = (asked): void => {
        asked.write(INTERIM.repeat(count));
        asked.respond(200, "at last");
      };
      const client = await connect();
      client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
      let answer = await client.response();
      for (let i = 0; i < 16; i++) {
        assert.equal(answer.status, 103);
        answer = await client.response();
      }
      assert.equal(answer.status, status);
    }
  });
});
