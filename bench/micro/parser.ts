// Nanoseconds per message head, beside a loop over the same bytes and JSON.parse of a string of that length,
// in one run: compare the ratios, the times are of the machine. `--smoke` only proves that it runs.
import { BodyDecoder } from "../../src/http1/body.ts";
import { FIELD } from "../../src/http1/fields.ts";
import { DEFAULT_LIMITS } from "../../src/http1/limits.ts";
import { RequestParser, ResponseParser } from "../../src/http1/parser.ts";

const isSmoke = process.argv.includes("--smoke");
const ROUNDS = isSmoke ? 2_000 : 300_000;
const REPEATS = isSmoke ? 1 : 5;
/** Keeps results alive, so that no loop is optimised away. */
let sink = 0;

const small = lines(
  "POST /v1/chat/completions HTTP/1.1",
  "Host: models.example.com:8080",
  "User-Agent: OpenAI/Python 2.3.0",
  "Accept: application/json",
  "Accept-Encoding: gzip, deflate",
  "Connection: keep-alive",
  "Content-Type: application/json",
  "Authorization: Bearer sk-0123456789abcdef0123456789abcdef",
  "Content-Length: 1234",
  "X-Stainless-Lang: python",
  "X-Request-Id: 4be0643f1d98573b97cdca98a65347dd",
);
const get = lines(
  "GET /api/v1/pools/default/backends?limit=20 HTTP/1.1",
  "Host: balancer.example.com:8080",
  "User-Agent: python-requests/2.32.3 (linux; x86_64)",
  "Accept: application/json, text/plain, */*",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Connection: keep-alive",
  "X-Request-Id: 4be0643f1d98573b97cdca98a65347dd",
  "X-Api-Version: 2026-03-01",
);
const browser = lines(
  "GET /dashboard/assets/index-4f3c2a.js?v=20260301 HTTP/1.1",
  "Host: balancer.example.com:8080",
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="146", "Not-A.Brand";v="24", "Google Chrome";v="146"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0",
  "Accept: */*",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: no-cors",
  "Sec-Fetch-Dest: script",
  "Referer: http://balancer.example.com:8080/dashboard/",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
);
const response = lines(
  "HTTP/1.1 200 OK",
  "date: Sun, 01 Mar 2026 08:49:37 GMT",
  "server: uvicorn",
  "content-length: 431",
  "content-type: application/json",
  "x-request-id: 4be0643f1d98573b97cdca98a65347dd",
);

for (const [name, bytes] of Object.entries({ get, small, browser })) {
  const requests = new RequestParser();
  report(name, bytes, () => {
    sink += requests.parse(bytes, 0) + requests.head.count;
  });
}
const responses = new ResponseParser();
report("response", response, () => {
  sink += responses.parse(response, 0) + responses.head.status;
});

const fresh = new RequestParser();
const targets = Array.from({ length: 64 }, (_, i) =>
  lines(`GET /session/${i}/of/many HTTP/1.1`, `Host: host-${i}.example.com`, "Accept: */*"),
);
let turn = 0;
report("new target, new host", targets[0]!, () => {
  const bytes = targets[turn++ & 63]!;
  sink += fresh.parse(bytes, 0);
});
const halves = [browser.subarray(0, 400), browser.subarray(400)] as const;
const halved = new RequestParser();
report("browser, in two pieces", browser, () => {
  sink += halved.parse(halves[0], 0) + halved.parse(halves[1], 0);
});
const looked = new RequestParser();
report("browser, two values read", browser, () => {
  sink += looked.parse(browser, 0);
  sink += (looked.head.value(FIELD.cookie) ?? "").length + (looked.head.value(FIELD.userAgent) ?? "").length;
});

const decoder = new BodyDecoder(DEFAULT_LIMITS, "response");
const chunk = Buffer.from(`b4\r\n${"x".repeat(0xb4)}\r\n`);
const payload = {
  onPayload: (_bytes: Buffer, start: number, end: number): void => {
    sink += end - start;
  },
};
decoder.start("chunked", 0);
report("one chunk (an SSE event)", chunk, () => {
  sink += decoder.decode(chunk, 0, payload);
});
if (sink === 0) process.stdout.write("nothing was measured\n");

function report(name: string, bytes: Buffer, run: () => void): void {
  const text = JSON.stringify({
    padding: Array.from({ length: bytes.length >> 4 }, (_, i) => `header-${i}`),
  });
  const json = text.slice(0, 0) + JSON.stringify(text.slice(0, bytes.length - 2));
  const own = bestNs(run);
  const loop = bestNs(() => {
    let sum = 0;
    for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
    sink += sum;
  });
  const parsed = bestNs(() => {
    sink += (JSON.parse(json) as string).length;
  });
  const columns = [
    name.padEnd(26),
    `${String(bytes.length).padStart(4)} bytes`,
    `${own.toFixed(0).padStart(6)} ns`,
    `${(own / bytes.length).toFixed(2)} ns/byte`,
    `${(own / loop).toFixed(2)}x byte loop (${loop.toFixed(0)} ns)`,
    `${(own / parsed).toFixed(2)}x JSON.parse of a string (${parsed.toFixed(0)} ns)`,
  ];
  process.stdout.write(`${columns.join("  ")}\n`);
}

/** The best of some repeats: on a shared machine the others measure the neighbours. */
function bestNs(run: () => void): number {
  let best = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < ROUNDS; i++) run();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / ROUNDS);
  }
  return best;
}

function lines(...text: string[]): Buffer {
  return Buffer.from(`${text.join("\r\n")}\r\n\r\n`, "latin1");
}
