// What backends may answer, right and wrong, generated from the rules: every part that frames a response in
// every disguise, before a body that is right, too short or too long; then mutations of all of these.
import type { Random } from "../../../src/core/kit/random.ts";
import { list, mutate } from "./mutate.ts";

/** The answer of a backend to one request, byte for byte. */
export interface ResponseCase {
  readonly name: string;
  /** Of the request. */
  readonly method: string;
  readonly bytes: string;
}

/** The whole corpus: all that is systematic, and `mutations` mutated ones. */
export function responseCorpus(random: Random, mutations: number): ResponseCase[] {
  const cases: ResponseCase[] = [];
  const add = (name: string, bytes: string, method = "GET"): void => {
    cases.push({ name, method, bytes });
  };
  addStatusLines(add);
  addFramings(add);
  addChunks(add);
  addLines(add);
  addInterims(add);
  const seeds = cases.length;
  for (let i = 0; i < mutations; i++) {
    const { name, method, bytes } = cases[random.below(seeds)]!;
    add(`mutation of: ${name}`, mutate(bytes, INSERTS, random), method);
  }
  return cases;
}

type Add = (name: string, bytes: string, method?: string) => void;

const POISON = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
const OK = "HTTP/1.1 200 OK\r\n";
const WHOLE = "content-length: 2\r\n\r\nok";

const STATUS_LINES: readonly string[] = list(
  "HTTP/1.1 200 OK | HTTP/1.0 200 OK | HTTP/1.9 200 OK | HTTP/2.0 200 OK | HTTP/1.1  200 OK",
  "HTTP/1.1 200",
  "HTTP/1.1 200 ",
  "HTTP/1.1\t200 OK",
  " HTTP/1.1 200 OK",
  "HTTP/1.1 20 OK | HTTP/1.1 2000 OK | HTTP/1.1 099 OK | HTTP/1.1 600 OK | HTTP/1.1 2x0 OK",
  "HTTP/1.1 -20 OK | HTTP/1.1 200\x00OK | HTTP/1.1 200 O\x00K | HTTP/1.1 200 \xe4",
  "HTTP/1.1 200 a: b | http/1.1 200 OK | HTTP/1.1200 OK | HTTP/1.1 200OK | ICY 200 OK",
  "",
  "200 OK | HTTP/1.1 200 O\rK | HTTP/1.1 200 O\nK | HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK",
  "HTTP/1.10 200 OK | \r\nHTTP/1.1 200 OK | \nHTTP/1.1 200 OK | HTTP/1.1 101 Switching",
  "HTTP/1.1 500 Broken | HTTP/1.1 299 ? | HTTP/1.1 599 ? | SSH-2.0-x",
);
const STATUSES: readonly number[] = [200, 201, 204, 205, 206, 300, 304, 404, 413, 500, 503];

/** S1 to S6, S18. */
function addStatusLines(add: Add): void {
  for (const line of STATUS_LINES) {
    for (const method of ["GET", "HEAD"])
      add(`status line ${JSON.stringify(line)}`, `${line}\r\n${WHOLE}`, method);
  }
}

const LENGTHS: readonly string[] = list(
  '2 | 02 | +2 | -2 | 0x2 | 2, 2 | 2, | ,2 | 2 2 | 2; | 2.0 | "2" | 2\x00 | 2\x0b | \xa02',
  "",
  " ",
  "1e0 | x",
  "\t2 ",
  "18446744073709551618 | 9007199254740993 | 2\r\ncontent-length: 2 | 2\r\ncontent-length: 3",
  "2\r\n 2 | 2\r | 2\n | 0 | 1 | 3 | 9",
);
const CODINGS: readonly string[] = list(
  "chunked | Chunked | chunked, chunked | gzip, chunked | chunked, gzip | identity | xchunked",
  'chunked;a=b | ,chunked | chunked, | "chunked" | chunked\x0b | chunked\x00',
  "",
  "chunked\r\ntransfer-encoding: chunked | \r\n chunked | chunked\r | chunked\n",
);
const NAMES: readonly string[] = list(
  "content-length | Content-Length",
  "content-length ",
  "content-length\t ",
  " content-length",
  "content_length | content-length\x00 | content length | x: y\ncontent-length",
  "x: y\rcontent-length | x: y\r\n content-length",
  "",
  "content-lengt\xe8 | __proto__",
);
const CHUNKED_OK = "2\r\nok\r\n0\r\n\r\n";

/** F2 to F11, F15, P15: how long a body is, and what is there of it. */
function addFramings(add: Add): void {
  const bodies = [
    "ok",
    "o",
    "",
    `ok${POISON}`,
    "ok\r\n",
    CHUNKED_OK,
    `${CHUNKED_OK}${POISON}`,
    "2\r\nok\r\n",
  ];
  const lines = [
    ...LENGTHS.map((value) => `content-length: ${value}\r\n`),
    ...CODINGS.map((value) => `transfer-encoding: ${value}\r\n`),
    ...NAMES.map((name) => `${name}: 2\r\n`),
    "content-length: 2\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
    "",
    "connection: close\r\n",
    "connection: close\r\ncontent-length: 2\r\n",
    "connection: a b\r\ncontent-length: 2\r\n",
    "connection: content-length\r\ncontent-length: 2\r\n",
    "connection: x-hop\r\nx-hop: 1\r\ncontent-length: 2\r\n",
    "upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n",
    "keep-alive: timeout=9\r\ncontent-length: 2\r\n",
    "trailer: x-a\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding : chunked\r\n",
    "content-length : 2\r\n",
  ];
  for (const line of lines)
    for (const body of bodies) add(`${JSON.stringify(line)} ${body.length}`, `${OK}${line}\r\n${body}`);
  const few = ["content-length: 2\r\n", "content-length: 0\r\n", "transfer-encoding: chunked\r\n", ""];
  for (const status of STATUSES) {
    for (const line of few) {
      for (const body of ["", "ok", CHUNKED_OK, POISON]) {
        for (const method of ["GET", "HEAD", "POST", "OPTIONS"]) {
          add(`${method} ${status} ${line.trim()}`, `HTTP/1.1 ${status} X\r\n${line}\r\n${body}`, method);
        }
      }
    }
  }
  for (const line of few) {
    for (const body of ["ok", CHUNKED_OK]) add(`1.0 ${line.trim()}`, `HTTP/1.0 200 OK\r\n${line}\r\n${body}`);
  }
}

const CHUNKS: readonly string[] = list(
  "2\r\nok\r\n0\r\n\r\n | 02\r\nok\r\n00\r\n\r\n | 2;a=b\r\nok\r\n0;c\r\n\r\n",
  "2\r\nok\r\n0\r\nx-a: b\r\n\r\n | 0\r\n\r\n | 1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
  "0x2\r\nok\r\n0\r\n\r\n | 2 \r\nok\r\n0\r\n\r\n | +2\r\nok\r\n0\r\n\r\n | 2\nok\n0\n\n",
  "2\r\nok0\r\n\r\n | 2\r\nokk\r\n0\r\n\r\n | 3\r\nok\r\n0\r\n\r\n",
  "ffffffffffffffff2\r\nok\r\n0\r\n\r\n | 10000000000000002\r\nok\r\n0\r\n\r\n",
  "2;\r\nok\r\n0\r\n\r\n | 2;a\nb\r\nok\r\n0\r\n\r\n | \r\nok\r\n0\r\n\r\n | 2\r\nok\r\n0\r\n",
  "2\r\nok\r\n0\r\n\r | 2\r\nok\r\n0 | 2\r\nok\r\n | 2\r\nok | 2\r\no | 2\r\n | 2",
  "",
  "2\r\nok\r\n0\r\n\rX | 2\r\nok\r\n0\n\n | 2\r\nok\r\n0\r\nx : y\r\n\r\n",
  "2\r\nok\r\n0\r\nx: y\r\n z\r\n\r\n | 2\r\nok\r\n0\r\ncontent-length: 9\r\n\r\n",
  "2\r\nok\r\n0\r\nset-cookie: a\r\n\r\n | 2\r\nok\r\n0\r\n\r\n\r\n | 2\r\nok\r\n0\r\n\r\nx",
  "-2\r\nok\r\n0\r\n\r\n | g\r\n",
  `2\r\nok\r\n0\r\n\r\n${POISON}`,
  `2\r\nok\r\n0\r\nx\r\n\r\n${POISON}`,
  `2\r\nok\r\n2;${"a".repeat(5000)}\r\nok\r\n0\r\n\r\n`,
  `2\r\nok\r\n0\r\n${"x: y\r\n".repeat(129)}\r\n`,
);

/** F1, F12, F14. */
function addChunks(add: Add): void {
  for (const chunks of CHUNKS) {
    add(`chunks ${JSON.stringify(chunks)}`, `${OK}transfer-encoding: chunked\r\n\r\n${chunks}`);
    add(`POST, chunks ${JSON.stringify(chunks)}`, `${OK}transfer-encoding: chunked\r\n\r\n${chunks}`, "POST");
  }
}

const LINE_ENDS: readonly string[] = list(
  "\n | \r | \n\r | \r\r\n | \r\n\r\n | \r\n\n | \x0b\r\n | \x0c\r\n | \x85\r\n",
  "",
  " \r\n",
  "\t\r\n | \x00\r\n",
  "\r\n ",
  "\r\n\t | \r\n\r | \r \n | \n\n",
);
const FIELDS: readonly string[] = list(
  "x: y | x:y | x : y | x\t: y | : y | x | x y: z | x: \x00 | x: \x7f | x: \xe4 | \xe4: x | x: y\r",
  "x: a\rset-cookie: b | x: | set-cookie: a\r\nset-cookie: b | location: /a%0d%0aset-cookie: b",
  "x(y: z | transfer_encoding: chunked | __proto__: x | x-evener-backend: evil | x: a\r\n b",
  "x-request-id: evil",
);

/** S1, S2, S12 to S15: response splitting. */
function addLines(add: Add): void {
  const seed = `HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 2\r\nz: a\r\n\r\nok`;
  const parts = seed.split("\r\n");
  for (let i = 1; i < parts.length; i++) {
    for (const end of LINE_ENDS) {
      add(
        `line end ${i} is ${JSON.stringify(end)}`,
        parts.slice(0, i).join("\r\n") + end + parts.slice(i).join("\r\n"),
      );
    }
  }
  for (const field of FIELDS) add(`field ${JSON.stringify(field)}`, `${OK}${field}\r\n${WHOLE}`);
  add("too many fields", `${OK}${"x: y\r\n".repeat(129)}${WHOLE}`);
  add("fields too long", `${OK}x: ${"y".repeat(70_000)}\r\n${WHOLE}`);
}

/** P10: interim responses, and floods of them. */
function addInterims(add: Add): void {
  const early = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
  const final = `${OK}${WHOLE}`;
  for (const count of [1, 2, 15, 16, 17, 100]) add(`${count} interim responses`, early.repeat(count) + final);
  const first = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 102 Processing\r\n\r\n",
    "HTTP/1.1 199 X\r\nx: y\r\n\r\n",
    "HTTP/1.0 100 X\r\n\r\n",
    "HTTP/1.1 103 X\r\ncontent-length: 2\r\n\r\n",
    "HTTP/1.1 103 X\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 101 X\r\n\r\n",
    "HTTP/1.1 103 X\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 103 X\r\nset-cookie: a\r\nconnection: x-h\r\nx-h: 1\r\n\r\n",
    "HTTP/1.1 103\n\n",
    "HTTP/1.1 103 X\r\ncontent-length: x\r\n\r\n",
    "HTTP/1.1 103 X\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "HTTP/1.1 103 X\r\nx: \x00\r\n\r\n",
    "HTTP/1.1 103 X\r\n",
  ];
  for (const interim of first) {
    for (const method of ["GET", "HEAD", "POST"])
      add(`interim ${JSON.stringify(interim)}`, interim + final, method);
    add(`only ${JSON.stringify(interim)}`, interim);
    add(`1.0 behind ${JSON.stringify(interim)}`, `${interim}HTTP/1.0 200 OK\r\n\r\nok`);
  }
}

/** Bytes and words that parsers disagree about. */
const INSERTS: readonly string[] = list(
  "\r\n | \n | \r",
  " ",
  '\t | \x00 | \x0b | \x7f | \xa0 | \xff | : | ; | , | 0 | 2 | a | = | " | + | -',
  "HTTP/1.1 ",
  "\r\n\r\n",
  "\r\n ",
  "content-length: 2\r\n | transfer-encoding: chunked\r\n | 0\r\n\r\n | chunked | ok",
  "connection: close\r\n | HTTP/1.1 103 X\r\n\r\n | HTTP/1.1 204 X\r\n\r\n | ffff | close",
  POISON,
);
