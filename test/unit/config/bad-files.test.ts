import assert from "node:assert/strict";
import { test } from "node:test";

import { structure } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/load.ts";
import { ConfigError } from "../../../src/config/problem.ts";

/** Each file with the problems that a person reads, in the order of the file. */
const BAD_FILES: readonly { text: string; problems: readonly string[] }[] = [
  {
    text: "",
    problems: ['1:1: the file is empty; write "listen: 8080" and "backends: [http://HOST:PORT]"'],
  },
  {
    text: "- a",
    problems: ['1:1: expected a map, found a list; write "listen: 8080" and "backends: [http://HOST:PORT]"'],
  },
  {
    text: "# only a comment\nlog: { level: info }\n",
    problems: [
      '2:1: listen: is missing; write "listen: 8080"',
      '2:1: backends: is missing; write "backends: [http://10.0.0.1:8000]"',
    ],
  },
  {
    // A mistyped key is not reported as missing, too.
    text: "lisen: 8080\nbackend: [a:1]\n",
    problems: [
      '1:1: lisen: no such key; correct or remove it (did you mean "listen"?)',
      '2:1: backend: no such key; correct or remove it (did you mean "backends"?)',
    ],
  },
  {
    // What belongs to a pool.
    text: "listen: 1\nbackends: [a:1]\npolicy: hash\nsession: cookie\nhealth: off\n",
    problems: [
      "3:1: policy: no such key here; move or remove it (did you mean pools.default.policy?)",
      "4:1: session: no such key here; move or remove it (did you mean pools.default.session?)",
      "5:1: health: no such key here; move or remove it (did you mean pools.default.health?)",
    ],
  },
  {
    text: "listen: 1\npools:\n  chat:\n    backends: [a:1]\nretry: off\n",
    problems: [
      "5:1: retry: no such key here; move or remove it (did you mean pools.chat.retry or routes[].retry?)",
    ],
  },
  {
    text: "listen: 1\nbackends: [a:1]\nhtml: 5\n",
    problems: [
      "3:1: html: no such key; write one of listen, backends, listeners, trusted_proxies, " +
        "forwarded_headers, resolvers, threads, access_log, log, pools, routes, " +
        "upgrades, admin, tasks, drain, session_keys, limits",
    ],
  },
  {
    text: "listen: 1\nlisten: 2\nbackends: [a:1]\n",
    problems: ["2:1: listen: this key is there twice; remove one of them"],
  },
  {
    text: "listen: [1\nbackends: [a:1]\n",
    problems: [
      "2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
  },
  {
    text: "listen: 1\nbackends: [a:1]\nlog: { level: ${LEVEL} }\n",
    problems: [
      "3:16: not valid YAML: Unexpected flow-map-start at node end (inside { } and [ ] write " +
        '"${NAME}" in quotes)',
    ],
  },
  {
    text: "listen: 1\nbackends: [a:1]\n---\nlisten: 2\n",
    problems: ["3:1: one document is expected; remove the second"],
  },
  {
    text: "listen: !port 1\nbackends: [a:1]\n",
    problems: ["1:9: not valid YAML: Unresolved tag: !port"],
  },
  {
    text: "listen: 1\nbackends: *hosts\n",
    problems: ['2:11: backends: there is no anchor "&hosts" before this'],
  },
  {
    text: "listen: 1\nbackends: [a:1]\n? [a]\n: 1\n",
    problems: ["3:3: a map or a list can not be a key"],
  },
  {
    text: 'listen: 1\nlisteners: [{ bind: 2 }]\nbackends: [a:1]\npools: { default: { backends: ["b:1"] } }\n',
    problems: [
      '1:1: listen: is short for "listeners", which is there too; move it into "listeners"',
      "3:1: backends: is short for pools.default.backends, and pools.default is there too; move them into it",
    ],
  },
  {
    text: "listen: 99999\nbackends: []\n",
    problems: [
      "1:9: listen: port 99999 is too high; write 1 to 65535",
      "2:11: backends: is an empty list; write at least one entry",
    ],
  },
  {
    text: "listeners:\n  - bind: localhost\n  - bnd: 1\n  - bind:\nbackends: [a:1]\n",
    problems: [
      '2:11: listeners[0].bind: expected a port or host:port, found "localhost"; write 8080 or ' +
        "127.0.0.1:8080",
      '3:5: listeners[1].bnd: no such key; correct or remove it (did you mean "bind"?)',
      "4:5: listeners[2].bind: expected a port, host:port or unix:/path, found nothing; write 8080, " +
        "127.0.0.1:8080 or unix:/run/evener.sock",
    ],
  },
  {
    text:
      "listeners: [{ bind: 80, proxy_protocol: yes }]\nbackends: [a:1]\n" +
      "trusted_proxies: [10.0.0.0/8, 10.1.2.3/8, 0177.0.0.1, localhost, 10.0.0.0/33, '::1/64', 7]\n" +
      "forwarded_headers: x-forwarded\n",
    problems: [
      '1:41: listeners[0].proxy_protocol: expected true or false, found "yes"; write true or false',
      "3:31: trusted_proxies[1]: 10.1.2.3/8 has bits behind its prefix; write 10.0.0.0/8",
      ...(["0177.0.0.1", "localhost", "10.0.0.0/33"] as const).map(
        (text, i) =>
          `3:${[43, 55, 66][i]}: trusted_proxies[${i + 2}]: expected an address or a CIDR range, ` +
          `found "${text}"; write 10.0.0.0/8, 192.0.2.7 or fd00::/8`,
      ),
      "3:79: trusted_proxies[5]: ::1/64 has bits behind its prefix; write ::/64",
      "3:89: trusted_proxies[6]: expected an address or a CIDR range, found 7; " +
        "write 10.0.0.0/8, 192.0.2.7 or fd00::/8",
      '4:20: forwarded_headers: expected x_forwarded, forwarded, both or off, found "x-forwarded" ' +
        '(did you mean "x_forwarded"?)',
    ],
  },
  {
    text: "listeners: [{ bind: 80 }, { bind: 81, proxy_protocol: true }]\nbackends: [a:1]\n",
    problems: [
      '1:39: listeners[1].proxy_protocol: needs "trusted_proxies": the addresses of those that send the header',
    ],
  },
  {
    text: "listen: 1\npools: { a: { backends: [b:1], proxy_protocol: 2 } }\n",
    problems: ["2:48: pools.a.proxy_protocol: expected off, v1 or v2, found 2"],
  },
  {
    text: "listeners: [{ bind: 80 }, { bind: '0.0.0.0:80' }]\nbackends: [a:1]\n",
    problems: ["1:35: listeners[1].bind: is there twice; remove one of them"],
  },
  {
    text:
      "listen: 1\nbackends:\n  - unix:run\n  - http://u:p@h:1\n  - http://a:1/v1\n  - a\n" +
      "  - 8000\n  - ftp://a:1\n",
    problems: [
      '3:5: backends[0]: expected the whole path of a unix socket, found "unix:run"; write ' +
        "unix:/run/vllm.sock",
      `4:5: backends[1]: a user in a backend's URL is not sent; write "headers: { authorization: ... }"`,
      "5:5: backends[2]: a backend's URL ends with the port: requests keep their own path; write " +
        "http://host:port",
      '6:5: backends[3]: expected a URL, found "a"; write http://host:port (a port is needed)',
      "7:5: backends[4]: expected a URL, found 8000; write http://10.0.0.1:8000",
      "8:5: backends[5]: backends are reached by http or https, not ftp; write http://host:port",
    ],
  },
  {
    text: "listen: 1\nbackends:\n  - a:1\n  - http://A:1\n",
    problems: ['4:5: backends[1]: the id "a:1" is there twice; give each backend an "id" of its own'],
  },
  {
    text:
      "listen: 1\nbackends:\n  - { url: a:1, wieght: 2 }\n" +
      "  - { url: b:1, weight: 0, limit: 1.5 }\n  - { weight: 1 }\n",
    problems: [
      '3:17: backends[0].wieght: no such key; correct or remove it (did you mean "weight"?)',
      "4:25: backends[1].weight: 0 is too little; write 0.001 to 1000000",
      "4:35: backends[1].limit: expected a whole number, found 1.5; write 1 to 1000000",
      "5:5: backends[2].url: is missing; write a URL: http://10.0.0.1:8000",
    ],
  },
  {
    text:
      "listen: 1\nbackends:\n  - url: a:1\n    labels: { rank: 1 }\n    headers: { Host: x }\n" +
      "  - url: b:1\n    headers:\n      a b: c\n",
    problems: [
      '4:21: backends[0].labels.rank: expected a text, found 1; write it in quotes: "1"',
      "5:16: backends[0].headers.Host: is set by Evener itself; remove it",
      `8:7: backends[1].headers.a b: is not a header's name; write letters, digits, "_", "-" or "."`,
    ],
  },
  {
    text: `
listen: 8080
pools:
  default:
    policy: hsh
    backends: [a:1]
    health: of
    session: heder:x
    slow_start: 30
    queue: 5
    retry: { on: [rest, 200], budget: 0.2, body_max: 1MB }
    timeouts: { conect: 1s, idle: 1ms }
    failover: ful
routes:
  - pool: defalt
`,
    problems: [
      "5:13: pools.default.policy: expected auto, inference, least_request, peak_ewma, round_robin, p2c, " +
        "random, resource, " +
        'hash, fill or a map, found "hsh" (did you mean "hash"?)',
      '7:13: pools.default.health: expected off or a map, found "of" (did you mean "off"?)',
      '8:14: pools.default.session: expected a key, found "heder:x"; write cookie, header:NAME, ' +
        "cookie:NAME, " +
        'query:NAME, body:FIELD, path or client_ip (did you mean "header:x"?)',
      "9:17: pools.default.slow_start: expected a duration, found 30; write such as 250ms, 2s, 1m or 1h " +
        '(did you mean "30s"?)',
      "10:12: pools.default.queue: expected off or a map, found 5; the map's keys are max, wait",
      '11:19: pools.default.retry.on[0]: expected a condition, found "rest"; write connect_failure, reset, ' +
        'first_byte_timeout, http_5xx or a status 400 to 599 (did you mean "reset"?)',
      "11:25: pools.default.retry.on[1]: expected a condition, found 200; write connect_failure, reset, " +
        "first_byte_timeout, http_5xx or a status 400 to 599",
      "11:39: pools.default.retry.budget: expected a percentage, found 0.2; write such as 20%",
      '11:54: pools.default.retry.body_max: expected a size, found "1MB"; write such as 64KiB, ' +
        "1MiB or bytes without a unit",
      '12:17: pools.default.timeouts.conect: no such key; correct or remove it (did you mean "connect"?)',
      "12:35: pools.default.timeouts.idle: 1ms is too little; write 10ms to 1d",
      '13:15: pools.default.failover: expected down or full, found "ful" (did you mean "full"?)',
      '15:11: routes[0].pool: there is no pool "defalt"; write one of default (did you mean "default"?)',
    ],
  },
  {
    text: `
listen: 1
pools:
  a: { backends: [a:1], policy: { name: hash, key: cookie, balance: 2 } }
  b: { backends: [a:1], policy: { name: hahs } }
  c: { backends: [a:1], policy: { nme: hash } }
  d: { backends: [a:1], policy: { name: fill, key: path } }
`,
    problems: [
      "2:1: routes: is missing; there are 4 pools (a, b, c, d): say what goes where",
      '4:52: pools.a.policy.key: a policy has no session cookie; write cookie:NAME, or use "session: cookie"',
      "4:60: pools.a.policy.balance: no such key; write one of name, key, balance_factor",
      "5:41: pools.b.policy.name: expected auto, inference, least_request, peak_ewma, round_robin, p2c, " +
        "random, resource, " +
        'hash or fill, found "hahs" (did you mean "hash"?)',
      "6:33: pools.c.policy.name: is missing; write auto, inference, least_request, peak_ewma, round_robin, " +
        "p2c, random, " +
        "resource, hash or fill",
      "7:47: pools.d.policy.key: no such key; write one of name",
    ],
  },
  {
    text: `
listen: 1
pools:
  a:
    backends: [a:1]
    outlier: { failures: 30, of: 20, ejection: 2h, ejection_max: 1m }
    slowdown: { tolerance: 5, useless: 4 }
    session: { key: client_ip, ttl: 1h }
    health: { path: health, expect: { status: 399-200 } }
    agent_check: {}
  _b: { backends: [b:1] }
`,
    problems: [
      "2:1: routes: is missing; there are 2 pools (a, _b): say what goes where",
      "6:48: pools.a.outlier.ejection: 2h is too much; write 100ms to 1h",
      "7:40: pools.a.slowdown.useless: 4 is not above tolerance (5); write a larger number",
      '8:32: pools.a.session.ttl: has no meaning for this key; remove it or write "key: cookie"',
      '9:21: pools.a.health.path: expected auto or a path, found "health"; write /health',
      "9:47: pools.a.health.expect.status: the range 399-200 is empty; write the lower status first",
      "10:18: pools.a.agent_check.port: is missing; write a whole number: 1 to 65535",
    ],
  },
  {
    text: "listen: 1\npools: { a: { backends: [a:1], outlier: { failures: 30, of: 20 } } }\n",
    problems: ["2:53: pools.a.outlier.failures: 30 failures can not be among 20 outcomes; write at most 20"],
  },
  {
    text: "listen: 1\npools:\n  _b: { backends: [b:1] }\n",
    problems: [`3:3: pools._b: is not a pool's name; write letters, digits, "_", "-" or "."`],
  },
  {
    text: "listen: 1\npools: {}\n",
    problems: ['2:8: pools: is empty; write "default: { backends: [http://10.0.0.1:8000] }"'],
  },
  {
    text:
      "listen: 1\nbackends: [a:1]\nupgrades: [h2c, web socket]\n" +
      "routes: [{ pool: default, upgrades: [tls/1.0, 5] }]\n",
    problems: [
      "3:12: upgrades[0]: h2c would carry requests past the routes; remove it",
      '3:17: upgrades[1]: expected a protocol, found "web socket"; write websocket, or another token of Upgrade',
      "4:38: routes[0].upgrades[0]: tls/1.0 would carry requests past the routes; remove it",
      "4:47: routes[0].upgrades[1]: expected a protocol, found 5; write websocket, or another token of Upgrade",
    ],
  },
  {
    text: "listen: 1\nbackends: [a:1]\nroutes:\n  - { match: { path: v1, method: get, host: 'a:80' } }\n",
    problems: [
      '4:22: routes[0].match.path: expected a path, found "v1"; write /v1/ (it starts with a slash)',
      '4:34: routes[0].match.method: expected a method, found "get"; write GET or POST, in capitals',
      '4:45: routes[0].match.host: expected a host, found "a:80"; write api.example.com or ' +
        "*.example.com (no port)",
      "4:5: routes[0].pool: is missing; write a pool's name, or one of split, redirect and answer",
    ].toSorted(byColumn),
  },
  {
    text:
      "listen: 1\nbackends: [a:1]\nadmin:\n  token: ${TOKEN}\ndrain:\n  timeout: 5${UNIT}\n" +
      "log:\n  level: '${'\n",
    problems: [
      "4:10: admin.token: the environment has no TOKEN; set it before the start",
      "6:13: drain.timeout: the environment has no UNIT; set it before the start",
      '8:11: log.level: after "${" a name and "}" are expected; write ${NAME}, or $${ for a plain ${',
    ],
  },
  {
    text:
      "listen: 1\nbackends: [a:1]\nsession_keys: [abc, 12345678901234567]\nthreads: 400\n" +
      "access_log: stdot\n",
    problems: [
      "3:16: session_keys[0]: is too short; at least 16 characters",
      "3:21: session_keys[1]: is no text; put it in quotes",
      "4:10: threads: expected auto or a number of threads up to 63, found 400; write auto",
      '5:13: access_log: expected stdout, off or a file, found "stdot"; write ./access.log for a ' +
        "file of this " +
        'directory (did you mean "stdout"?)',
    ],
  },
  {
    text:
      "listen: 1\nbackends: [a:1]\nroutes:\n" +
      "  - { match: { path: { regex: '/(a' } }, pool: default }\n" +
      "  - { match: { path: { regex: '/a(?=b)' } }, pool: default }\n" +
      "  - { match: { path: { regex: '/.{900}' } }, pool: default }\n" +
      "  - { match: { path: { exact: a } }, pool: default }\n" +
      "  - { match: { path: { exact: /a, prefix: /b } }, pool: default }\n" +
      "  - { match: { path: { regx: /a } }, pool: default }\n" +
      "  - { match: { header: { x-a: { presnt: true } } }, pool: default }\n" +
      "  - { match: { query: { a: { present: maybe } }, cookie: { 'a b': c } }, pool: default }\n",
    problems: [
      "4:31: routes[0].match.path.regex: is no regular expression that RE2 knows: missing closing ): `/(a`; " +
        "write '/v1/models/[^/]+' (in single quotes)",
      "5:31: routes[1].match.path.regex: is no regular expression that RE2 knows: invalid or unsupported Perl " +
        "syntax: `(?=`; write '/v1/models/[^/]+' (in single quotes)",
      "6:31: routes[2].match.path.regex: is no regular expression that RE2 knows: it is too large: 903 " +
        "instructions, at most 200; write '/v1/models/[^/]+' (in single quotes)",
      '7:31: routes[3].match.path.exact: expected a path, found "a"; write /v1/models (it starts with a slash)',
      "8:22: routes[4].match.path: write exactly one of prefix, exact and regex",
      '9:24: routes[5].match.path.regx: no such key; correct or remove it (did you mean "regex"?)',
      '10:33: routes[6].match.header.x-a.presnt: no such key; correct or remove it (did you mean "present"?)',
      '11:39: routes[7].match.query.a.present: expected true or false, found "maybe"; write true or false',
      `11:60: routes[7].match.cookie.a b: is not a cookie's name; write letters, digits, "_", "-" or "."`,
    ],
  },
  {
    text:
      "listen: 1\npools:\n  a:\n    backends: http://a:1\n    queue: yes\n    slowdown: true\n" +
      "    agent_check: on\n  b: { backends: { url: a:1 } }\nroutes: [{ pool: a }]\n",
    problems: [
      '4:15: pools.a.backends: expected a list, found "http://a:1"; put it into brackets: [ ]',
      '5:12: pools.a.queue: expected off or a map, found "yes"; leave "queue" out to have its defaults',
      '6:15: pools.a.slowdown: expected off or a map, found true; leave "slowdown" out to have its defaults',
      '7:18: pools.a.agent_check: expected off or a map, found "on"; the map\'s keys are port, interval, tls',
      "8:18: pools.b.backends: expected a list, found a map; write - before each entry",
    ],
  },
  {
    // What can not start: the default admin listener is there, too.
    text: "listen: 9901\nbackends: [a:1]\n",
    problems: [
      "1:9: listen: port 9901 is the admin listener's (127.0.0.1:9901); write another one, or move that " +
        'by "admin: { bind: ... }"',
    ],
  },
  {
    text:
      "listen: 1\npools: { a: { backends: [a:1] }, b: { backends: [b:1], retry: off } }\nroutes:\n" +
      "  - { pool: a, split: { a: 1 }, redirect: { path: /x } }\n" +
      "  - { match: { path: /x } }\n" +
      "  - { split: { a: 0, c: 0 } }\n" +
      "  - { redirect: {} }\n" +
      "  - { redirect: { status: 304, scheme: htps, host: 'a/b', path: /a/../b } }\n" +
      "  - { redirect: { path: /a, strip_prefix: /b } }\n" +
      "  - { answer: { status: 204, body: x }, retry: off, response_headers: {} }\n" +
      "  - { answer: { headers: { Content-Length: '1' } } }\n" +
      "  - { pool: a, mirror: { pool: c } }\n" +
      "  - { pool: b, retry: { attempts: 3 } }\n" +
      "  - { match: { path: /v1 }, pool: a, rewrite: { strip_prefix: /v2 } }\n" +
      "  - { pool: a, rewrite: { strip_prefix: /, replace_prefix: { from: /a, to: /a/ } } }\n",
    problems: [
      '4:16: routes[0].split: stands beside "pool"; a route has exactly one of pool, split, redirect, answer',
      '4:33: routes[0].redirect: stands beside "pool"; a route has exactly one of pool, split, redirect, answer',
      "5:5: routes[1].pool: is missing; write a pool's name, or one of split, redirect and answer",
      "6:14: routes[2].split: needs a pool with a weight above 0; write { stable: 95, canary: 5 }",
      '6:22: routes[2].split.c: there is no pool "c"; write one of a, b',
      "7:17: routes[3].redirect: leads back to where the client came from; write a scheme, a host or a path",
      "8:27: routes[4].redirect.status: 304 is no status for this; write 301, 302, 303, 307 or 308",
      '8:40: routes[4].redirect.scheme: expected http or https, found "htps" (did you mean "https"?)',
      '8:52: routes[4].redirect.host: expected a host, found "a/b"; write api.example.com or ' +
        "api.example.com:8080",
      "8:65: routes[4].redirect.path: has dot segments, %00 or an empty segment; write it normalised",
      "9:19: routes[5].redirect.path: stands beside a prefix; write one of both",
      "10:30: routes[6].answer.body: a 204 has no body; remove it or write another status",
      '10:41: routes[6].retry: has no meaning beside "answer": no backend is asked; remove it',
      '10:53: routes[6].response_headers: has no meaning beside "answer": no backend is asked; remove it',
      "11:28: routes[7].answer.headers.Content-Length: belongs to the message's framing or its connection, " +
        "which is Evener's; remove it",
      '12:32: routes[8].mirror.pool: there is no pool "c"; write one of a, b',
      '13:16: routes[9].retry: pool b has "retry: off", so that there is no budget to take from; write its retry',
      "14:38: routes[10].rewrite: the route's path is /v1: /v2 is never at its beginning; correct one of both",
      "15:41: routes[11].rewrite.strip_prefix: changes nothing; write another path, such as /api",
      "15:44: routes[11].rewrite.replace_prefix: stands beside strip_prefix; write one of both",
    ],
  },
  {
    text:
      "listen: 1\nbackends: [a:1]\nroutes:\n  - pool: default\n    request_headers:\n" +
      "      set: { Host: a, X_Forwarded_For: b, te: trailers, x-evener-why: c }\n" +
      "      add: { Transfer-Encoding: chunked, via: me }\n" +
      "      remove: [Connection, x-request-id, 'a b']\n" +
      "    response_headers:\n      set: { x-evener-backend: me, connection: close, Date: now }\n",
    problems: [
      `6:14: routes[0].request_headers.set.Host: write "rewrite: { host: ... }" instead`,
      "6:23: routes[0].request_headers.set.X_Forwarded_For: tells backends what they may believe, and is " +
        "Evener's to write; remove it",
      "6:43: routes[0].request_headers.set.te: belongs to the message's framing or its connection, which is " +
        "Evener's; remove it",
      "6:57: routes[0].request_headers.set.x-evener-why: tells backends what they may believe, and is Evener's " +
        "to write; remove it",
      "7:14: routes[0].request_headers.add.Transfer-Encoding: belongs to the message's framing or its " +
        "connection, which is Evener's; remove it",
      "7:42: routes[0].request_headers.add.via: tells backends what they may believe, and is Evener's to write; " +
        "remove it",
      "8:16: routes[0].request_headers.remove[0]: Connection belongs to the message's framing or its " +
        "connection, which is Evener's; remove it",
      "8:28: routes[0].request_headers.remove[1]: x-request-id tells backends what they may believe, and is " +
        "Evener's to write; remove it",
      '8:42: routes[0].request_headers.remove[2]: expected a header\'s name, found "a b"; write x-tier',
      "10:14: routes[0].response_headers.set.x-evener-backend: is Evener's to write on answers; remove it",
      "10:36: routes[0].response_headers.set.connection: belongs to the message's framing or its connection, " +
        "which is Evener's; remove it",
      "10:55: routes[0].response_headers.set.Date: is Evener's to write on answers; remove it",
    ],
  },
  {
    text:
      'listeners:\n  - bind: 8080\n  - bind: 127.0.0.1:8080\n  - bind: "[::]:8080"\n' +
      'admin: { bind: "[::1]:8080" }\nbackends: [a:1]\n',
    problems: [
      "3:11: listeners[1].bind: 127.0.0.1:8080 and 0.0.0.0:8080 overlap; write one of them, or another",
      "4:11: listeners[2].bind: port 8080 is the admin listener's ([::1]:8080); write another one, or move " +
        'that by "admin: { bind: ... }"',
    ],
  },
  {
    // A balancer never finds itself.
    text:
      "listen: 8080\nbackends:\n  - http://127.0.0.1:8080\n  - { id: b, url: localhost:8080 }\n" +
      "  - 0.0.0.0:8080\n  - 127.0.0.1:9901\npools: { p: { backends: ['127.0.0.2:8080'] } }\n",
    problems: [
      "3:5: backends[0]: is Evener's own listener 0.0.0.0:8080; write where the model server listens",
      "4:19: backends[1].url: is Evener's own listener 0.0.0.0:8080; write where the model server listens",
      "5:5: backends[2]: is Evener's own listener 0.0.0.0:8080; write where the model server listens",
      "6:5: backends[3]: is Evener's own admin listener 127.0.0.1:9901; write where the model server listens",
      "7:26: pools.p.backends[0]: is Evener's own listener 0.0.0.0:8080; write where the model server listens",
    ],
  },
  {
    text: "listen: 1\nbackends: [a:1]\nthreads: { toString: [] }\n",
    problems: ["3:10: threads: expected auto or a number of threads up to 63, found a map; write auto"],
  },
];

test("every bad file is told what is wrong, where, and what to do", () => {
  for (const { text, problems } of BAD_FILES) {
    assert.deepEqual(
      refuse(text).message.split("\n"),
      problems.map((problem) => `evener.yaml:${problem}`),
      text,
    );
  }
});

test("a map whose keys are the names of methods is refused anywhere a value is expected", () => {
  const map = "{ toString: [], valueOf: 1, constructor: x, toJSON: [], length: 3 }";
  const places = structure().properties!;
  for (const key of Object.keys(places)) {
    const rest = ["listen: 1", "backends: [a:1]"].filter((line) => !line.startsWith(`${key}:`));
    for (const value of [map, `[${map}]`, `{ file: ${map} }`, `{ name: ${map}, bind: ${map}, a: ${map} }`]) {
      const { problems } = refuse([...rest, `${key}: ${value}`, ""].join("\n"));
      assert.ok(problems.length > 0, `${key}: ${value}`);
    }
  }
});

test("addresses that can be had together are no problem", () => {
  const files = [
    "listen: 9901\nadmin: off\nbackends: ['127.0.0.1:1']",
    "listen: 9901\nadmin: { bind: 127.0.0.1:9902 }\nbackends: [a:9901]",
    "listeners: [{ bind: 127.0.0.1:80 }, { bind: 127.0.0.2:80 }, { bind: '[::1]:80' }]\nbackends: [a:1]",
    "listeners: [{ bind: 127.0.0.1:0 }, { bind: 127.0.0.1:0 }]\nbackends: [a:1]",
    // Another address of this machine, or another family, is another server.
    "listen: 127.0.0.2:80\nbackends: ['http://127.0.0.1:80', 'http://10.0.0.1:80', 'http://a:80']",
    "listen: 80\nbackends: ['http://[::1]:80']",
  ];
  for (const text of files) assert.doesNotThrow(() => parse(text), text);
});

test("problems carry their place as numbers", () => {
  const { code, problems } = refuse("listen: 1\nbackends:\n  - { url: a:1, wieght: 2 }\n");
  assert.equal(code, "EVENER_CONFIG_INVALID");
  assert.deepEqual(problems, [
    {
      line: 3,
      column: 17,
      path: "backends[0].wieght",
      message: "no such key; correct or remove it",
      hint: 'did you mean "weight"?',
    },
  ]);
});

test("an admin listener that others can reach needs a token", () => {
  const text = (bind: string): string => `listen: 1\nbackends: [a:1]\nadmin: { bind: ${bind} }\n`;
  for (const bind of [
    "9901",
    "0.0.0.0:9901",
    "10.0.0.5:9901",
    '"[::]:9901"',
    '"127.0.0.1.example.com:9901"',
  ]) {
    const { code, message } = refuse(text(bind));
    assert.equal(code, "EVENER_ADMIN_TOKEN_REQUIRED", bind);
    assert.match(message, /^evener\.yaml:3:16: admin\.bind: .* can be reached from other machines/);
  }
  for (const bind of ["127.0.0.1:9901", "localhost:9901", '"[::1]:9901"']) {
    assert.equal(parse(text(bind)).admin?.port, 9901);
  }
});

test("no message shows a secret", () => {
  const { message } = refuse(`
listen: 1
backends: [{ url: "http://user:hunter2hunter2@a:1", headers: { x: " hunter2hunter2" } }]
admin: { token: "hunter2" }
session_keys: ["hunter2\\thunter2hunter2"]
`);
  assert.equal(message.split("\n").length, 4);
  assert.ok(!message.includes("hunter2"), message);
  const shapes = refuse(
    "listen: 1\nsession_keys: hunter2hunter2hunter2\nbackends: [{ url: a:1, headers: hunter2 }]\n",
  );
  assert.equal(shapes.problems.length, 2);
  assert.ok(!shapes.message.includes("hunter2"), shapes.message);
});

test("at most twenty problems are shown", () => {
  const { message, problems } = refuse(`listen: 1\nbackends: [${"a, ".repeat(50)}]\n`);
  assert.equal(problems.length, 20);
  assert.equal(message.split("\n").at(-1), "evener.yaml: and 30 more problems");
});

test("aliases and depth are limited", () => {
  const bomb = Array.from(
    { length: 8 },
    (_, i) => `a${i}: &a${i} [${i === 0 ? "x" : `*a${i - 1}, `.repeat(10)}]`,
  );
  assert.match(refuse(bomb.join("\n")).message, /more than 100 aliases are used/);
  assert.match(refuse("listen: &a [*a]\n").message, /is nested more than 32 deep/);
  assert.match(refuse(`listen: ${"[".repeat(40)}${"]".repeat(40)}\n`).message, /is nested more than 32 deep/);
  assert.match(refuse(`listen: ${"[".repeat(20_000)}`).message, /is nested more than 32 deep/);
});

test("dangerous keys are refused", () => {
  assert.match(
    refuse("listen: 1\nbackends: [a:1]\n__proto__: { a: 1 }\n").message,
    /3:1: __proto__ can not be a key/,
  );
  assert.match(
    refuse("listen: 1\nbackends: [a:1]\nconstructor: 1\n").message,
    /3:1: constructor: no such key/,
  );
  assert.match(refuse("listen: 1\npools: { a: { toString: 1 } }\n").message, /toString: no such key/);
});

function refuse(text: string): ConfigError {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String((error as Error).stack));
    return error;
  }
  assert.fail(`accepted:\n${text}`);
}

function parse(text: string): ReturnType<typeof parseConfig> {
  return parseConfig(text, { path: "evener.yaml", env: {}, readFile: () => assert.fail("a file is read") });
}

function byColumn(a: string, b: string): number {
  return Number(a.split(":")[1]) - Number(b.split(":")[1]);
}
