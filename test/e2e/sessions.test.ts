// Session persistence: by our signed cookie and by any key, with the overflow rules.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Backend } from "../fixtures/backend.ts";
import { type Answer, request } from "../fixtures/client.ts";
import { setUp } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

const BY_COOKIE = { session: "cookie" };

function cookieOf(answer: Answer): string {
  const line = answer.headers["set-cookie"]?.[0] ?? assert.fail("no set-cookie");
  return line.split(";")[0]!;
}

function named(backends: readonly Backend[], id: unknown): Backend {
  return backends.find((backend) => backend.id === id) ?? assert.fail(`no backend ${String(id)}`);
}

describe("a session by cookie", () => {
  it("stays where it began, and its cookie names no address and does not reach the backend", async (t) => {
    const { evener, backends } = await setUp(t, { count: 3, pool: BY_COOKIE });
    const first = await request(evener.port, "/");
    const cookie = cookieOf(first);
    assert.match(first.headers["set-cookie"]![0]!, /HttpOnly; SameSite=Lax/);
    assert.ok(cookie.length <= 120 + "evener_session=".length);
    assert.doesNotMatch(cookie, /127\.0|localhost/);
    for (const { port } of backends) assert.doesNotMatch(cookie, new RegExp(`\\D${port}\\D`));
    for (let i = 0; i < 10; i++) {
      const headers = { cookie: `theme=dark; ${cookie}; lang=en` };
      const answer = await request(evener.port, "/", { headers });
      assert.equal(answer.headers["x-evener-backend"], first.headers["x-evener-backend"]);
      assert.equal(answer.headers["x-evener-reason"], "session");
      assert.equal(answer.headers["set-cookie"], undefined);
    }
    const home = named(backends, first.headers["x-evener-backend"]);
    assert.equal(home.requests.at(-1)!.headers.get("cookie"), "theme=dark; lang=en");
  });

  it("is not believed when the cookie was changed", async (t) => {
    const { evener } = await setUp(t, { count: 3, pool: BY_COOKIE });
    const cookie = cookieOf(await request(evener.port, "/"));
    for (const at of [16, 20, 30, 45, cookie.length - 1]) {
      const other = cookie[at] === "A" ? "B" : "A";
      const changed = cookie.slice(0, at) + other + cookie.slice(at + 1);
      const answer = await request(evener.port, "/", { headers: { cookie: changed } });
      assert.notEqual(answer.headers["set-cookie"], undefined, changed);
    }
  });

  it("moves, with a new cookie, when its backend is taken out", async (t) => {
    const { evener } = await setUp(t, { count: 2, pool: BY_COOKIE });
    const first = await request(evener.port, "/");
    const home = String(first.headers["x-evener-backend"]);
    evener.server.fleet.list()[0]!.pool.wish(home, "drain");
    const moved = await request(evener.port, "/", { headers: { cookie: cookieOf(first) } });
    assert.notEqual(moved.headers["x-evener-backend"], home);
    const after = await request(evener.port, "/", { headers: { cookie: cookieOf(moved) } });
    assert.equal(after.headers["x-evener-backend"], moved.headers["x-evener-backend"]);
    assert.equal(after.headers["set-cookie"], undefined);
  });

  it("moves, with a new cookie, when its backend dies", async (t) => {
    const { evener, backends } = await setUp(t, { count: 2, pool: BY_COOKIE });
    const first = await request(evener.port, "/");
    await named(backends, first.headers["x-evener-backend"]).kill();
    const moved = await request(evener.port, "/", { headers: { cookie: cookieOf(first) } });
    assert.equal(moved.status, 200);
    assert.notEqual(moved.headers["x-evener-backend"], first.headers["x-evener-backend"]);
    assert.notEqual(moved.headers["set-cookie"], undefined);
  });

  it("goes elsewhere for once when its backend is full, and stays at home", async (t) => {
    const { evener, backends } = await setUp(t, { count: 2, handler: () => {}, pool: BY_COOKIE });
    const pool = evener.server.fleet.list()[0]!.pool;
    for (const endpoint of pool.members.list) endpoint.limitOverride = 1;
    pool.changed();
    const first = request(evener.port, "/1");
    await until(() => backends.some(({ requests }) => requests.length === 1), "the first request");
    const home = backends.find(({ requests }) => requests.length === 1)!;
    home.requests[0]!.respond(200, "ok");
    const cookie = cookieOf(await first);
    const atHome = request(evener.port, "/2", { headers: { cookie } });
    await home.request(1);
    const spilled = request(evener.port, "/3", { headers: { cookie } });
    const other = backends.find((backend) => backend !== home)!;
    (await other.request(0)).respond(200, "other");
    assert.equal((await spilled).headers["set-cookie"], undefined);
    home.requests[1]!.respond(200, "home");
    assert.equal((await atHome).status, 200);
  });
});

describe("a session by key", () => {
  it("keeps one header value on one backend, and moves only those of a backend that leaves", async (t) => {
    const { evener } = await setUp(t, { count: 4, pool: { session: "header:x-user" } });
    const homes = async (): Promise<Map<string, string>> => {
      const found = new Map<string, string>();
      for (let user = 0; user < 40; user++) {
        const answer = await request(evener.port, "/", { headers: { "x-user": `user-${user}` } });
        found.set(`user-${user}`, String(answer.headers["x-evener-backend"]));
      }
      return found;
    };
    const before = await homes();
    assert.deepEqual(await homes(), before);
    assert.ok(new Set(before.values()).size >= 3, "the users are spread");
    const gone = before.get("user-0")!;
    evener.server.fleet.list()[0]!.pool.wish(gone, "drain");
    const after = await homes();
    for (const [user, home] of before) if (home !== gone) assert.equal(after.get(user), home, user);
    assert.notEqual(after.get("user-0"), gone);
  });

  it("hash goes by a field of the body, also when that comes late and in pieces", async (t) => {
    const pool = { policy: { name: "hash", key: "body:user" } };
    const { connect } = await setUp(t, { count: 4, pool });
    const ask = async (user: string): Promise<string | undefined> => {
      const client = await connect();
      const body = JSON.stringify({ padding: "x".repeat(3_000), user });
      client.send(
        `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 1_000)}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
      client.send(body.slice(1_000));
      return (await client.response()).headers.get("x-evener-backend");
    };
    const homes = new Set<string | undefined>();
    for (const user of ["anna", "bert", "cleo", "dora", "emil", "fred"]) {
      const home = await ask(user);
      assert.equal(await ask(user), home);
      homes.add(home);
    }
    assert.ok(homes.size > 1, "not all users on one backend");
  });
});
