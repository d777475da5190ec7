// Request smuggling, generated from the rules: every disguise of every part that frames a message, alone and
// in pairs, with a request hidden where one of two readings would find it; then mutations of all of these.
import type { Random } from "../../../src/core/kit/random.ts";
import { list, mutate } from "./mutate.ts";

/** One stream of bytes that a client sends on one connection. */
export interface RequestCase {
  readonly name: string;
  readonly bytes: string;
}

/** The whole corpus: all that is systematic, and `mutations` mutated ones. The number in a target is its case's. */
export function requestCorpus(random: Random, mutations: number): RequestCase[] {
  const cases: RequestCase[] = [];
  const add = (name: string, bytes: string): void => {
    cases.push({ name, bytes: bytes.replaceAll("~~", String(cases.length)) });
  };
  addLengthsAndCodings(add, random);
  addChunks(add);
  addLines(add);
  addStartLines(add);
  addHosts(add);
  addHops(add);
  addPipelines(add);
  const seeds = cases.length;
  for (let i = 0; i < mutations; i++) {
    const seed = cases[random.below(seeds)]!;
    // The number of the seed's targets becomes this case's.
    const bytes = seed.bytes.replaceAll(/(?<=\/[a-z]+\/)\d+/g, "~~");
    add(`mutation of: ${seed.name}`, mutate(bytes, INSERTS, random));
  }
  return cases;
}

type Add = (name: string, bytes: string) => void;

const HIDDEN = "GET /hidden/~~ HTTP/1.1\r\nHost: h\r\n\r\n";
const POST = "POST /outer/~~ HTTP/1.1\r\nHost: o\r\n";

/** `#` is the number. */
const LENGTH_VALUES: readonly string[] = list(
  '# | +# | -# | 0# | 0000000# | 0x# | #, # | #,# | ,# | #, | # # | #; | #.0 | #e0 | "#" | #_0',
  "\t# | # \t | #\x0b | \x0b# | #\x0c | #\x00 | \x00# | \xa0# | #\xa0 | \x85#",
  "",
  " ",
  "18446744073709551616 | 1844674407370955161# | 9007199254740993 | 4294967296 | \r\n # | \r\n\t#",
  "#\r | #\n | identity | chunked | \xef\xbc\x91 | \xb2 | #\r\nContent-Length: 0",
  "0\r\nContent-Length: #",
);
const LENGTH_LINES: readonly string[] = list(
  "Content-Length: # | content-length:# | CONTENT-LENGTH: # | Content-Length : #",
  "Content-Length\t: #",
  " Content-Length: # | \tContent-Length: # | Content_Length: # | Content-Length\x00: #",
  "\x00Content-Length: # | Content-Length\x0b: # | Content Length: # | Content--Length: #",
  "Content-Lengt\xe8: # | Content-Length\r: # | Content-Length\r\n: # | X: y\rContent-Length: #",
  "X: y\nContent-Length: # | X: y\r\n Content-Length: # | X: y\n\rContent-Length: #",
  "X: y\r\r\nContent-Length: # | X-Content-Length: # | :Content-Length: # | Content-Length;: #",
  'Connection: content-length\r\nContent-Length: # | "Content-Length": # | Content-Length:\x01#',
  "Content-Length= #",
);
const CODING_VALUES: readonly string[] = list(
  "chunked | Chunked | CHUNKED | xchunked | chunkedx | chunked, | ,chunked | , chunked",
  "chunked, identity | identity, chunked | gzip, chunked | chunked, gzip | chunked, chunked",
  "chunked;q=1 | chunked; a=b | \"chunked\" | 'chunked' | chunked\x0b | \x0bchunked | chunked\x0c",
  "chunked\x00 | \x00chunked | chunked \t | \tchunked | chun\x00ked | chunke\xe4 | \xa0chunked",
  "chunked\xa0 | cow | identity | trailers",
  "",
  " ",
  "\r\n chunked | \r\n\tchunked | chu\r\n nked | chunked\r | chunked\n | chunked chunked | chunked=1",
  "(chunked) | chunked\r\nTransfer-Encoding: chunked | identity\r\nTransfer-Encoding: chunked",
  "chunked\r\nTransfer-Encoding: | chunked\r\nTransfer-Encoding: cow | 0 | chunk | ch\xf9nked",
  "%63hunked | chunked/1.0 | deflate",
);
const CODING_LINES: readonly string[] = list(
  "Transfer-Encoding: chunked | transfer-encoding:chunked | TRANSFER-ENCODING: chunked",
  "Transfer-Encoding : chunked | Transfer-Encoding\t: chunked",
  " Transfer-Encoding: chunked | \tTransfer-Encoding: chunked | Transfer_Encoding: chunked",
  "Transfer-Encoding\x00: chunked | \x0bTransfer-Encoding: chunked | Transfer-Encoding\x0b: chunked",
  "Transfer Encoding: chunked | Transfer-Encodin\xe7: chunked | Transfer-Encoding\r: chunked",
  "Transfer-Encoding\r\n: chunked | X: y\rTransfer-Encoding: chunked",
  "X: y\nTransfer-Encoding: chunked | X: y\r\n Transfer-Encoding: chunked",
  "X-Transfer-Encoding: chunked | Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
  "Content-Encoding: chunked | TE: chunked | Trailer: chunked | Transfer-Encoding:\x7fchunked",
);
const PAIRS = 500;

/** F2 to F9, S12 to S14: who finds the end of the body where. */
function addLengthsAndCodings(add: Add, random: Random): void {
  const lengths = [...LENGTH_VALUES.map((value) => `Content-Length: ${value}`), ...LENGTH_LINES];
  const codings = [...CODING_VALUES.map((value) => `Transfer-Encoding: ${value}`), ...CODING_LINES];
  for (const line of lengths) addFramed(add, "one length", POST, [line]);
  for (const line of codings) addFramed(add, "one coding", POST, [line]);
  for (const line of codings) addFramed(add, "one coding, 1.0", POST.replace("1.1", "1.0"), [line]);
  for (const line of codings) {
    addFramed(add, "coding before length", POST, [line, "Content-Length: #"]);
    addFramed(add, "coding behind length", POST, ["Content-Length: #", line]);
  }
  for (const line of lengths)
    addFramed(add, "length beside chunked", POST, [line, "Transfer-Encoding: chunked"]);
  for (const line of lengths) addFramed(add, "length beside length", POST, [line, "Content-Length: 3"]);
  for (const method of ["GET", "HEAD", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get", "PROPFIND"]) {
    for (const line of ["Content-Length: #", "Transfer-Encoding: chunked", "X: y"]) {
      addFramed(add, `${method} with a body`, POST.replace("POST", method), [line]);
    }
  }
  for (let i = 0; i < PAIRS; i++) {
    const pair = [lengths[random.below(lengths.length)]!, codings[random.below(codings.length)]!];
    if (random.below(2) === 0) pair.reverse();
    const start = random.below(4) === 0 ? POST.replace("1.1", "1.0") : POST;
    addFramed(add, "length and coding", start, pair);
  }
}

/** The same head before a body that ends early for one reader, and one that ends early for the other. */
function addFramed(add: Add, name: string, start: string, lines: readonly string[]): void {
  const inChunk = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;
  const bodies = [
    { body: `0\r\n\r\n${HIDDEN}`, length: 5 + HIDDEN.length },
    { body: inChunk, length: 4 },
  ];
  for (const { body, length } of bodies) {
    const head = lines.map((line) => `${line.replaceAll("#", String(length))}\r\n`).join("");
    add(`${name}: ${JSON.stringify(lines.join(" | "))}`, `${start}${head}\r\n${body}`);
  }
}

const CHUNK_SIZES: readonly string[] = list(
  "5 | 05 | 0000000000000005 | 00000000000000005 | 0x5 | +5 | -5",
  " 5",
  "5 ",
  "\t5 | 5\t | 5_ | 1_0 | 5. | 5,",
  "",
  "g | A5 | \x005 | 5\x00 | \x0b5 | 5\x0b | \xb55 | 5\xa0 | ffffffffffffffff | fffffffffffffffb",
  '20000000000000 | 100000005 | 10000000000000005 | 5; | 5;; | 5;a | 5;a=b | 5;a="b"',
  '5;a="b\\"" | 5;a=" | 5;a="\r\n" | 5;a=b;c=d | 5;a= b | 5 ;a=b | 5; a=b | 5;a\x00 | 5;a\x0b',
  '5;a=\xe4 | 5;a="\xe4" | 5;\xe4 | 5\r | 5;a\r | 5\r\r | 5\n | 5;a\nb | 5;a=b\nc | 0 | 00 | 0;a',
  "0 ",
  "-0 | 0x0 | 4 | 6 | 55 | 5\r\n5 | five | 0000 | 1e1 | 5: | 5;a=b c",
);
const CHUNK_ENDS: readonly string[] = [
  "\r\n",
  "\n",
  "\r",
  "\r\r\n",
  "\n\r",
  "",
  " \r\n",
  "X\r\n",
  "\r\nX",
  "\x00\r\n",
  "\r\n\r\n",
];
const LAST_CHUNKS: readonly string[] = list(
  "0\r\n\r\n | 0\n\n | 0\r\n\n | 0\n\r\n | 0\r\r | 0\r\n\r | 0\r\n\rX | 000\r\n\r\n | 0;a=b\r\n\r\n",
  "0\r\n \r\n | 0\r\nX: y\r\n\r\n | 0\r\nX : y\r\n\r\n | 0\r\nX: y\r\n z\r\n\r\n | 0\r\nX: y\n\r\n",
  "0\r\nX\r\n\r\n | 0\r\n: y\r\n\r\n | 0\r\nContent-Length: 40\r\n\r\n",
  "0\r\nTransfer-Encoding: chunked\r\n\r\n | 0\r\nHost: evil\r\n\r\n | 0\r\nX: \x00\r\n\r\n",
  "0\r\nAuthorization: evil\r\nX-Forwarded-For: evil\r\n\r\n | 0\r\nX: y\rZ: a\r\n\r\n",
  "0\r\nGET / HTTP/1.1\r\n\r\n | 0\r\n | 0\r\nX: y\r\n\r\n\r\n | 0\r\n\r\n\r\n | 0\r\n\r\n\r\n\r\n",
  "0\r\n\r\n\r\n\r\n\r\n | 1\r\n\r\n | 0",
);

/** F1, F12, F14: the grammar of chunks, each part of it broken in every way. */
function addChunks(add: Add): void {
  const head = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
  const wrong = JSON.stringify.bind(JSON);
  for (const size of CHUNK_SIZES) {
    add(`chunk size ${wrong(size)}`, `${head}${size}\r\nhello\r\n0\r\n\r\n${HIDDEN}`);
    add(`later chunk size ${wrong(size)}`, `${head}3\r\nabc\r\n${size}\r\nhello\r\n0\r\n\r\n${HIDDEN}`);
    add(`hidden behind chunk size ${wrong(size)}`, `${head}${size}\r\n${HIDDEN}0\r\n\r\n`);
  }
  for (const end of CHUNK_ENDS) {
    add(`end of a chunk line ${wrong(end)}`, `${head}5${end}hello\r\n0\r\n\r\n${HIDDEN}`);
    add(`end of an extension ${wrong(end)}`, `${head}5;a${end}hello\r\n0\r\n\r\n${HIDDEN}`);
    add(`end of a chunk ${wrong(end)}`, `${head}5\r\nhello${end}0\r\n\r\n${HIDDEN}`);
    add(`end of the last chunk line ${wrong(end)}`, `${head}5\r\nhello\r\n0${end}\r\n${HIDDEN}`);
    add(`end of the body ${wrong(end)}`, `${head}5\r\nhello\r\n0\r\n${end}${HIDDEN}`);
  }
  for (const last of LAST_CHUNKS) {
    add(`last chunk ${wrong(last)}`, `${head}5\r\nhello\r\n${last}${HIDDEN}`);
    add(`only chunk ${wrong(last)}`, `${head}${last}${HIDDEN}`);
    add(`last chunk and no CRLF before it ${wrong(last)}`, `${head}5\r\nhello${last}${HIDDEN}`);
  }
}

const LINE_ENDS: readonly string[] = list(
  "\n | \r | \n\r | \r\r\n | \r\n\r\n | \r\n\n | \x0b\r\n | \x0c\r\n | \x85\r\n | \xe2\x80\xa8",
  "",
  " \r\n",
  "\t\r\n | \x00\r\n",
  "\r\n ",
  "\r\n\t | \r\n\r | \r\x00\n | \r \n | \x1c\r\n | \n\n | ,\r\n | \\r\\n | %0d%0a",
);
const LINE_SEEDS: readonly string[] = [
  `GET /line/~~ HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n${HIDDEN}`,
  `POST /line/~~ HTTP/1.1\r\nX: y\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${HIDDEN}`,
  `POST /line/~~ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n5\r\nhello\r\n0\r\n\r\n${HIDDEN}`,
];

/** S1, S2, S3, S13: each line end of each message in each wrong way. */
function addLines(add: Add): void {
  for (const seed of LINE_SEEDS) {
    const parts = seed.split("\r\n");
    for (let i = 1; i < parts.length - 3; i++) {
      for (const end of LINE_ENDS) {
        const bytes = `${parts.slice(0, i).join("\r\n")}${end}${parts.slice(i).join("\r\n")}`;
        add(`line end ${i} is ${JSON.stringify(end)}`, bytes);
      }
    }
  }
  for (const before of [
    ...LINE_ENDS,
    "\r\n\r\n\r\n",
    " ",
    "\t",
    "X",
    "\xef\xbb\xbf",
    "\x16\x03\x01\x02\x00",
    "\x00",
  ]) {
    add(
      `${JSON.stringify(before)} before the request`,
      `${before}GET /line/~~ HTTP/1.1\r\nHost: a\r\n\r\n${HIDDEN}`,
    );
  }
}

const METHODS: readonly string[] = list(
  "GET | get | PRI | G | GET\x00 | G ET | G\tET | GET\x0b | G(ET | G:ET | \x80GET | GET, | __proto__",
  "'GET | HTTP/1.1 | AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA | AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  "",
  "M-SEARCH | CONNECT | TRACE | OPTIONS | HEAD",
);
const TARGETS: readonly string[] = list(
  '/t/~~ | /t/~~? | /t/~~?a=b&c | /t/~~# | /t/~~?a#b | /t/~~\\x | /t/~~?\\ | /t/~~< | /t/~~"',
  "/t/~~\x00 | /t/~~\x7f | /t/~~\xe4 | /t/~~ x | /t/~~\tx | //t/~~ | /// | / | * | t/~~ | ?t=~~",
  "/t/~~HTTP/1.1 | /t/~~\x0b | /t/~~%20HTTP/1.1 | http://a/t/~~ | HTTP://A/t/~~ | http://a",
  "http://a?x=~~ | https://a:443/t/~~ | http:///t/~~ | http://:80/t/~~ | http://u@a/t/~~",
  "http://u:p@a/t/~~ | ftp://a/t/~~ | http:/t/~~ | http:t/~~ | //a/t/~~ | http://a b/t/~~",
  "http://a\\t/~~ | http://a/t/~~#x | http://[::1]/t/~~ | http://[::1/t/~~ | http://[x]/t/~~",
  "http://a:65536/t/~~ | http://a:b/t/~~ | http://a:/t/~~ | http://a%2fb/t/~~ | javascript:t/~~",
  "a:80 | a | :80 | [::1]:80 | a:80/t/~~ | u@a:80 | a:99999",
);
const VERSIONS: readonly string[] = list(
  "HTTP/1.1 | HTTP/1.0 | HTTP/1.2 | HTTP/1.9 | HTTP/1.10 | HTTP/1.01 | HTTP/01.1 | HTTP/2.0",
  "HTTP/0.9 | HTTP/1 | http/1.1 | HTTP /1.1 | HTTP/ 1.1 | HTTP/1. 1",
  "HTTP/1.1 ",
  " HTTP/1.1",
  "HTTP/1.1\x00 | HTTP/1,1 | HTTP/+1.1 | HTTP/1.-1 | HTTP/1.x | HTTP1.1 | HTTPS/1.1 | ICY/1.1",
  "",
  "HTTP/1.1\tX | HTTP/1.1,HTTP/1.1 | HTTP/1.\xb1",
);

/** S4 to S6, S8 to S11, S18. */
function addStartLines(add: Add): void {
  const rest = `Host: a\r\n\r\n${HIDDEN}`;
  for (const method of METHODS)
    add(`method ${JSON.stringify(method)}`, `${method} /t/~~ HTTP/1.1\r\n${rest}`);
  for (const target of TARGETS) {
    for (const method of ["GET", "OPTIONS", "CONNECT"]) {
      add(`${method} ${JSON.stringify(target)}`, `${method} ${target} HTTP/1.1\r\n${rest}`);
    }
    add(`1.0 ${JSON.stringify(target)}`, `GET ${target} HTTP/1.0\r\n\r\n${HIDDEN}`);
  }
  for (const version of VERSIONS)
    add(`version ${JSON.stringify(version)}`, `GET /t/~~ ${version}\r\n${rest}`);
  for (const space of ["  ", "\t", "", "\x0b", "\xa0", " \t", "\x00", "\r", "\n", "+", "%20"]) {
    add(`${JSON.stringify(space)} behind the method`, `GET${space}/t/~~ HTTP/1.1\r\n${rest}`);
    add(`${JSON.stringify(space)} behind the target`, `GET /t/~~${space}HTTP/1.1\r\n${rest}`);
  }
}

const HOSTS: readonly string[] = list(
  "a | A.b | a:80 | a: | a:0 | a:65535 | a:65536 | a:080 | a:+80 | a:8 0 | a:80:80 | [::1]",
  "[::1]:80 | [::1 | ::1 | [:::] | [::1]x | [v1.a] | [fe80::1%25eth0] | 127.0.0.1",
  "",
  " ",
  "u@a | a/b | a?b | a#b | a\\b | a,b | a b | a\tb | a;b | a%2fb | a\x00b | a\x0b | \xe4 | a..b | -",
  "_ | a_b | * | 'a' | http://a | a\r\nHost: b | a\r\nHost: a | a\r\nhost:\r\nX: y | a\r\nHost : b",
  "a\r\n Host: b | a\nHost: b | a\rHost: b | a\r\nHOST: c",
);

/** S7, S8, S11. */
function addHosts(add: Add): void {
  for (const host of HOSTS) {
    const name = JSON.stringify(host);
    add(`Host ${name}`, `GET /h/~~ HTTP/1.1\r\nHost: ${host}\r\n\r\n${HIDDEN}`);
    add(`Host ${name} in 1.0`, `GET /h/~~ HTTP/1.0\r\nHost: ${host}\r\n\r\n${HIDDEN}`);
    add(
      `Host ${name} beside an absolute target`,
      `GET http://z/h/~~ HTTP/1.1\r\nHost: ${host}\r\n\r\n${HIDDEN}`,
    );
  }
  for (const line of ["X: y", "Host", "Hos: a", "Host a", "X-Host: a", "X-Forwarded-Host: a", "Host:"]) {
    add(`instead of Host ${JSON.stringify(line)}`, `GET /h/~~ HTTP/1.1\r\n${line}\r\n\r\n${HIDDEN}`);
  }
}

const OPTIONS: readonly string[] = list(
  "close | Close | keep-alive | close, keep-alive | keep-alive, close | upgrade | host",
  "content-length | a b | a;b | transfer-encoding | expect | te | , | ,,close | close,",
  "",
  '"close" | close\x00 | clos\xe9 | x-a, x-b | cookie',
  "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,",
  "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,",
  "close\r\nConnection: keep-alive | (close) | connection | x-forwarded-for | via",
);
const EXPECTATIONS: readonly string[] = [
  "100-continue",
  "100-Continue",
  "200-ok",
  "",
  "100-continue, x",
  "100-continue\r\nExpect: x",
];
const UPGRADES: readonly string[] = ["h2c", "HTTP/2.0", "TLS/1.0", "h2c, foo/2", "", "\x00", "a b"];

/** P2, P11, P12, C3, C4: what belongs to one connection, before a body and a pipelined request. */
function addHops(add: Add): void {
  const framed = [
    `\r\n`,
    "Content-Length: 5\r\n\r\nhello",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  ];
  for (const version of ["1.1", "1.0"]) {
    const start = POST.replace("1.1", version);
    for (const rest of framed) {
      for (const value of OPTIONS)
        add(`Connection ${JSON.stringify(value)}`, `${start}Connection: ${value}\r\n${rest}${HIDDEN}`);
      for (const value of EXPECTATIONS)
        add(`Expect ${JSON.stringify(value)}`, `${start}Expect: ${value}\r\n${rest}${HIDDEN}`);
      for (const value of UPGRADES) {
        const lines = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${value}\r\nHTTP2-Settings: AAMAAABkAAQ\r\n`;
        add(`Upgrade ${JSON.stringify(value)}`, `${start}${lines}${rest}${HIDDEN}`);
      }
    }
  }
  for (const name of [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "Proxy-Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
  ]) {
    add(`field ${name}`, `${POST}${name}: close\r\nContent-Length: 5\r\n\r\nhello${HIDDEN}`);
  }
}

/** C1, C2 and what comes behind a request that is refused: never another answer, never another request. */
function addPipelines(add: Add): void {
  const good = [
    "GET /p/~~ HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /p/~~ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST /p/~~ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\r\n",
    "HEAD /p/~~ HTTP/1.1\r\nHost: a\r\n\r\n",
  ];
  const last = [
    "GET /q/~~ HTTP/1.0\r\n\r\n",
    "GET /q/~~ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /q/~~\r\n\r\n",
    "GET /q/~~ HTTP/1.1\r\n\r\n",
    "POST /q/~~ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "POST /q/~~ HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n",
    "POST /q/~~ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n",
    "POST /q/~~ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\nhello",
    "TRACE /q/~~ HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "POST /q/~~ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: x\r\n\r\nhello",
  ];
  for (const first of good) {
    for (const second of good) {
      add("two pipelined", first + second + HIDDEN);
      for (const third of last) add("the third is the last", first + second + third + HIDDEN);
    }
  }
}

/** Bytes and words that parsers disagree about. */
const INSERTS: readonly string[] = list(
  "\r\n | \n | \r",
  " ",
  '\t | \x00 | \x0b | \x7f | \xa0 | \xff | : | ; | , | 0 | 5 | a | = | " | \\ | + | - | \r\n\r\n',
  "\r\n ",
  "Content-Length: 5\r\n | Transfer-Encoding: chunked\r\n | 0\r\n\r\n | chunked | HTTP/1.1",
  "Host: b\r\n | GET /hidden/~~ HTTP/1.1\r\nHost: h\r\n\r\n | Connection: close\r\n | ffff",
  "identity | close | 5\r\nhello\r\n",
);
