import assert from "node:assert/strict";
import { test } from "node:test";

import type * as z from "zod";

import type { BackendAddress } from "../../../src/config/address.ts";
import { parseBackendUrl, parseBind } from "../../../src/config/address.ts";
import { isLoopback } from "../../../src/core/kit/ip-address.ts";
import { parseKeySpec } from "../../../src/config/key-spec.ts";
import {
  duration,
  formatDuration,
  formatSize,
  integer,
  number,
  percent,
  size,
  Wrong,
} from "../../../src/config/scalars.ts";

test("durations", () => {
  const schema = duration(0, 86_400_000);
  for (const [text, ms] of [
    ["0s", 0],
    ["250ms", 250],
    ["2s", 2000],
    ["1.5s", 1500],
    ["1m", 60_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
  ] as const) {
    assert.equal(schema.parse(text), ms);
  }
  refusesAll(schema, [
    "",
    "5",
    5,
    "5 s",
    "-1s",
    "5S",
    "5min",
    "1e3ms",
    "2d",
    null,
    {},
    [],
    "99999999999999999s",
  ]);
  assert.deepEqual([0, 1, 1500, 2000, 90_000, 60_000, 86_400_000].map(formatDuration), [
    "0ms",
    "1ms",
    "1500ms",
    "2s",
    "90s",
    "1m",
    "1d",
  ]);
});

test("sizes", () => {
  const schema = size(0, 1024 ** 3);
  for (const [text, bytes] of [
    [0, 0],
    ["100", 100],
    ["100B", 100],
    ["64KiB", 65_536],
    ["1.5MiB", 1_572_864],
    ["1GiB", 1024 ** 3],
  ] as const) {
    assert.equal(schema.parse(text), bytes);
  }
  refusesAll(schema, ["", "1MB", "1kib", -1, "2GiB", 1e300, true, null, {}]);
  assert.deepEqual([0, 1000, 1024, 65_536, 1024 ** 2].map(formatSize), [
    "0",
    "1000",
    "1KiB",
    "64KiB",
    "1MiB",
  ]);
});

test("percentages", () => {
  assert.deepEqual(
    ["0%", "20%", "0.5 %", "100%"].map((text) => percent().parse(text)),
    [0, 0.2, 0.005, 1],
  );
  refusesAll(percent(), ["101%", "20", 0.2, "-1%", "", null]);
});

test("numbers may come from the environment, as texts", () => {
  assert.deepEqual(
    [1, 1.5, "1.5", "2"].map((value) => number(1, 2).parse(value)),
    [1, 1.5, 1.5, 2],
  );
  refusesAll(number(1, 2), [
    0.99,
    2.01,
    "",
    "0x1",
    "1e0",
    " 1",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    true,
  ]);
  assert.deepEqual(
    [1, "2"].map((value) => integer(1, 2).parse(value)),
    [1, 2],
  );
  refusesAll(integer(1, 2), [1.5, "1.5", 0, 3]);
});

test("addresses to listen on", () => {
  assert.deepEqual(parseBind("8080"), { host: "0.0.0.0", port: 8080 });
  assert.deepEqual(parseBind(":8080"), { host: "0.0.0.0", port: 8080 });
  assert.deepEqual(parseBind("*:0"), { host: "0.0.0.0", port: 0 });
  assert.deepEqual(parseBind("localhost:1"), { host: "localhost", port: 1 });
  assert.deepEqual(parseBind("[::1]:8080"), { host: "::1", port: 8080 });
  for (const text of [
    "",
    "a",
    "::1:80",
    "a:b:1",
    "a:65536",
    "a b:1",
    "http://a:1",
    "[::1]",
    "[1]:1",
    "/run/x:1",
  ]) {
    assert.ok(parseBind(text) instanceof Wrong, text);
  }
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) assert.ok(isLoopback(host), host);
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.evil.com", "localhost.evil.com"]) {
    assert.ok(!isLoopback(host), host);
  }
});

test("backend URLs", () => {
  const read = (text: string): BackendAddress => {
    const address = parseBackendUrl(text);
    assert.ok(!(address instanceof Wrong), text);
    return address;
  };
  const plain = { socketPath: null, isTls: false };
  const expected = {
    ...plain,
    host: "10.0.0.1",
    port: 8000,
    url: "http://10.0.0.1:8000",
    authority: "10.0.0.1:8000",
  };
  for (const text of [
    "http://10.0.0.1:8000",
    "http://10.0.0.1:8000/",
    "HTTP://10.0.0.1:8000",
    "10.0.0.1:8000",
  ]) {
    assert.deepEqual(read(text), expected);
  }
  assert.equal(read("http://GPU_1.example").url, "http://gpu_1.example:80");
  assert.equal(read("http://a:80").authority, "a:80");
  assert.deepEqual(read("http://[2001:DB8::1]:8000"), {
    ...plain,
    host: "2001:db8::1",
    port: 8000,
    url: "http://[2001:db8::1]:8000",
    authority: "[2001:db8::1]:8000",
  });
  assert.deepEqual(read("https://[::1]"), {
    host: "::1",
    port: 443,
    socketPath: null,
    isTls: true,
    url: "https://[::1]:443",
    authority: "[::1]:443",
  });
  assert.equal(read("HTTPS://A:80").url, "https://a:80");
  const spellings = ["", "//"].flatMap((slashes) => [
    `unix:${slashes}/run/V.sock`,
    `http+unix:${slashes}/run/V.sock`,
  ]);
  for (const text of [...spellings, "http+unix://%2Frun%2FV.sock"]) {
    const { host, port, socketPath, url, authority } = read(text);
    assert.deepEqual([host, port, socketPath], ["", 0, "/run/V.sock"], text);
    assert.deepEqual([url, authority], ["unix:/run/V.sock", "unix:/run/V.sock"]);
  }
  const noPaths = [
    "unix:",
    "unix:run/x",
    "unix:/",
    "unix://run/x",
    `unix:/${"x".repeat(103)}`,
    "https+unix:/x",
    "unix:/a b",
    "unix:/a\r\nb",
    `unix:/a"b`,
    "unix:/ä",
  ];
  for (const text of noPaths) assert.ok(parseBackendUrl(text) instanceof Wrong, text);
  const noPorts = ["", "http://", "a", "http://a:0", "http://a:70000", "http:/a:1", "//a:1"];
  const noHosts = ["http://a b:1", "http:// a:1", "http://0x7f.1:80", "http://2130706433", "http://::1:80"];
  const notAscii = ["http://exämple:1", "http://a%41:1", "http://a\\b:1", "http://a:1\n"];
  const tooMuch = ["http://a:1?x", "http://a:1#x", "http://a:1/x", "http://@a:1", "https://a:1/x"];
  const bad = [...noPorts, ...noHosts, ...notAscii, ...tooMuch];
  for (const text of bad) assert.ok(parseBackendUrl(text) instanceof Wrong, text);
});

test("keys", () => {
  assert.deepEqual(parseKeySpec("cookie"), { from: "session_cookie" });
  assert.deepEqual(parseKeySpec("header:X-User"), { from: "header", name: "x-user" });
  assert.deepEqual(parseKeySpec("cookie:Sid"), { from: "cookie", name: "Sid" });
  assert.deepEqual(parseKeySpec("query:user_id"), { from: "query", name: "user_id" });
  assert.deepEqual(parseKeySpec("body:user"), { from: "body", name: "user" });
  assert.deepEqual(parseKeySpec("path"), { from: "path" });
  assert.deepEqual(parseKeySpec("client_ip"), { from: "client_ip" });
  for (const text of [
    "",
    "header",
    "header:",
    "header:a b",
    "Header:a",
    "path:x",
    "cookie:",
    "body:a:b",
    "x",
  ]) {
    assert.equal(parseKeySpec(text), null, text);
  }
});

function refusesAll(schema: z.ZodType, values: readonly unknown[]): void {
  for (const value of values) assert.ok(!schema.safeParse(value).success, JSON.stringify(value));
}
