// One line a rule of the HTTP/1.1 specifications (S = message parsing, F = framing, N = found by
// probing Node's own server), each tried whole and byte by byte.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RequestHead, ResponseHead } from "../../src/http1/head.ts";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { FAILED, NEED_MORE, RequestParser, ResponseParser } from "../../src/http1/parser.ts";

const H = "Host: a\r\n";
const GET = `GET / HTTP/1.1\r\n${H}`;
const POST = `POST / HTTP/1.1\r\n${H}`;
const EIGHT_KIB_PATH = `/${"a".repeat(8000)}`;

/** Rule, head, status. */
const REFUSED_REQUESTS: [string, string, number][] = [
  ["S1 bare CR in a value", `${GET}X: a\rb\r\n\r\n`, 400],
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
  ["F2 chunked is not final", `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n`, 400],
  ["F2 chunked twice", `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n`, 400],
  ["F2 N two Transfer-Encoding lines", `${POST}${"Transfer-Encoding: chunked\r\n".repeat(2)}\r\n`, 400],
  [
    "F2 chunked, then identity",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`,
    400,
  ],
  ["F2 N empty element before chunked", `${POST}Transfer-Encoding: ,chunked\r\n\r\n`, 400],
  ["F2 empty element after chunked", `${POST}Transfer-Encoding: chunked,\r\n\r\n`, 400],
  ["F2 empty Transfer-Encoding", `${POST}Transfer-Encoding:\r\n\r\n`, 400],
  ["F2 quoted chunked", `${POST}Transfer-Encoding: "chunked"\r\n\r\n`, 400],
  ["F2 chunked with a parameter", `${POST}Transfer-Encoding: chunked;a=b\r\n\r\n`, 400],
  ["F2 two words", `${POST}Transfer-Encoding: chunked x\r\n\r\n`, 400],
  ["F3 N unknown coding", `${POST}Transfer-Encoding: xchunked\r\n\r\n`, 501],
  ["F3 unknown coding before chunked", `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  ["F3 identity", `${POST}Transfer-Encoding: identity\r\n\r\n`, 501],
  ["F4 N chunked in HTTP/1.0", `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n`, 400],
  ["F5 N CL and TE", `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ["F5 N TE and CL", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n`, 400],
  ["F5 TE and CL 0", `${POST}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n`, 400],
  ["F6 N plus", `${POST}Content-Length: +5\r\n\r\n`, 400],
  ["F6 minus", `${POST}Content-Length: -5\r\n\r\n`, 400],
  ["F6 N empty", `${POST}Content-Length:\r\n\r\n`, 400],
  ["F6 hexadecimal", `${POST}Content-Length: 0x5\r\n\r\n`, 400],
  ["F6 fraction", `${POST}Content-Length: 5.0\r\n\r\n`, 400],
  ["F6 space inside", `${POST}Content-Length: 5 5\r\n\r\n`, 400],
  ["F6 other text after", `${POST}Content-Length: 5;\r\n\r\n`, 400],
  ["F6 beyond 2^53-1", `${POST}Content-Length: 9007199254740992\r\n\r\n`, 400],
  ["F6 beyond 2^64", `${POST}Content-Length: 18446744073709551621\r\n\r\n`, 400],
  ["F6 N two differing lines", `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 400],
  ["F6 differing in case of the name", `${POST}Content-Length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
  ["F7 N list of equals", `${POST}Content-Length: 42, 42\r\n\r\n`, 400],
  ["F7 two equal lines", `${POST}Content-Length: 42\r\nContent-Length: 42\r\n\r\n`, 400],
  ["P2 Connection that is no list", `${GET}Connection: a b\r\n\r\n`, 400],
  ["P2 Connection with a parameter", `${GET}Connection: close;q=1\r\n\r\n`, 400],
  ["P2 Connection with 40 options", `${GET}Connection: ${"a,".repeat(40)}\r\n\r\n`, 400],
  ["P11 unknown expectation", `${POST}Content-Length: 5\r\nExpect: 200-ok\r\n\r\n`, 417],
];

/** Rule, head, what it must give. */
const ACCEPTED_REQUESTS: [string, string, Partial<RequestHead>][] = [
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
    { targetForm: "authority", host: "a:443", path: "" },
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
  ["F1 chunked", `${POST}Transfer-Encoding: Chunked\r\n\r\n`, { isChunked: true, framing: "chunked" }],
  ["F6 length", `${POST}Content-Length:   42  \r\n\r\n`, { contentLength: 42, framing: "length" }],
  [
    "F6 2^53-1",
    `${POST}Content-Length: 9007199254740991\r\n\r\n`,
    { contentLength: Number.MAX_SAFE_INTEGER },
  ],
  ["F6 zero", `${POST}Content-Length: 0\r\n\r\n`, { contentLength: 0, framing: "none" }],
  ["F11 no length, no body", `${POST}\r\n`, { contentLength: -1, framing: "none" }],
  [
    "C3 1.0 is never kept alive",
    `GET / HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n`,
    { keepAlive: false },
  ],
  ["C4 close", `${GET}Connection: Keep-Alive, CLOSE\r\n\r\n`, { keepAlive: false, connectionOptions: null }],
  [
    "P2 options",
    `${GET}Connection: ,Foo ,\tbar,\r\nConnection: te\r\n\r\n`,
    { connectionOptions: ["foo", "bar", "te"] },
  ],
  ["P11 expectation", `${POST}Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n`, { expectsContinue: true }],
  ["P11 expectation without a body", `${POST}Expect: 100-continue\r\n\r\n`, { expectsContinue: false }],
  [
    "P11 ignored in 1.0",
    `POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: x\r\n\r\n`,
    { expectsContinue: false },
  ],
  ["P12 upgrade", `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, { upgrade: "websocket" }],
  ["P12 upgrade that Connection does not name", `${GET}Upgrade: websocket\r\n\r\n`, { upgrade: null }],
  ["P12 upgrade in 1.0", `GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n`, { upgrade: null }],
];

const OK = "HTTP/1.1 200 OK\r\n";

/** Rule, head. All are 502. */
const REFUSED_RESPONSES: [string, string][] = [
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
  ["F3 unknown coding", `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ["F4 chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["F5 CL and TE", `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ["F6 differing lengths", `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`],
  ["F6 bad length", `${OK}Content-Length: 5a\r\n\r\n`],
  ["F7 list of lengths", `${OK}Content-Length: 5, 5\r\n\r\n`],
  ["F6 bad length also without a body", "HTTP/1.1 304 A\r\nContent-Length: x\r\n\r\n"],
];

/** Rule, method of the request, head, what it must give. */
const ACCEPTED_RESPONSES: [string, string, string, Partial<ResponseHead>][] = [
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
  ["F1 chunked", "GET", `${OK}Transfer-Encoding: chunked\r\n\r\n`, { framing: "chunked", keepAlive: true }],
  ["F6 length", "GET", `${OK}Content-Length: 5\r\n\r\n`, { framing: "length", keepAlive: true }],
  ["F6 length 0", "GET", `${OK}Content-Length: 0\r\n\r\n`, { framing: "none", keepAlive: true }],
  ["F11 until close", "GET", `${OK}\r\n`, { framing: "close", keepAlive: false }],
  ["F10 HEAD with a length", "HEAD", `${OK}Content-Length: 5\r\n\r\n`, { framing: "none", keepAlive: true }],
  [
    "F10 HEAD with chunked",
    "HEAD",
    `${OK}Transfer-Encoding: chunked\r\n\r\n`,
    { framing: "none", keepAlive: true },
  ],
  ["F10 HEAD with neither", "HEAD", `${OK}\r\n`, { framing: "none", keepAlive: true }],
  ["F10 204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", { framing: "none", keepAlive: true }],
  [
    "F10 204 with a length",
    "GET",
    "HTTP/1.1 204 A\r\nContent-Length: 5\r\n\r\n",
    { framing: "none", keepAlive: false },
  ],
  [
    "F10 204 with length 0",
    "GET",
    "HTTP/1.1 204 A\r\nContent-Length: 0\r\n\r\n",
    { framing: "none", keepAlive: true },
  ],
  [
    "F10 304 with a length",
    "GET",
    "HTTP/1.1 304 A\r\nContent-Length: 5\r\n\r\n",
    { framing: "none", keepAlive: true },
  ],
  ["F10 100", "POST", "HTTP/1.1 100 Continue\r\n\r\n", { status: 100, framing: "none" }],
  [
    "F10 101",
    "GET",
    "HTTP/1.1 101 A\r\nConnection: upgrade\r\n\r\n",
    { framing: "none", connectionOptions: ["upgrade"] },
  ],
  ["F10 2xx to CONNECT", "CONNECT", `${OK}Content-Length: 5\r\n\r\n`, { framing: "none" }],
  ["F10 4xx to CONNECT", "CONNECT", "HTTP/1.1 405 A\r\nContent-Length: 5\r\n\r\n", { framing: "length" }],
  [
    "C3 HTTP/1.0",
    "GET",
    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
    { framing: "length", keepAlive: false },
  ],
];

describe("refused requests", () => {
  for (const [rule, text, status] of REFUSED_REQUESTS) {
    test(rule, () => {
      for (const parser of refusals(text, () => new RequestParser())) {
        assert.equal(parser.error?.status, status, parser.error?.code);
        assert.equal(parser.parse(Buffer.from(`${GET}\r\n`), 0), FAILED, "stays failed");
      }
    });
  }
});

describe("accepted requests", () => {
  for (const [rule, text, expected] of ACCEPTED_REQUESTS) {
    test(rule, () => {
      for (const head of acceptances(text, () => new RequestParser())) assertHas(head, expected);
    });
  }
});

describe("refused responses", () => {
  for (const [rule, text] of REFUSED_RESPONSES) {
    test(rule, () => {
      for (const parser of refusals(text, () => new ResponseParser()))
        assert.equal(parser.error?.status, 502);
    });
  }
});

describe("accepted responses", () => {
  for (const [rule, requestMethod, text, expected] of ACCEPTED_RESPONSES) {
    test(rule, () => {
      const create = (): ResponseParser => Object.assign(new ResponseParser(), { requestMethod });
      for (const head of acceptances(text, create)) assertHas(head, expected);
    });
  }

  test("S12 the line that is passed on has no space before the colon", () => {
    const parser = new ResponseParser();
    parser.parse(Buffer.from(`${OK}Content-Type  : a\r\nB: c\r\n\r\n`), 0);
    assert.equal(parser.head.lines(0, 2), "Content-Type:   a\r\nB: c\r\n");
    assert.equal(parser.head.get("content-type"), "a");
  });
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

type AnyParser = RequestParser | ResponseParser;

/** Parsers that have seen the text whole, and byte by byte: all must have failed, for the same reason. */
function refusals<P extends AnyParser>(text: string, create: () => P): P[] {
  const bytes = Buffer.from(text, "latin1");
  const whole = create();
  assert.equal(whole.parse(bytes, 0), FAILED);
  const dripped = create();
  let last = NEED_MORE;
  for (let i = 0; i < bytes.length && last === NEED_MORE; i++)
    last = dripped.parse(bytes.subarray(i, i + 1), 0);
  assert.equal(last, FAILED);
  assert.equal(dripped.error?.code, whole.error?.code);
  return [whole, dripped];
}

function acceptances<P extends AnyParser>(text: string, create: () => P): P["head"][] {
  const bytes = Buffer.from(text, "latin1");
  const whole = create();
  assert.equal(whole.parse(bytes, 0), bytes.length, whole.error?.code);
  const dripped = create();
  for (let i = 0; i < bytes.length; i++) {
    const expected = i === bytes.length - 1 ? 1 : NEED_MORE;
    assert.equal(dripped.parse(bytes.subarray(i, i + 1), 0), expected, dripped.error?.code);
  }
  const again = create();
  for (let i = 0; i < 2; i++) assert.equal(again.parse(bytes, 0), bytes.length, "twice on one connection");
  return [whole.head, dripped.head, again.head];
}

function assertHas(head: RequestHead | ResponseHead, expected: object): void {
  for (const [key, value] of Object.entries(expected)) {
    assert.deepEqual((head as unknown as Record<string, unknown>)[key], value, key);
  }
}
