// Copies of requests: what they are, and that nobody else notices them.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Backend, BackendHandler } from "../fixtures/backend.ts";
import { type RawClient, rawRequest } from "../fixtures/client.ts";
import { poolOf, type Scene, setUp, settled, yamlOf } from "../fixtures/scene.ts";
import { until } from "../fixtures/until.ts";

interface Mirrored extends Scene {
  readonly original: Backend;
  readonly copy: Backend;
  readonly client: RawClient;
  readonly figures: () => { mirrored: number; mirrorsDropped: number; mirroring: number };
}

interface MirrorOptions {
  readonly handler?: BackendHandler;
  readonly mirror?: Readonly<Record<string, unknown>>;
  readonly route?: Readonly<Record<string, unknown>>;
  readonly main?: Readonly<Record<string, unknown>>;
  readonly shadow?: Readonly<Record<string, unknown>>;
  readonly threads?: number;
}

async function withMirror(t: TestContext, options: MirrorOptions = {}): Promise<Mirrored> {
  const { handler, mirror = {}, route = {}, main = {}, shadow = {}, threads = 0 } = options;
  const scene = await setUp(t, {
    count: 2,
    ...(handler && { handler }),
    yaml: ([a, b]) =>
      yamlOf({
        threads,
        pools: { main: poolOf([a!], main), shadow: poolOf([b!], shadow) },
        routes: [{ pool: "main", mirror: { pool: "shadow", ...mirror }, ...route }],
      }),
  });
  const [original, copy] = scene.backends as [Backend, Backend];
  return {
    ...scene,
    original,
    copy,
    client: await scene.connect(),
    figures: () => scene.evener.server.stats("shadow"),
  };
}

async function ask(client: RawClient, text: string): Promise<string> {
  client.send(text);
  return (await client.response()).body;
}

describe("a mirror", () => {
  it("gets the same request, marked, and its answer goes nowhere", async (t) => {
    const { client, original, copy, evener, figures } = await withMirror(t, {
      route: {
        match: { path: "/api" },
        rewrite: { strip_prefix: "/api" },
        request_headers: { set: { "x-a": "1" } },
      },
    });
    const fields = { "x-evener-mirror": "forged", "x-test-id": "one" };
    assert.equal(await ask(client, rawRequest("POST /api/x?y=1", fields, "the body")), "hello from a");
    const sent = await original.request(0);
    const copied = await copy.request(0);
    assert.equal((await copied.body()).toString(), "the body");
    assert.equal(copied.target, "/x?y=1");
    assert.equal(copied.headers.get("x-evener-mirror"), "1");
    assert.equal(sent.headers.get("x-evener-mirror"), undefined);
    assert.equal(copied.rawHead.replace("\r\nx-evener-mirror: 1", ""), sent.rawHead);
    await evener.idle();
    await until(() => figures().mirroring === 0, "the copy's end");
    assert.equal(figures().mirrored, 1);
    const shadow = evener.server.fleet.list()[1]!.pool;
    assert.equal(shadow.ledger.successes[shadow.members.list[0]!.slot], 1);
    assert.equal(evener.log.filter(({ pool }) => pool === "shadow").length, 0);
  });

  it("gets chunked bodies with their trailers, and requests in pieces", async (t) => {
    const { client, copy, original } = await withMirror(t, {
      handler: async (request) => {
        await request.body();
        request.respond(200, "done");
      },
    });
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await original.request(0);
    assert.equal(copy.requests.length, 0, "only whole requests are copied");
    client.send("3\r\ndef\r\n0\r\nx-end: 1\r\n\r\n");
    await client.response();
    const copied = await copy.request(0);
    assert.equal((await copied.body()).toString(), "abcdef");
    assert.match(copied.trailers, /x-end: 1/);
  });

  it("gets nothing where the answer was complete before the request; that is counted", async (t) => {
    const { client, copy, figures } = await withMirror(t);
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc");
    await client.response();
    await until(() => figures().mirrorsDropped === 1, "the drop");
    assert.equal(copy.requests.length, 0);
  });

  it("that hangs, fails or resets is not noticed by the client", async (t) => {
    for (const fault of ["hang", "500", "reset", "garbage", "dead"]) {
      const { client, copy, evener, figures } = await withMirror(t, {
        shadow: { timeouts: { first_byte: "100ms" } },
      });
      copy.handler = (request): void => {
        if (fault === "500") request.respond(500);
        if (fault === "reset") request.reset();
        if (fault === "garbage") request.write("what?\r\n\r\n");
      };
      if (fault === "dead") await copy.stop();
      assert.equal(await ask(client, rawRequest("GET /")), "hello from a", fault);
      await until(
        () => figures().mirrored === 1 && figures().mirroring === 0,
        `the end of the copy (${fault})`,
      );
      await evener.idle();
      const shadow = evener.server.fleet.list()[1]!.pool;
      assert.equal(shadow.ledger.failures[shadow.members.list[0]!.slot], 1, fault);
      const line = await evener.logged(() => true);
      assert.deepEqual([line.status, line.reason, line.attempts], [200, "ok", 1], fault);
    }
  });

  it("does not slow the client down, however slow it is", async (t) => {
    const { client, copy, figures } = await withMirror(t, {
      handler: (request) => {
        if (request.backend.name === "a") request.respond(200, "fast");
      },
    });
    for (let i = 0; i < 20; i++) assert.equal(await ask(client, rawRequest("GET /")), "fast");
    await copy.request(19);
    assert.equal(figures().mirroring, 20, "all copies still wait for their answers");
  });

  it("has at most `max` copies under way; the others are counted", async (t) => {
    const { client, copy, figures } = await withMirror(t, {
      mirror: { max: 2 },
      handler: (request) => {
        if (request.backend.name === "a") request.respond(200, "fast");
      },
    });
    for (let i = 0; i < 5; i++) await ask(client, rawRequest("GET /"));
    assert.deepEqual([figures().mirroring, figures().mirrorsDropped], [2, 3]);
    await copy.request(1);
    for (const request of copy.requests) request.respond(200);
    await until(() => figures().mirroring === 0, "room");
    await ask(client, rawRequest("GET /"));
    await copy.request(2);
    assert.equal(await settled(() => copy.requests.length), 3);
  });

  it("gets no body beyond the retry limit", async (t) => {
    const { client, copy, original, figures } = await withMirror(t, {
      main: { retry: { body_max: 1024 } },
      handler: async (request) => {
        await request.body();
        request.respond(200, "done");
      },
    });
    client.send(rawRequest("POST /", {}, "x".repeat(10)));
    await client.response();
    await copy.request(0);
    const large = Buffer.alloc(300_000, "y").toString();
    await ask(client, rawRequest("POST /", {}, large));
    assert.equal((await original.requests[1]!.body()).length, 300_000);
    await until(() => figures().mirrorsDropped === 1, "the drop");
    assert.equal(copy.requests.length, 1);
  });

  it("gets its share, and with `retry: off` bodies too", async (t) => {
    const { client, copy, figures } = await withMirror(t, {
      mirror: { share: "25%" },
      main: { retry: "off" },
    });
    for (let i = 0; i < 200; i++) await ask(client, rawRequest("POST /", {}, "body"));
    await until(() => figures().mirroring === 0, "the copies' end");
    // Mean 50, five standard deviations are 31.
    assert.ok(figures().mirrored > 18 && figures().mirrored < 82, `${figures().mirrored} of 200`);
    assert.equal((await copy.requests[0]!.body()).toString(), "body");
  });

  it("respects the limit of its backends, and leaves places to clients", async (t) => {
    const held: { respond: (status: number) => void }[] = [];
    const { client, figures, evener } = await withMirror(t, {
      handler: (request) => {
        if (request.backend.name === "a") request.respond(200, "fast");
        else held.push(request);
      },
    });
    const shadow = evener.server.fleet.list()[1]!.pool;
    shadow.members.list[0]!.limitOverride = 1;
    shadow.changed();
    await ask(client, rawRequest("GET /"));
    await until(() => held.length === 1, "the first copy");
    await ask(client, rawRequest("GET /"));
    await until(() => figures().mirrorsDropped === 1, "the second to be dropped");
    held[0]!.respond(200);
    await evener.idle();
  });

  it("works in data threads, and their figures are told", async (t) => {
    const { client, copy, figures, evener } = await withMirror(t, {
      threads: 2,
      route: { match: { path: { regex: "/[a-z]+" } } },
    });
    assert.equal(await ask(client, rawRequest("POST /x", {}, "body")), "hello from a");
    assert.equal((await (await copy.request(0)).body()).toString(), "body");
    await until(() => figures().mirrored === 1, "the figure");
    await evener.idle();
  });

  it("ends with the balancer: a stop does not wait for it", async (t) => {
    const { client, copy, evener } = await withMirror(t, {
      handler: (request) => {
        if (request.backend.name === "a") request.respond(200, "fast");
      },
    });
    await ask(client, rawRequest("GET /"));
    const copied = await copy.request(0);
    client.destroy();
    assert.equal(await evener.stop(5_000), true);
    await copied.closed;
  });

  it("a stale connection of the copy is replaced, and nobody is blamed", async (t) => {
    const { client, copy, evener, figures } = await withMirror(t);
    await ask(client, rawRequest("GET /"));
    await until(() => figures().mirrored === 1 && figures().mirroring === 0, "the first copy");
    let count = 0;
    copy.handler = (request): void => {
      if (count++ === 0) request.reset();
      else request.respond(200);
    };
    await ask(client, rawRequest("GET /"));
    await until(() => figures().mirrored === 2 && figures().mirroring === 0, "the second copy");
    assert.equal(count, 2);
    const shadow = evener.server.fleet.list()[1]!.pool;
    assert.equal(shadow.ledger.failures[shadow.members.list[0]!.slot], 0);
  });
});
