// Whose word counts: X-Forwarded-... and Forwarded by trusted ranges, CVE classes 6 to 8 and 10.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { BackendRequest } from "../fixtures/backend.ts";
import { configOf, type Scene, setUp } from "../fixtures/scene.ts";

/** The test's own client stands for a proxy in front of Evener. */
const TRUSTED = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"];

async function start(t: TestContext, rest: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  return setUp(t, { rest: { trusted_proxies: TRUSTED, ...rest } });
}

let ids = 0;

/** One request with these field lines: what the backend got, and the client in the access log. */
async function send(
  scene: Scene,
  lines: readonly string[],
): Promise<{ request: BackendRequest; client: string }> {
  const id = `trust-${ids++}`;
  const client = await scene.connect();
  const fields = [`x-request-id: ${id}`, ...lines].map((line) => `${line}\r\n`).join("");
  client.send(`GET / HTTP/1.1\r\nhost: test:8080\r\n${fields}\r\n`);
  const response = await client.response();
  assert.equal(response.status, 200);
  client.destroy();
  const request = scene.backend.requests.find(({ headers }) => headers.get("x-request-id") === id)!;
  const line = await scene.evener.logged((it) => it.id === id);
  return { request, client: String(line["client"]) };
}

/** Values of all lines of that name. */
function valuesOf({ rawHead }: BackendRequest, name: string): string[] {
  return rawHead
    .split("\r\n")
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());
}

/** All at once: lines of the log come every 0.1 s. */
async function each<T>(list: readonly T[], check: (it: T) => Promise<void>): Promise<void> {
  await Promise.all(list.map(check));
}

interface Case {
  readonly lines: readonly string[];
  readonly client: string;
  readonly for: string;
}

const PEER = "127.0.0.1";
const ADDRESSES: readonly Case[] = [
  { lines: [], client: PEER, for: PEER },
  { lines: ["x-forwarded-for: 1.2.3.4"], client: "1.2.3.4", for: `1.2.3.4, ${PEER}` },
  { lines: ["X-Forwarded-For: \t1.2.3.4 "], client: "1.2.3.4", for: `1.2.3.4, ${PEER}` },
  { lines: ["x-forwarded-for: 6.6.6.6, 1.2.3.4"], client: "1.2.3.4", for: `6.6.6.6, 1.2.3.4, ${PEER}` },
  {
    lines: ["x-forwarded-for: 1.2.3.4, 10.1.1.1,10.2.2.2"],
    client: "1.2.3.4",
    for: `1.2.3.4, 10.1.1.1, 10.2.2.2, ${PEER}`,
  },
  {
    lines: ["x-forwarded-for: 1.2.3.4", "x-forwarded-for: 10.1.1.1"],
    client: "1.2.3.4",
    for: `1.2.3.4, 10.1.1.1, ${PEER}`,
  },
  { lines: ["x-forwarded-for: 10.3.3.3, 10.1.1.1"], client: "10.3.3.3", for: `10.3.3.3, 10.1.1.1, ${PEER}` },
  { lines: ["x-forwarded-for: 2001:DB8:0::1"], client: "2001:db8::1", for: `2001:db8::1, ${PEER}` },
  {
    lines: ["x-forwarded-for: [2001:db8::1]:443, fd00::7"],
    client: "2001:db8::1",
    for: `2001:db8::1, fd00::7, ${PEER}`,
  },
  { lines: ["x-forwarded-for: 1.2.3.4:5678"], client: "1.2.3.4", for: `1.2.3.4, ${PEER}` },
  {
    lines: ["x-forwarded-for: 1.2.3.4, ::ffff:10.1.1.1"],
    client: "1.2.3.4",
    for: `1.2.3.4, 10.1.1.1, ${PEER}`,
  },
  { lines: ["x-forwarded-for: ::ffff:102:304"], client: "1.2.3.4", for: `1.2.3.4, ${PEER}` },
];

/** What is malformed ends the walk: it and all to its left are gone. */
const MALFORMED: readonly string[] = [
  "",
  ",",
  "unknown",
  "1.2.3",
  "1.2.3.04",
  "1.2.3.4:0",
  "1.2.3.4:99999",
  "[1.2.3.4]",
  "[::1",
  "::1]",
  "[::1]x",
  "::1%lo",
  "evil",
  '"1.2.3.4"',
  "1.2.3.4;5.6.7.8",
  "1.2.3.4 5.6.7.8",
  "127.0.0.1/8",
  "x".repeat(5000),
];

describe("a trusted peer's X-Forwarded-For", () => {
  it("is walked from the right past trusted addresses, and the peer is appended", async (t) => {
    const scene = await start(t);
    await each(ADDRESSES, async ({ lines, client, for: value }) => {
      const it = await send(scene, lines);
      assert.equal(it.client, client, lines.join());
      assert.deepEqual(valuesOf(it.request, "x-forwarded-for"), [value], lines.join());
    });
  });

  it("counts as far as it is well formed", async (t) => {
    const scene = await start(t);
    await each(MALFORMED, async (bad) => {
      const alone = await send(scene, [`x-forwarded-for: ${bad}`]);
      assert.equal(alone.client, PEER, bad);
      assert.deepEqual(valuesOf(alone.request, "x-forwarded-for"), [PEER], bad);
      const behind = await send(scene, [`x-forwarded-for: 9.9.9.9, ${bad}, 1.2.3.4, 10.1.1.1`]);
      assert.equal(behind.client, "1.2.3.4", bad);
      assert.deepEqual(valuesOf(behind.request, "x-forwarded-for"), [`1.2.3.4, 10.1.1.1, ${PEER}`], bad);
      // Trusted ones alone are behind it: the furthest of them is all that is known.
      const between = await send(scene, [`x-forwarded-for: 9.9.9.9, ${bad}, 10.1.1.1`]);
      assert.equal(between.client, "10.1.1.1", bad);
    });
  });

  it("is looked at for so many hops and no more", async (t) => {
    const scene = await start(t);
    const hops = Array.from({ length: 3000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    const { request, client } = await send(scene, [`x-forwarded-for: 1.2.3.4, ${hops.join(", ")}`]);
    const kept = hops.slice(-32);
    assert.equal(client, kept[0]);
    assert.deepEqual(valuesOf(request, "x-forwarded-for"), [`${kept.join(", ")}, ${PEER}`]);
  });

  it("is of each request alone, and of none that can not be understood", async (t) => {
    const scene = await start(t);
    const client = await scene.connect();
    for (const address of ["1.1.1.1", "", "2.2.2.2"]) {
      const line = address === "" ? "" : `x-forwarded-for: ${address}\r\n`;
      client.send(`GET /${address} HTTP/1.1\r\nhost: test\r\n${line}\r\n`);
      await client.response();
    }
    client.send("GET / HTTP/1.1\r\nhost: test\r\nx-forwarded-for: 3.3.3.3\r\nbad line\r\n\r\n");
    assert.equal((await client.response()).status, 400);
    await scene.evener.logged(({ status }) => status === 400);
    const clients = scene.evener.log.map((line) => [line["client"], line["peer"] ?? ""]);
    assert.deepEqual(clients, [
      ["1.1.1.1", PEER],
      [PEER, ""],
      ["2.2.2.2", PEER],
      [PEER, ""],
    ]);
  });

  it("chooses the backend where the key is client_ip", async (t) => {
    for (const pool of [{ policy: { name: "hash", key: "client_ip" } }, { session: "client_ip" }]) {
      const scene = await setUp(t, { count: 4, pool, rest: { trusted_proxies: TRUSTED } });
      const client = await scene.connect();
      const seen = new Map<string, Set<string>>();
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 32; i++) {
          const address = `1.2.3.${i}`;
          client.send(`GET / HTTP/1.1\r\nhost: test\r\nx-forwarded-for: ${address}, 10.0.0.${round}\r\n\r\n`);
          const { headers } = await client.response();
          seen.set(address, (seen.get(address) ?? new Set()).add(headers.get("x-evener-backend")!));
        }
      }
      for (const backends of seen.values()) assert.equal(backends.size, 1);
      assert.ok(new Set([...seen.values()].flatMap((backends) => [...backends])).size > 1);
    }
  });
});

describe("a trusted peer's other fields", () => {
  it("-Proto, -Host and -Port are kept", async (t) => {
    const scene = await start(t);
    const { request } = await send(scene, [
      "x-forwarded-proto: HTTPS",
      "x-forwarded-host: Shop.Example:8443",
      "x-forwarded-port: 8443",
    ]);
    assert.deepEqual(valuesOf(request, "x-forwarded-proto"), ["https"]);
    assert.deepEqual(valuesOf(request, "x-forwarded-host"), ["shop.example:8443"]);
    assert.deepEqual(valuesOf(request, "x-forwarded-port"), ["8443"]);
    assert.deepEqual(valuesOf(request, "host"), ["test:8080"]);
  });

  it("are dropped where they are malformed or there twice, and ours are set", async (t) => {
    const scene = await start(t);
    const bad = [
      ["x-forwarded-proto: https,http", "x-forwarded-host: a, b", "x-forwarded-port: 0"],
      ["x-forwarded-proto: javascript", "x-forwarded-host: a/b", "x-forwarded-port: 65536"],
      ["x-forwarded-proto:", "x-forwarded-host:", "x-forwarded-port:"],
      ["x-forwarded-proto: https", "x-forwarded-proto: https", "x-forwarded-host: a", "X-Forwarded-Host: a"],
      ["x-forwarded-port: 1", "x-forwarded-port: 1", "x-forwarded-host: u@a"],
      ["x_forwarded_proto: https", "x-forwarded_host: evil", "X_FORWARDED_FOR: 6.6.6.6"],
    ];
    await each(bad, async (lines) => {
      const { request } = await send(scene, lines);
      assert.deepEqual(valuesOf(request, "x-forwarded-proto"), ["http"], lines.join());
      assert.deepEqual(valuesOf(request, "x-forwarded-host"), ["test:8080"], lines.join());
      assert.deepEqual(valuesOf(request, "x-forwarded-port"), [], lines.join());
      assert.doesNotMatch(request.rawHead, /_forwarded|6\.6\.6\.6|evil/i);
    });
  });

  it("class 8: any further ones are dropped", async (t) => {
    const scene = await start(t);
    const names = [
      "x-real-ip",
      "x-forwarded-prefix",
      "x-forwarded-server",
      "x-forwarded-user",
      "x-evener-backend",
    ];
    const { request } = await send(
      scene,
      names.map((name) => `${name}: evil`),
    );
    assert.doesNotMatch(request.rawHead, /evil/);
  });

  it("class 6: Connection takes none of them away", async (t) => {
    const scene = await start(t);
    const lines = [
      "x-forwarded-for: 1.2.3.4",
      "x-forwarded-proto: https",
      "x-forwarded-host: a",
      "forwarded: for=1.2.3.4",
    ];
    const names = "x-forwarded-for, x-forwarded-proto, x-forwarded-host, forwarded";
    const plain = await send(scene, lines);
    const listed = await send(scene, [`connection: ${names}`, ...lines]);
    assert.equal(listed.client, "1.2.3.4");
    for (const name of names.split(", ")) {
      assert.deepEqual(valuesOf(listed.request, name), valuesOf(plain.request, name), name);
    }
  });
});

describe("a trusted peer's Forwarded", () => {
  const OWN = `for=${PEER};proto=http;host="test:8080"`;
  const cases: readonly (Case & { kept: string })[] = [
    { lines: ["forwarded: for=1.2.3.4"], client: "1.2.3.4", for: `1.2.3.4, ${PEER}`, kept: "for=1.2.3.4, " },
    {
      lines: ['Forwarded: FOR="[2001:DB8::1]:443";proto=https;host=a;by=_x, for=10.1.1.1'],
      client: "2001:db8::1",
      for: `2001:db8::1, 10.1.1.1, ${PEER}`,
      kept: 'FOR="[2001:DB8::1]:443";proto=https;host=a;by=_x, for=10.1.1.1, ',
    },
    {
      lines: [
        "forwarded: for=6.6.6.6",
        'forwarded: for="1.2.3.4:80"; proto=http',
        'forwarded: for=10.1.1.1;secret="a,\\"b"',
      ],
      client: "1.2.3.4",
      for: `6.6.6.6, 1.2.3.4, 10.1.1.1, ${PEER}`,
      kept: 'for=6.6.6.6, for="1.2.3.4:80"; proto=http, for=10.1.1.1;secret="a,\\"b", ',
    },
    // A hop that hides its address is known to be there, and no more.
    {
      lines: ["forwarded: for=1.2.3.4, for=_hidden, for=10.1.1.1"],
      client: "10.1.1.1",
      for: `10.1.1.1, ${PEER}`,
      kept: "for=1.2.3.4, for=_hidden, for=10.1.1.1, ",
    },
    { lines: ["forwarded: for=unknown"], client: PEER, for: PEER, kept: "for=unknown, " },
    { lines: ["forwarded: by=10.0.0.1"], client: PEER, for: PEER, kept: "by=10.0.0.1, " },
  ];

  it("is kept and appended to where it was there", async (t) => {
    const scene = await start(t);
    await each(cases, async ({ lines, client, for: value, kept }) => {
      const it = await send(scene, lines);
      assert.equal(it.client, client, lines.join());
      assert.deepEqual(valuesOf(it.request, "forwarded"), [`${kept}${OWN}`], lines.join());
      assert.deepEqual(valuesOf(it.request, "x-forwarded-for"), [value], lines.join());
    });
    const without = await send(scene, ["x-forwarded-for: 1.2.3.4"]);
    assert.deepEqual(valuesOf(without.request, "forwarded"), []);
  });

  it("gives scheme and host where X-Forwarded-... does not", async (t) => {
    const scene = await start(t);
    const { request } = await send(scene, [
      'forwarded: for=6.6.6.6;proto=ws, for=1.2.3.4;proto=https;host="a:1", for=10.0.0.1;proto=http',
    ]);
    assert.deepEqual(valuesOf(request, "x-forwarded-proto"), ["https"]);
    assert.deepEqual(valuesOf(request, "x-forwarded-host"), ["a:1"]);
  });

  it("counts as far as it is well formed", async (t) => {
    const scene = await start(t);
    const bad = [
      "",
      "for",
      "for=",
      "for=;proto=http",
      "for=1.2.3.4;for=1.2.3.4",
      "for=1.2.3.256",
      "for=::1",
      'for="::1"',
      'for="[1.2.3.4]"',
      "for=evil",
      "for= 1.2.3.4",
      "for =1.2.3.4",
      "for=1.2.3.4 proto=http",
      "for=1.2.3.4;;proto=http",
      "for=1.2.3.4;proto=evil",
      "for=1.2.3.4;host=a/b",
      'for=1.2.3.4;host="a b"',
      'for="1.2.3.4',
      'for=1.2.3.4"',
      "f(o)r=1.2.3.4",
      'for="\\1.2.3.4"',
    ];
    await each(bad, async (text) => {
      const alone = await send(scene, [`forwarded: ${text}`]);
      assert.equal(alone.client, PEER, text);
      assert.deepEqual(valuesOf(alone.request, "forwarded"), [], text);
      const behind = await send(scene, [`forwarded: for=9.9.9.9, ${text}, for=1.2.3.4`]);
      assert.equal(behind.client, "1.2.3.4", text);
      assert.deepEqual(valuesOf(behind.request, "forwarded"), [`for=1.2.3.4, ${OWN}`], text);
    });
  });

  it("is dropped where its last address is not that of X-Forwarded-For: one of them is forged", async (t) => {
    const scene = await start(t);
    const { request, client } = await send(scene, ["forwarded: for=6.6.6.6", "x-forwarded-for: 1.2.3.4"]);
    assert.equal(client, "1.2.3.4");
    assert.deepEqual(valuesOf(request, "forwarded"), []);
    const agreed = await send(scene, ['forwarded: for="1.2.3.4:80"', "x-forwarded-for: 1.2.3.4"]);
    assert.equal(agreed.client, "1.2.3.4");
    assert.deepEqual(valuesOf(agreed.request, "forwarded"), [`for="1.2.3.4:80", ${OWN}`]);
    const other = await start(t, { forwarded_headers: "forwarded" });
    const reverse = await send(other, ["forwarded: for=1.2.3.4", "x-forwarded-for: 6.6.6.6"]);
    assert.equal(reverse.client, "1.2.3.4");
    assert.doesNotMatch(reverse.request.rawHead, /6\.6\.6\.6/);
  });
});

describe("forwarded_headers", () => {
  const OWN = `for=${PEER};proto=http;host="test:8080"`;
  const names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"];
  const ours: Readonly<Record<string, string>> = {
    "x-forwarded-for": PEER,
    "x-forwarded-proto": "http",
    "x-forwarded-host": "test:8080",
    forwarded: OWN,
  };
  const modes: Readonly<Record<string, readonly string[]>> = {
    x_forwarded: names.slice(0, 3),
    forwarded: ["forwarded"],
    both: names,
    off: [],
  };
  for (const [mode, set] of Object.entries(modes)) {
    it(`${mode}: an untrusted client's are dropped, ours are ${set.join(", ") || "none"}`, async (t) => {
      const scene = await setUp(t, { rest: { forwarded_headers: mode } });
      const { request, client } = await send(
        scene,
        names.map((name) => `${name}: for=6.6.6.6`),
      );
      assert.equal(client, PEER);
      for (const name of names) {
        assert.deepEqual(valuesOf(request, name), set.includes(name) ? [ours[name]!] : [], name);
      }
    });
  }

  it("both, forwarded: X-Forwarded-... of a trusted peer becomes Forwarded", async (t) => {
    for (const mode of ["both", "forwarded"]) {
      const scene = await start(t, { forwarded_headers: mode });
      const lines = [
        "x-forwarded-for: 2001:db8::1, 10.0.0.1",
        "x-forwarded-proto: https",
        "x-forwarded-host: a:1",
      ];
      const { request } = await send(scene, lines);
      const told = `for="[2001:db8::1]";proto=https;host="a:1", for=10.0.0.1, ${OWN}`;
      assert.deepEqual(valuesOf(request, "forwarded"), [told]);
      assert.equal(valuesOf(request, "x-forwarded-for").length, mode === "both" ? 1 : 0);
    }
  });

  it("off: the client is known all the same", async (t) => {
    const scene = await start(t, { forwarded_headers: "off" });
    const { request, client } = await send(scene, ["x-forwarded-for: 1.2.3.4", "forwarded: for=1.2.3.4"]);
    assert.equal(client, "1.2.3.4");
    assert.doesNotMatch(request.rawHead, /forwarded|1\.2\.3\.4/i);
  });
});

describe("who is trusted", () => {
  it("is decided by the address of the connection: others can not name themselves into the list", async (t) => {
    const scene = await setUp(t, { rest: { trusted_proxies: ["10.0.0.0/8", "::1", "::/0", "127.0.0.2"] } });
    await each(["10.0.0.1", "127.0.0.1", "::1", "127.0.0.2"], async (address) => {
      const { request, client } = await send(scene, [
        `x-forwarded-for: 6.6.6.6, ${address}`,
        "x-forwarded-proto: https",
      ]);
      assert.equal(client, PEER);
      assert.deepEqual(valuesOf(request, "x-forwarded-for"), [PEER]);
      assert.deepEqual(valuesOf(request, "x-forwarded-proto"), ["http"]);
    });
  });

  it("a reload holds for new connections", async (t) => {
    const scene = await setUp(t);
    const before = await send(scene, ["x-forwarded-for: 1.2.3.4"]);
    assert.equal(before.client, PEER);
    await scene.evener.reload(configOf(scene.backends, {}, { trusted_proxies: ["127.0.0.1"] }));
    assert.equal((await send(scene, ["x-forwarded-for: 1.2.3.4"])).client, "1.2.3.4");
  });
});
