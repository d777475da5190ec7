// TLS to clients: which certificate, which versions, whose clients, and what happens to those that misbehave.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import tls from "node:tls";
import { makeAuthority, makeCertificate } from "../fixtures/certificates.ts";
import { RawClient, rawRequest } from "../fixtures/client.ts";
import { save, setUpTls, type TlsScene } from "../fixtures/tls-scene.ts";
import { until, within } from "../fixtures/until.ts";

describe("a TLS listener", () => {
  it("serves requests, and tells the backend that they came by https", async (t) => {
    const { backend, connectTls, evener } = await setUpTls(t);
    const client = await connectTls({ ALPNProtocols: ["h2", "http/1.1"] });
    const socket = client.socket as tls.TLSSocket;
    assert.equal(socket.alpnProtocol, "http/1.1");
    for (const path of ["/a", "/b"]) {
      client.send(rawRequest(`GET ${path}`));
      assert.equal((await client.response()).body, "hello from a");
    }
    assert.equal(backend.requests[1]!.headers.get("x-forwarded-proto"), "https");
    assert.equal(backend.requests[1]!.headers.get("x-forwarded-for"), "127.0.0.1");
    const line = await evener.logged(({ target }) => target === "/b");
    assert.equal(line["client"], "127.0.0.1");
  });

  it("speaks TLS 1.2 and 1.3 with the suites of the profile, and nothing older or weaker", async (t) => {
    const { connectTls } = await setUpTls(t);
    const versionOf = async (options: tls.ConnectionOptions): Promise<string> => {
      const socket = (await connectTls(options)).socket as tls.TLSSocket;
      return `${socket.getProtocol()} ${socket.getCipher().standardName}`;
    };
    assert.match(await versionOf({}), /^TLSv1\.3 TLS_/);
    assert.match(await versionOf({ maxVersion: "TLSv1.2" }), /^TLSv1\.2 TLS_ECDHE_ECDSA_/);
    // The client's order counts.
    const chacha = {
      maxVersion: "TLSv1.2",
      ciphers: "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256",
    };
    assert.match(await versionOf(chacha as tls.ConnectionOptions), /CHACHA20/);
    const weak = ["ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"];
    for (const ciphers of weak) await assert.rejects(versionOf({ maxVersion: "TLSv1.2", ciphers }), ciphers);
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
    await assert.rejects(versionOf(old as tls.ConnectionOptions));
    await assert.rejects(versionOf({ ALPNProtocols: ["h2"] }), "nobody speaks h2 here");
  });

  it("offers post-quantum key exchange where OpenSSL has it", async (t) => {
    const { connectTls } = await setUpTls(t);
    for (const ecdhCurve of ["X25519MLKEM768", "X25519", "P-256", "P-384"]) {
      await connectTls({ ecdhCurve });
    }
    await assert.rejects(connectTls({ ecdhCurve: "P-521" }));
  });

  it("marks its session cookie as one for https", async (t) => {
    const { connectTls } = await setUpTls(t, undefined, { pool: { session: "cookie" } });
    const client = await connectTls();
    client.send(rawRequest("GET /"));
    assert.match((await client.response()).headers.get("set-cookie")!, /; Secure$/);
  });

  it("resumes sessions", async (t) => {
    const { connectTls } = await setUpTls(t);
    const { session } = await sessionOf(connectTls);
    const again = (await connectTls({ session })).socket as tls.TLSSocket;
    assert.equal(again.isSessionReused(), true);
  });
});

describe("several certificates", () => {
  const names = async (scene: TlsScene, servername: string): Promise<string> => {
    // No name at all: an address is never sent.
    const asked = servername === "" ? { servername: "" } : { servername };
    const client = await scene.connectTls({ ...asked, checkServerIdentity: () => undefined });
    const { subject } = (client.socket as tls.TLSSocket).getPeerCertificate();
    client.destroy();
    return String(subject.CN);
  };

  it("are chosen by name: exact, then wildcard, else the first", async (t) => {
    const scene = await setUpTls(t, (ca, folder) => ({
      certificates: [
        save(folder, "first", makeCertificate({ by: ca, names: ["first.test"] })),
        save(folder, "wild", makeCertificate({ by: ca, names: ["*.Wild.test", "also.test"] })),
        save(folder, "exact", makeCertificate({ by: ca, names: ["a.wild.test", "first.test"] })),
      ],
    }));
    const expected: Record<string, string> = {
      "first.test": "first.test",
      "a.wild.test": "a.wild.test",
      "A.WILD.TEST": "a.wild.test",
      "b.wild.test": "*.Wild.test",
      "also.test": "*.Wild.test",
      "a.b.wild.test": "first.test",
      "wild.test": "first.test",
      "unknown.test": "first.test",
      "": "first.test",
    };
    for (const [asked, got] of Object.entries(expected)) assert.equal(await names(scene, asked), got, asked);
  });
});

describe("a reload", () => {
  it("gives new connections the new certificate; old ones go on", async (t) => {
    const { ca, folder, connectTls, evener, yamlWith } = await setUpTls(t);
    const before = await connectTls();
    const next = save(folder, "next", makeCertificate({ by: ca, names: ["localhost", "next.test"] }));
    assert.match(await evener.reload(yamlWith(next)), /^listeners ~127\.0\.0\.1:0$/);
    const after = await connectTls({ servername: "next.test" });
    for (const client of [before, after]) {
      client.send(rawRequest("GET /"));
      assert.equal((await client.response()).status, 200);
    }
    assert.equal(await evener.reload(yamlWith(next)), "no change");
  });

  it("lets no session of before around a rule that is new", async (t) => {
    const { ca, folder, connectTls, evener, yamlWith } = await setUpTls(t);
    const { session } = await sessionOf(connectTls);
    const { cert } = save(folder, "ca", ca);
    await evener.reload(yamlWith({ client_ca: cert }));
    await refused(connectTls({ session }));
  });
});

describe("client certificates", () => {
  const own = (by = makeAuthority()): tls.ConnectionOptions =>
    makeCertificate({ by, names: ["client.test"] });
  const setUpWith = (t: Parameters<typeof setUpTls>[0], more: object): Promise<TlsScene> =>
    setUpTls(t, (ca, folder) => ({ client_ca: save(folder, "ca", ca).cert, ...more }));

  for (const maxVersion of ["TLSv1.3", "TLSv1.2"] as const) {
    it(`require: only those that the authority vouches for (${maxVersion})`, async (t) => {
      const { ca, connectTls, backend, evener } = await setUpWith(t, {});
      await refused(connectTls({ maxVersion }));
      await refused(connectTls({ maxVersion, ...own() }));
      const known = { maxVersion, ...own(ca) };
      await served(connectTls(known));
      const { session } = await sessionOf(connectTls, known);
      await served(connectTls({ ...known, session }));
      assert.equal(backend.requests.length, 3);
      assert.equal(evener.server.failedHandshakes, 2);
    });

    it(`request: those without one as well, but not a false one (${maxVersion})`, async (t) => {
      const { ca, connectTls, backend } = await setUpWith(t, { client_auth: "request" });
      await served(connectTls({ maxVersion }));
      await served(connectTls({ maxVersion, ...own(ca) }));
      await refused(connectTls({ maxVersion, ...own() }));
      const { session } = await sessionOf(connectTls, { maxVersion });
      await served(connectTls({ maxVersion, session }));
      assert.equal(backend.requests.length, 4);
    });
  }
});

describe("clients that misbehave", () => {
  const quick = { rest: { limits: { tls_handshake_timeout: "100ms" } } };

  it("plain HTTP is answered in plain", async (t) => {
    const { connect, evener, backend } = await setUpTls(t);
    const client = await connect();
    client.send(rawRequest("GET /"));
    const answer = await client.response();
    assert.equal(answer.status, 400);
    assert.match(answer.body, /https:\/\//);
    await client.closed();
    assert.equal(backend.requests.length, 0);
    await until(() => evener.server.connections === 0, "the end of the connection");
    assert.equal(evener.server.failedHandshakes, 1);
  });

  for (const [name, bytes] of [
    ["garbage", "\0\x01\x02"],
    ["garbage behind the first byte", `\x16${"x".repeat(100)}`],
    ["SSL 2", "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"],
  ] as const) {
    it(`${name} is closed at once`, async (t) => {
      const { connect, evener } = await setUpTls(t);
      const client = await connect();
      client.send(bytes);
      await client.closed();
      client.destroy();
      await until(() => evener.server.connections === 0, "the end of the connection");
      assert.equal(evener.server.failedHandshakes, 1);
    });
  }

  for (const [name, bytes] of [
    ["silent", ""],
    ["that stops in its hello", "\x16\x03\x01\x02\x00\x01"],
  ] as const) {
    it(`a client ${name} is closed in time`, async (t) => {
      const { connect, evener } = await setUpTls(t, undefined, quick);
      const client = await connect();
      if (bytes !== "") client.send(bytes);
      await client.closed();
      client.destroy();
      await until(() => evener.server.connections === 0, "the end of the connection");
    });
  }

  it("one that drips its hello is closed in time", async (t) => {
    const { connect } = await setUpTls(t, undefined, quick);
    const client = await connect();
    const hello = Buffer.concat([Buffer.from("16030102000100", "hex"), Buffer.alloc(500)]);
    let at = 0;
    const timer = setInterval(() => {
      client.send(hello.subarray(at, ++at));
    }, 20);
    await client.closed().finally(() => clearInterval(timer));
    assert.ok(at < hello.length, "it was closed before the end of its hello");
  });

  it("handshakes count as connections", async (t) => {
    const { connect, connectTls, evener } = await setUpTls(t, undefined, {
      rest: { limits: { connections: 2 } },
    });
    const silent = [await connect(), await connect()];
    await until(() => evener.server.connections === 2, "both");
    await assert.rejects(connectTls());
    silent[0]!.destroy();
    await until(() => evener.server.connections === 1, "room");
    await served(connectTls());
  });

  it("a stop ends handshakes that do not end", async (t) => {
    const { connect, evener } = await setUpTls(t);
    const clients = [await connect(), await connect()];
    clients[1]!.send("\x16\x03\x01\x02\x00\x01");
    await until(() => evener.server.connections === 2, "both");
    assert.equal(await evener.stop(50), false);
    await Promise.all(clients.map((client) => client.closed()));
  });

  it("a client in its handshake when the stop begins is still served", async (t) => {
    const { connect, evener, ca, backend } = await setUpTls(t);
    const raw = await connect();
    await until(() => evener.server.connections === 1, "the connection");
    const stopped = evener.stop(10_000);
    const socket = tls.connect({ socket: raw.socket, ca: ca.cert, servername: "localhost" });
    const client = new RawClient(socket);
    await within(once(socket, "secureConnect"), "the handshake");
    client.send(rawRequest("GET /"));
    assert.equal((await client.response()).headers.get("connection"), "close");
    assert.equal(await stopped, true);
    assert.equal(backend.requests.length, 1);
  });
});

/** A session that was accepted, for another connection. */
async function sessionOf(
  connectTls: TlsScene["connectTls"],
  options: tls.ConnectionOptions = {},
): Promise<{ session: Buffer }> {
  const client = await connectTls(options);
  const socket = client.socket as tls.TLSSocket;
  let session: Buffer | undefined = options.maxVersion === "TLSv1.2" ? socket.getSession() : undefined;
  socket.on("session", (told: Buffer) => (session = told));
  client.send(rawRequest("GET /session"));
  await client.response();
  await until(() => session !== undefined, "a session");
  client.destroy();
  return { session: session! };
}

async function served(connecting: Promise<RawClient>): Promise<void> {
  const client = await connecting;
  client.send(rawRequest("GET /"));
  assert.equal((await client.response()).status, 200);
  client.destroy();
}

/** With TLS 1.3 the client's handshake ends before the server has seen its certificate. */
async function refused(connecting: Promise<RawClient>): Promise<void> {
  let client: RawClient;
  try {
    client = await connecting;
  } catch {
    return;
  }
  client.send(rawRequest("GET /"));
  await client.closed();
  assert.equal(client.received, "");
}
