// Certificates and keys in the configuration: every way in which they can be wrong, and what is said then.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../../src/config/config.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/problem.ts";
import { warningsOf } from "../../../src/config/warnings.ts";
import { makeAuthority, makeCertificate } from "../../fixtures/certificates.ts";

const CA = makeAuthority();
const GOOD = makeCertificate({ by: CA, names: ["a.test"] });
const OTHER = makeCertificate({ by: CA, names: ["other.test"] });
const EXPIRED = makeCertificate({ by: CA, names: ["a.test"], days: -1 });
const FUTURE = makeCertificate({ by: CA, names: ["a.test"], fromDays: 2 });
const NAMELESS = makeCertificate({ by: CA, names: [] });
const FILES: Readonly<Record<string, string>> = {
  "ca.pem": CA.cert,
  "cert.pem": GOOD.cert,
  "key.pem": GOOD.key,
  "chain.pem": GOOD.cert + CA.cert,
  "turned.pem": CA.cert + GOOD.cert,
  "other.pem": OTHER.cert,
  "other.key.pem": OTHER.key,
  "expired.pem": EXPIRED.cert,
  "expired.key.pem": EXPIRED.key,
  "future.pem": FUTURE.cert,
  "future.key.pem": FUTURE.key,
  "nameless.pem": NAMELESS.cert,
  "nameless.key.pem": NAMELESS.key,
  "text.pem": "hello",
  "broken.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  "broken.key.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
  "locked.key.pem": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
};

function parse(text: string): Config {
  const readFile = (path: string): string => {
    const name = path.slice("/etc/evener/".length);
    if (!(name in FILES)) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return FILES[name]!;
  };
  return parseConfig(text, { path: "/etc/evener/evener.yaml", env: { PEM: GOOD.cert }, readFile });
}

const listener = (tls: string): string => `listeners:\n  - { bind: 8443, tls: ${tls} }\nbackends: [a:1]\n`;
const pool = (tls: string, backends = "https://a.test"): string =>
  `listen: 1\npools:\n  a:\n    tls: ${tls}\n    backends: [${backends}]\n`;

test("a listener's certificates, by path, from a file and as text", () => {
  const one = parse(listener("{ cert: cert.pem, key: key.pem }"));
  assert.deepEqual(one.listeners[0]?.tls, {
    certificates: [GOOD],
    clientCa: null,
    clientAuth: "require",
    handshakeTimeoutMs: 3000,
  });
  assert.deepEqual(one.files, ["/etc/evener/cert.pem", "/etc/evener/key.pem"]);
  const text = listener(`{ cert: "\${PEM}", key: { file: key.pem } }`);
  assert.deepEqual(parse(text).listeners[0]?.tls?.certificates[0]?.cert.trim(), GOOD.cert.trim());
  const several = "[{ cert: chain.pem, key: key.pem }, { cert: other.pem, key: other.key.pem }]";
  const tls = parse(listener(`{ certificates: ${several}, client_ca: ca.pem, client_auth: request }`))
    .listeners[0]?.tls;
  assert.deepEqual([tls?.certificates.length, tls?.clientCa, tls?.clientAuth], [2, CA.cert, "request"]);
});

test("a backend's settings are its pool's, but for its own", () => {
  const config = parse(
    pool(
      "{ ca: ca.pem, cert: cert.pem, key: key.pem }",
      "https://A.test, { url: 'https://10.0.0.1:8443', tls: { server_name: B.test } }, " +
        "{ url: 'https://c.test', tls: { cert: other.pem, key: other.key.pem } }, http://d.test",
    ),
  );
  const standard = { ca: CA.cert, verify: true, ...GOOD };
  assert.deepEqual(
    config.pools[0]?.backends.map(({ tls }) => tls),
    [
      { ...standard, serverName: "a.test" },
      { ...standard, serverName: "b.test" },
      { ...standard, ...OTHER, serverName: "c.test" },
      null,
    ],
  );
  assert.deepEqual(parse("listen: 1\nbackends: [https://a]\n").pools[0]?.backends[0]?.tls, {
    ca: null,
    serverName: "a",
    cert: null,
    key: null,
    verify: true,
  });
});

test("what is wrong with the files is told with its place", () => {
  const advice = 'write a PEM file, which begins with "-----BEGIN';
  const cases: Readonly<Record<string, string>> = {
    [listener("{ cert: no.pem, key: key.pem }")]:
      "2:32: listeners[0].tls.cert: no.pem can not be read (ENOENT); correct the path or its rights",
    [listener("{ cert: text.pem, key: key.pem }")]:
      `2:32: listeners[0].tls.cert: text.pem has no certificate; ${advice} CERTIFICATE-----"`,
    [listener("{ cert: key.pem, key: key.pem }")]:
      `2:32: listeners[0].tls.cert: key.pem has a private key and no certificate; ${advice} CERTIFICATE-----"`,
    [listener("{ cert: cert.pem, key: cert.pem }")]:
      `2:47: listeners[0].tls.key: cert.pem has no private key; ${advice} PRIVATE KEY-----"`,
    [listener("{ cert: cert.pem, key: locked.key.pem }")]:
      "2:47: listeners[0].tls.key: locked.key.pem is locked by a passphrase; " +
      '"openssl pkey -in OLD -out NEW" takes the passphrase away',
    [listener("{ cert: cert.pem, key: broken.key.pem }")]:
      "2:47: listeners[0].tls.key: broken.key.pem has a broken private key; copy it again",
    [listener("{ cert: cert.pem, key: other.key.pem }")]:
      "2:47: listeners[0].tls.key: is not the key of the certificate for a.test; write the two that were " +
      "made together",
    [listener("{ cert: turned.pem, key: key.pem }")]:
      "2:32: listeners[0].tls.cert: the certificate of the key is number 2 of the file; put it first",
    [listener(
      "{ certificates: [{ cert: cert.pem, key: key.pem }, { cert: nameless.pem, key: nameless.key.pem }] }",
    )]:
      "2:83: listeners[0].tls.certificates[1].cert: names no host, so no client would ever get it; only the " +
      "first one may",
    [listener("{ cert: cert.pem, key: key.pem, client_ca: text.pem }")]:
      `2:67: listeners[0].tls.client_ca: text.pem has no certificate; ${advice} CERTIFICATE-----"`,
    [pool("{ ca: no.pem }", "https://a, https://b")]:
      "4:16: pools.a.tls.ca: no.pem can not be read (ENOENT); correct the path or its rights",
    [pool("{ cert: cert.pem, key: other.key.pem }")]:
      "4:33: pools.a.tls.key: is not the key of the certificate for a.test; write the two that were made together",
  };
  for (const [text, expected] of Object.entries(cases)) {
    assert.deepEqual(problems(text), [`EVENER_CERTIFICATE_INVALID ${expected}`], text);
  }
});

test("certificates out of their time, and broken ones", () => {
  assert.match(
    problems(listener("{ cert: expired.pem, key: expired.key.pem }"))[0]!,
    /tls\.cert: the certificate for a\.test expired on \d{4}-\d\d-\d\d; get a new one$/,
  );
  assert.match(
    problems(listener("{ cert: future.pem, key: future.key.pem }"))[0]!,
    /tls\.cert: the certificate for a\.test is valid from \d{4}-\d\d-\d\d on; is the clock right\?$/,
  );
  assert.match(
    problems(listener("{ cert: broken.pem, key: key.pem }"))[0]!,
    /tls\.cert: broken\.pem has a broken certificate \(.*\); copy it again$/,
  );
});

test("what does not go together is told", () => {
  const cases: Readonly<Record<string, string>> = {
    [listener("{}")]: '2:24: listeners[0].tls.cert: is missing; write "cert" and "key"',
    [listener("{ cert: cert.pem }")]: '2:26: listeners[0].tls.cert: stands without "key"; write both',
    [listener("{ key: key.pem }")]: '2:26: listeners[0].tls.key: stands without "cert"; write both',
    [listener("{ cert: cert.pem, certificates: [{ cert: cert.pem, key: key.pem }] }")]:
      '2:26: listeners[0].tls.cert: stands beside "certificates"; move it into that list',
    [listener("{ cert: cert.pem, key: key.pem, client_auth: require }")]:
      '2:56: listeners[0].tls.client_auth: has no meaning without "client_ca"; write it, or remove this',
    [pool("{ ca: ca.pem }", "http://a:1")]:
      '4:5: pools.a.tls: is for https:// URLs, and no backend has one; write https:// or remove "tls"',
    [pool("{ ca: ca.pem, verify: off }")]:
      '4:12: pools.a.tls.ca: has no effect with "verify: off"; remove one of the two',
    [pool("{ key: key.pem }")]: '4:12: pools.a.tls.key: stands without "cert"; write both',
    "listen: 1\nbackends: [{ url: 'http://a:1', tls: { verify: off } }]\n":
      '2:33: backends[0].tls: is for https:// URLs, and this one is not; write https:// or remove "tls"',
    "listen: 1\nbackends: [{ url: 'unix:/a', tls: {} }]\n":
      '2:30: backends[0].tls: is for https:// URLs, and this one is not; write https:// or remove "tls"',
    "listen: 1\npools: { a: { backends: [unix:/a], agent_check: { port: 1 } } }\n":
      '2:26: pools.a.backends[0]: is a unix socket, so "agent_check" has no host to ask; give it a pool of its own',
    "listeners: [{ bind: 80, socket_mode: 660 }]\nbackends: [a:1]\n":
      "1:25: listeners[0].socket_mode: is for unix sockets, and this listener is none; remove it",
    "listeners: [{ bind: unix:/a, socket_mode: 999 }]\nbackends: [a:1]\n":
      "1:43: listeners[0].socket_mode: expected a file mode, found 999; write 660",
    "listeners: [{ bind: unix:/a, tls: {} }]\nbackends: [a:1]\n":
      "1:30: listeners[0].tls: is of no use on a unix socket, whose bytes never leave this machine; remove it",
    "listeners: [{ bind: unix:/a, proxy_protocol: true }]\ntrusted_proxies: [10.0.0.1]\nbackends: [a:1]\n":
      "1:30: listeners[0].proxy_protocol: wants a peer of trusted_proxies, and a unix socket has no addresses; " +
      "remove it",
    "listeners: [{ bind: unix:/a }, { bind: unix:///a }]\nbackends: [a:1]\n":
      "1:40: listeners[1].bind: is there twice; remove one of them",
    "listen: unix:/a\nbackends: [unix:/a]\n":
      "2:12: backends[0]: is Evener's own listener unix:/a; write where the model server listens",
  };
  for (const [text, expected] of Object.entries(cases)) assert.deepEqual(problems(text), [expected], text);
});

test("all addresses of both families may share a port, each with a listener of its own", () => {
  const text = `listeners: [{ bind: "0.0.0.0:80" }, { bind: "[::]:80" }, { bind: unix:/a }]\nbackends: [a:1]\n`;
  assert.equal(parse(text).listeners.length, 3);
});

test("what is allowed and may not be meant is a warning", () => {
  const soon = makeCertificate({ names: ["soon.test"], days: 3.5 });
  const quoted = JSON.stringify({ cert: soon.cert, key: soon.key });
  const off = `{ url: 'https://b', tls: { verify: off } }, https://c`;
  const text = `listeners: [{ bind: 8443, tls: ${quoted} }]\nbackends: [${off}]\n`;
  assert.deepEqual(warningsOf(parse(text)), [
    "pool default: certificates of b:443 are not verified (verify: off); whoever is on the way to them can " +
      "read and change what is sent",
    "listener 0.0.0.0:8443: the certificate expires in 3 days; renew it",
  ]);
  assert.deepEqual(warningsOf(parse(listener("{ cert: cert.pem, key: key.pem }"))), []);
});

/** `CODE LINE:COLUMN: PATH: MESSAGE` each; the code only where it has one of its own. */
function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.doesNotMatch(error.message, /PRIVATE KEY-----\n/);
    return error.problems.map(({ line, column, path, message, code }) => {
      return `${code === undefined ? "" : `${code} `}${line}:${column}: ${path}: ${message}`;
    });
  }
  return [];
}
