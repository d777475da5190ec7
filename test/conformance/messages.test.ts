// How messages are read: rules S1 to S18 of docs/internals/http-rules.md, each tried on the parser, whole and
// byte by byte, and over sockets through a running Evener. N = found by probing Node's own server.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { RequestParser, ResponseParser } from "../../src/http1/parser.ts";
import {
  type AcceptedRequest,
  type AcceptedResponse,
  type RefusedRequest,
  type RefusedResponse,
  acceptRequests,
  acceptResponses,
  refuseRequests,
  refuseResponses,
} from "./tables.ts";

const H = "Host: a\r\n";
const GET = `GET / HTTP/1.1\r\n${H}`;
const POST = `POST / HTTP/1.1\r\n${H}`;
const OK = "HTTP/1.1 200 OK\r\n";
const EIGHT_KIB_PATH = `/${"a".repeat(8000)}`;

/** Rule, head, status. */
const REFUSED_REQUESTS: readonly RefusedRequest[] = [
  ["S1 N bare CR in a value", `${GET}X: a\rb\r\n\r\n`, 400],
  ["S1 bare CR in the request line", "GET /\r HTTP/1.1\r\n\r\n", 400],
  ["S1 bare CR after the version", "GET / HTTP/1.1\rX", 400],
  ["S1 N bare LF after the request line", `GET / HTTP/1.1\nHost: a\r\n\r\n`, 400],
  ["S1 N bare LF after a field", `GET / HTTP/1.1\r\nHost: a\n\r\n`, 400],
  ["S1 N bare LF at the end of the head", `${GET}\n`, 400],
  ["S1 bare LF before the request line", `\n${GET}\r\n`, 400],
  ["S2 whitespace before the first field", `GET / HTTP/1.1\r\n ${H}\r\n`, 400],
  ["S2 tab before the first field", `GET / HTTP/1.1\r\n\t${H}\r\n`, 400],
  ["S3 three empty lines", `\r\n\r\n\r\n${GET}\r\n`, 400],
  ["S3 CR CR before the request line", `\r\r\n${GET}\r\n`, 400],
  ["S4 a TLS hello", "\x16\x03\x01\x02\x00\x01", 400],
  ["S4 an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", 505],
  ["S4 NUL first", "\0GET / HTTP/1.1\r\n", 400],
  ["S5 target over the limit", `GET /${"a".repeat(DEFAULT_LIMITS.uriBytesMax)} HTTP/1.1\r\n`, 414],
  ["S5 query over the limit", `GET /?${"a".repeat(DEFAULT_LIMITS.uriBytesMax)}`, 414],
  ["S6 method over the limit", `${"A".repeat(40)} / HTTP/1.1\r\n`, 501],
  ["S6 N two spaces before the target", `GET  / HTTP/1.1\r\n`, 400],
  ["S6 N two spaces before the version", `GET /  HTTP/1.1\r\n`, 400],
  ["S6 space at the end of the request line", `GET / HTTP/1.1 \r\n`, 400],
  ["S6 space at the beginning of the request line", ` GET / HTTP/1.1\r\n`, 400],
  ["S6 tab as separator", `GET\t/ HTTP/1.1\r\n`, 400],
  ["S6 no version (HTTP/0.9)", "GET /\r\n", 400],
  ["S6 version in lower case", "GET / http/1.1\r\n", 400],
  ["S6 version without minor", "GET / HTTP/1\r\n", 400],
  ["S6 version of two digits", "GET / HTTP/1.10\r\n", 400],
  ["S6 other protocol", "GET / ICAP/1.0\r\n", 400],
  ["S6 method with a separator", "G(T / HTTP/1.1\r\n", 400],
  ["S6 empty method", "/ HTTP/1.1\r\n", 400],
  ["S6 HTTP/2.0", `GET / HTTP/2.0\r\n`, 505],
  ["S6 HTTP/0.9 named", `GET / HTTP/0.9\r\n`, 505],
  ["S6 N fragment in the target", "GET /a#b HTTP/1.1\r\n", 400],
  ["S6 N fragment in the query", "GET /a?b#c HTTP/1.1\r\n", 400],
  ["S6 N non-ASCII in the target", "GET /\xe9 HTTP/1.1\r\n", 400],
  ["S6 NUL in the target", "GET /\0 HTTP/1.1\r\n", 400],
  ["S6 DEL in the target", "GET /\x7f HTTP/1.1\r\n", 400],
  ["S6 backslash in the path", "GET /a\\b HTTP/1.1\r\n", 400],
  ["S6 angle bracket in the target", "GET /<a> HTTP/1.1\r\n", 400],
  ["S6 quote in the query", 'GET /?"a" HTTP/1.1\r\n', 400],
  ["S6 target without a slash", "GET a HTTP/1.1\r\n", 400],
  ["S7 no Host in 1.1", "GET / HTTP/1.1\r\n\r\n", 400],
  ["S7 N two different Host lines", `${GET}Host: b\r\n\r\n`, 400],
  ["S7 two equal Host lines", `${GET}Host: a\r\n\r\n`, 400],
  ["S7 N userinfo in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400],
  ["S7 N path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
  ["S7 N list in Host", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400],
  ["S7 N empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400],
  ["S7 blank Host", "GET / HTTP/1.1\r\nHost: \t \r\n\r\n", 400],
  ["S7 space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  ["S7 port without a name", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400],
  ["S7 port that is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400],
  ["S7 port above 65535", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400],
  ["S7 two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400],
  ["S7 open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400],
  ["S7 no IPv6 in brackets", "GET / HTTP/1.1\r\nHost: [:::1]\r\n\r\n", 400],
  ["S7 text after the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400],
  ["S7 non-ASCII Host", "GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", 400],
  ["S7 percent in Host", "GET / HTTP/1.1\r\nHost: a%2fb\r\n\r\n", 400],
  ["S7 broken Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400],
  ["S8 broken Host beside an absolute target", "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
  ["S8 no Host beside an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", 400],
  ["S9 N asterisk with GET", `GET * HTTP/1.1\r\n${H}\r\n`, 400],
  ["S9 asterisk with a tail", `OPTIONS */a HTTP/1.1\r\n${H}\r\n`, 400],
  ["S9 asterisk with a query", `OPTIONS *?a HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 authority with GET", `GET a:80 HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 origin with CONNECT", `CONNECT / HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 absolute with CONNECT", `CONNECT http://a:80/ HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 CONNECT without a port", `CONNECT a HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 CONNECT with an empty port", `CONNECT a: HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 CONNECT IPv6 without a port", `CONNECT [::1] HTTP/1.1\r\n${H}\r\n`, 400],
  ["S10 CONNECT with userinfo", `CONNECT u@a:80 HTTP/1.1\r\n${H}\r\n`, 400],
  ["S11 empty host in an absolute target", `GET http:/// HTTP/1.1\r\n${H}\r\n`, 400],
  ["S11 only a port in an absolute target", `GET http://:80/ HTTP/1.1\r\n${H}\r\n`, 400],
  ["S11 userinfo in an absolute target", `GET http://u:p@a/ HTTP/1.1\r\n${H}\r\n`, 400],
  ["S11 other scheme", `GET ftp://a/ HTTP/1.1\r\n${H}\r\n`, 400],
  ["S11 scheme with one slash", `GET http:/a HTTP/1.1\r\n${H}\r\n`, 400],
  ["S12 N space before the colon", `${GET}X : a\r\n\r\n`, 400],
  ["S12 tab before the colon", `${GET}X\t: a\r\n\r\n`, 400],
  ["S12 space inside a name", `${GET}X Y: a\r\n\r\n`, 400],
  ["S12 N empty name", `${GET}: a\r\n\r\n`, 400],
  ["S12 line without a colon", `${GET}abc\r\n\r\n`, 400],
  ["S12 non-ASCII name", `${GET}\xe9: a\r\n\r\n`, 400],
  ["S12 NUL in a name", `${GET}a\0: a\r\n\r\n`, 400],
  ["S12 N __proto__", `${GET}__proto__: a\r\n\r\n`, 400],
  ["S12 N Transfer_Encoding", `${POST}Transfer_Encoding: chunked\r\n\r\n`, 400],
  ["S12 Content_Length", `${POST}content_length: 5\r\n\r\n`, 400],
  ["S13 N obs-fold with a space", `${GET}X: a\r\n b\r\n\r\n`, 400],
  ["S13 obs-fold with a tab", `${GET}X: a\r\n\tb\r\n\r\n`, 400],
  ["S14 N NUL in a value", `${GET}X: a\0b\r\n\r\n`, 400],
  ["S14 N control in a value", `${GET}X: a\x01\r\n\r\n`, 400],
  ["S14 vertical tab in a value", `${GET}X: \x0ba\r\n\r\n`, 400],
  ["S14 DEL in a value", `${GET}X: a\x7f\r\n\r\n`, 400],
  ["S14 N CR LF CR X", `${GET}\rX`, 400],
  ["S15 too many fields", `${GET}${"a: b\r\n".repeat(DEFAULT_LIMITS.headerCountMax)}\r\n`, 431],
  ["S15 one field too long", `${GET}a: ${"b".repeat(DEFAULT_LIMITS.headerBytesMax)}`, 431],
  ["S15 one name too long", `${GET}${"b".repeat(DEFAULT_LIMITS.headerBytesMax)}`, 431],
  ["S15 fields too long together", `${GET}${`a: ${"b".repeat(1000)}\r\n`.repeat(66)}\r\n`, 431],
];

/** Rule, head, what it must give. */
const ACCEPTED_REQUESTS: readonly AcceptedRequest[] = [
  ["S3 one empty line", `\r\n${GET}\r\n`, { method: "GET", count: 1 }],
  ["S3 two empty lines", `\r\n\r\n${GET}\r\n`, { method: "GET" }],
  ["S5 target of 8000 octets", `GET ${EIGHT_KIB_PATH} HTTP/1.1\r\n${H}\r\n`, { path: EIGHT_KIB_PATH }],
  ["S6 unknown method", `PROPFIND / HTTP/1.1\r\n${H}\r\n`, { method: "PROPFIND" }],
  ["S6 methods are case-sensitive", `get / HTTP/1.1\r\n${H}\r\n`, { method: "get" }],
  ["S6 query", `GET /a?b=c?d HTTP/1.1\r\n${H}\r\n`, { target: "/a?b=c?d", path: "/a", query: "b=c?d" }],
  ["S6 empty query", `GET /a? HTTP/1.1\r\n${H}\r\n`, { target: "/a?", path: "/a", query: "" }],
  ["S6 backslash in the query", `GET /a?\\ HTTP/1.1\r\n${H}\r\n`, { query: "\\" }],
  ["S6 what browsers leave", `GET /[a]|{b}^\` HTTP/1.1\r\n${H}\r\n`, { path: "/[a]|{b}^`" }],
  ["S7 Host with a port", "GET / HTTP/1.1\r\nHost: A.b:80\r\n\r\n", { host: "a.b:80" }],
  ["S7 Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", { host: "a" }],
  ["S7 Host with an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", { host: "[::1]:80" }],
  ["S7 no Host in 1.0", "GET / HTTP/1.0\r\n\r\n", { host: "", minorVersion: 0, keepAlive: false }],
  [
    "S8 N the target wins over Host",
    "GET http://B:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    { host: "b:81", targetForm: "absolute", target: "http://B:81/x?y", originTarget: "/x?y", path: "/x" },
  ],
  ["S8 empty path", `GET http://a HTTP/1.1\r\n${H}\r\n`, { originTarget: "/", path: "/" }],
  ["S8 empty path with a query", `GET http://a?b HTTP/1.1\r\n${H}\r\n`, { originTarget: "/?b", query: "b" }],
  ["S9 asterisk", `OPTIONS * HTTP/1.1\r\n${H}\r\n`, { targetForm: "asterisk", originTarget: "*" }],
  ["S9 OPTIONS absolute, empty path", `OPTIONS http://a HTTP/1.1\r\n${H}\r\n`, { originTarget: "*" }],
  [
    "S10 authority",
    `CONNECT a:443 HTTP/1.1\r\n${H}\r\n`,
    { targetForm: "authority", host: "a:443", path: "", keepAlive: false },
  ],
  ["S13 empty value", `${GET}X:\r\n\r\n`, { count: 2 }],
  ["S14 obs-text in a value", `${GET}X: \xe9\r\n\r\n`, { count: 2 }],
  [
    "S15 as many fields as allowed",
    `${GET}${"a: b\r\n".repeat(DEFAULT_LIMITS.headerCountMax - 1)}\r\n`,
    { count: 128 },
  ],
  ["S17 names with _ are kept", `${GET}X_Forwarded_For: a\r\n\r\n`, { count: 2 }],
  ["S18 N HTTP/1.2 is served as 1.1", `GET / HTTP/1.2\r\n${H}\r\n`, { minorVersion: 1 }],
];

/** Rule, head. All are 502. */
const REFUSED_RESPONSES: readonly RefusedResponse[] = [
  ["S1 bare LF after the status line", "HTTP/1.1 200 OK\nA: b\r\n\r\n"],
  ["S1 bare LF after a field", `${OK}A: b\n\r\n`],
  ["S1 bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n"],
  ["S2 whitespace before the first field", `${OK} A: b\r\n\r\n`],
  ["S3 empty line before the status line", `\r\n${OK}\r\n`],
  ["S4 not HTTP", "SSH-2.0-x\r\n"],
  ["S6 HTTP/2", "HTTP/2.0 200 OK\r\n\r\n"],
  ["S6 two spaces", "HTTP/1.1  200 OK\r\n\r\n"],
  ["S6 status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["S6 status of four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["S6 status 099", "HTTP/1.1 099 A\r\n\r\n"],
  ["S6 status 600", "HTTP/1.1 600 A\r\n\r\n"],
  ["S6 control in the reason", "HTTP/1.1 200 \x01\r\n\r\n"],
  ["S12 empty name", `${OK}: b\r\n\r\n`],
  ["S12 space inside a name", `${OK}A B: b\r\n\r\n`],
  ["S12 Transfer_Encoding", `${OK}transfer_encoding: chunked\r\n\r\n`],
  ["S13 obs-fold", `${OK}A: b\r\n c\r\n\r\n`],
  ["S14 NUL in a value", `${OK}A: \0\r\n\r\n`],
  ["S15 too many fields", `${OK}${"a: b\r\n".repeat(129)}\r\n`],
  ["S15 fields too long", `${OK}a: ${"b".repeat(70_000)}`],
];

/** Rule, method of the request, head, what it must give. */
const ACCEPTED_RESPONSES: readonly AcceptedResponse[] = [
  ["S6 reason with spaces", "GET", "HTTP/1.1 404 Not Found\r\n\r\n", { status: 404, reason: "Not Found" }],
  ["S6 empty reason", "GET", "HTTP/1.1 200 \r\n\r\n", { status: 200, reason: "" }],
  ["S6 no space before no reason", "GET", "HTTP/1.1 200\r\n\r\n", { status: 200, reason: "" }],
  [
    "S18 HTTP/1.9",
    "GET",
    "HTTP/1.9 200 OK\r\nContent-Length: 1\r\n\r\n",
    { minorVersion: 1, keepAlive: true },
  ],
  ["S12 space before the colon", "GET", `${OK}Content-Length \t: 5\r\n\r\n`, { contentLength: 5 }],
];

refuseRequests(REFUSED_REQUESTS);
acceptRequests(ACCEPTED_REQUESTS);
refuseResponses(REFUSED_RESPONSES);
acceptResponses(ACCEPTED_RESPONSES);

test("S12 the line that is passed on has no space before the colon", () => {
  const parser = new ResponseParser();
  parser.parse(Buffer.from(`${OK}Content-Type  : a\r\nB: c\r\n\r\n`), 0);
  assert.equal(parser.head.lines(0, 2), "Content-Type:   a\r\nB: c\r\n");
  assert.equal(parser.head.get("content-type"), "a");
});

/** Every byte value, at every kind of place, is refused or accepted as the grammar says. */
describe("bytes", () => {
  const tchar = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]$/u;
  for (const [place, before, after, isAllowed] of [
    ["S6 method", "A", "A / HTTP/1.1\r\nHost: a\r\n\r\n", (c: string) => tchar.test(c)],
    ["S12 name", `${GET}A`, "A: b\r\n\r\n", (c: string) => tchar.test(c) || c === ":"],
    ["S14 value", `${GET}A: b`, "b\r\n\r\n", (c: string) => /^[\t\x20-\x7e\x80-\xff]$/u.test(c)],
    ["S7 host", "GET / HTTP/1.1\r\nHost: a", "1\r\n\r\n", (c: string) => /^[-._~0-9A-Za-z:]$/u.test(c)],
    [
      "S6 path",
      "GET /a",
      `a HTTP/1.1\r\n${H}\r\n`,
      (c: string) => /^[!-~]$/u.test(c) && !/["#<>\\]/u.test(c),
    ],
    [
      "S6 query",
      "GET /a?",
      `a HTTP/1.1\r\n${H}\r\n`,
      (c: string) => /^[!-~]$/u.test(c) && !/["#<>]/u.test(c),
    ],
  ] as const) {
    test(place, () => {
      for (let byte = 0; byte < 256; byte++) {
        const character = String.fromCharCode(byte);
        const text = Buffer.from(before + character + after, "latin1");
        const isAccepted = new RequestParser().parse(text, 0) === text.length;
        assert.equal(isAccepted, isAllowed(character), `byte 0x${byte.toString(16)}`);
      }
    });
  }
});
