import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { simulate } from "../../src/commands/simulate.ts";
import type { SimulateOptions } from "../../src/commands/simulate-options.ts";
import { loadScenario, parseScenario } from "../../src/commands/simulate-scenario.ts";
import { ConfigError } from "../../src/config/problem.ts";
import type { EvenerError } from "../../src/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "evener-simulate-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const TRACE = "scenarios/traces/mooncake-conversation.jsonl.gz";

function evenerSimulate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const all = ["bin/evener.js", "simulate", ...args];
  return spawnSync(process.execPath, all, { encoding: "utf8", timeout: 60_000 });
}

interface Answer {
  readonly requests: number;
  readonly capacity_per_s: number;
  readonly policies: readonly Readonly<Record<string, number | string | null>>[];
}

test("a trace, policies and seeds: one row a policy, in their order, as JSON", () => {
  const args = [
    "--trace",
    TRACE,
    "--engine",
    "a100-8b",
    "--fleet",
    "4",
    "--rate",
    "0.7",
    "--seeds",
    "2",
    "--jitter",
  ];
  const faults = ["--fault", "0: speed 0.35 from 60s", "--fault", "4: joins at 100s cold 10s"];
  const rest = ["--requests", "500", "--policy", "round_robin,least_request", "--json"];
  const { status, stdout, stderr } = evenerSimulate(...args, ...faults, ...rest);
  assert.deepEqual([status, stderr], [0, ""]);
  const answer = JSON.parse(stdout) as Answer;
  assert.equal(answer.requests, 500);
  assert.ok(answer.capacity_per_s > 1 && answer.capacity_per_s < 3);
  assert.deepEqual(
    answer.policies.map(({ policy }) => policy),
    ["round_robin", "least_request"],
  );
  for (const row of answer.policies) {
    const figures = "ttft_mean_s ttft_p50_s ttft_p99_s tpot_mean_s goodput hit_rate jain refused lost".split(
      " ",
    );
    for (const figure of figures) assert.equal(typeof row[figure], "number", figure);
    assert.ok((row["goodput"] as number) > 0 && (row["goodput"] as number) <= 1);
  }
  const again = evenerSimulate(...args, ...faults, ...rest);
  assert.equal(again.stdout, stdout, "the same in every byte");
});

test("a made-up workload as a table; options count before the scenario", () => {
  const file = join(folder, "scenario.yaml");
  writeFileSync(
    file,
    "about: a try\nworkload: agents\nrate: 0.5\nrequests: 100\nseeds: 2\npolicies: [auto]\n",
  );
  const { status, stdout } = evenerSimulate(
    file,
    "--policy",
    "p2c",
    "--seeds",
    "1",
    "--seed",
    "7",
    "--engine",
    "mocker",
  );
  assert.equal(status, 0);
  const [about, title, empty, head, row] = stdout.split("\n");
  assert.equal(about, "a try");
  assert.match(title!, /^agents: 100 requests at [\d.]+ a second \(0\.5 of .*8 x mocker, seed 7$/);
  assert.equal(empty, "");
  assert.match(head!, /^policy +TTFT mean +p50 +p99 +TPOT +goodput +hit rate +Jain +refused +lost$/);
  assert.match(row!, /^p2c +0\.\d\d s /);
});

test("the bound: an assignment that knows the future, and how far of the way to it each policy goes", () => {
  const args = ["--trace", TRACE, "--requests", "80", "--fleet", "2", "--rate", "1", "--bound=500ms"];
  const { status, stdout } = evenerSimulate(...args, "--policy", "round_robin", "--json");
  assert.equal(status, 0);
  const { policies, bound } = JSON.parse(stdout) as Answer & {
    bound: { from: string; tries: number; way: Record<string, number> };
  };
  assert.deepEqual(
    policies.map(({ policy }) => policy),
    ["least_request", "round_robin", "offline"],
  );
  assert.ok(bound.tries > 0);
  const [base, own, offline] = policies.map(({ goodput }) => goodput as number);
  assert.ok(offline! > base! && offline! >= own!, `${offline} beside ${base} and ${own}`);
  assert.ok(Math.abs(bound.way["round_robin"]! - (own! - base!) / (offline! - base!)) < 1e-3);
});

test("an access log under other policies: its own figures first, rate and fleet as recorded", () => {
  const file = join(folder, "access.jsonl");
  const lines = Array.from({ length: 120 }, (_, i) => {
    const endMs = Date.UTC(2026, 10, 24) + i * 500;
    const blocks = Buffer.from(Uint32Array.from([1, 2 + (i % 5), 100 + i]).buffer).toString("base64");
    return JSON.stringify({
      time: new Date(endMs).toISOString(),
      backend: `10.0.0.${i % 3}:8000`,
      status: i === 7 ? 503 : 200,
      reason: i === 7 ? "refused" : "ok",
      first_token_ms: 150.5,
      total_ms: 1650.25,
      ...(i % 4 === 3 ? {} : { prompt_tokens: 1400, cached_tokens: 512, output_tokens: 60 }),
      prompt_blocks: blocks,
      block_tokens: 512,
    });
  });
  writeFileSync(file, `${lines.join("\n")}\nnonsense\n`);
  const args = ["--record", file, "--policy", "inference,round_robin", "--seeds", "1"];
  const { status, stdout } = evenerSimulate(...args);
  assert.equal(status, 0);
  const [title] = stdout.split("\n");
  assert.match(title!, /^access.jsonl: 90 requests at 1\.5\d a second \(0\.\d+ of .*, 3 x a100-8b, seed 1$/);
  assert.match(stdout, /^as recorded +0\.15 s +0\.15 s +0\.15 s +25\.4 ms +1\.000 +0\.366 +- +- +-$/m);
  assert.match(stdout, /^inference +0\.\d\d s/m);
  assert.match(
    stdout,
    /^90 of 121 lines were used; skipped: 29 without token counts, 1 not answered, 1 not readable$/m,
  );
  const json = JSON.parse(evenerSimulate(...args, "--json").stdout) as Answer & { log: object };
  assert.deepEqual(json.log, {
    lines: 121,
    used: 90,
    skipped: { unreadable: 1, unanswered: 1, without_tokens: 29 },
    without_prompt_blocks: 0,
  });
  assert.deepEqual(
    json.policies.map(({ policy }) => policy),
    ["as recorded", "inference", "round_robin"],
  );
});

test("a page that needs nothing else, with two charts a policy", () => {
  const scenario = ["scenarios/slow-worker.yaml", "--requests", "200", "--seeds", "2"];
  const { status, stdout } = evenerSimulate(...scenario, "--policy", "inference,round_robin", "--html");
  assert.equal(status, 0);
  assert.match(stdout, /^<!doctype html>/);
  assert.equal(stdout.match(/<svg /g)!.length, 4);
  assert.equal(stdout.match(/<polyline /g)!.length, 16);
  assert.match(stdout, /<h2>round_robin<\/h2>/);
  assert.doesNotMatch(stdout, /NaN|undefined|https?:|<script|<link|url\(/);
});

test("wrong usage is told as such", () => {
  const { status, stdout, stderr } = evenerSimulate("--workload", "agents", "--rate", "0");
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^evener: EVENER_USAGE: --rate: expected a number, found "0"; write 0.01 to 100$/m);
});

test("it names the option, what was found and what to write", async () => {
  const none = { json: false, jitter: false, fault: [], policy: [] };
  const some = { ...none, workload: "agents" };
  const cases: readonly (readonly [SimulateOptions, RegExp])[] = [
    [none, /say what is simulated: a SCENARIO file, --trace, --workload or --record/],
    [{ ...none, workload: "agent" }, /--workload: .*found "agent".*did you mean "agents"/],
    [{ ...some, engine: "h100" }, /--engine: .*a100-8b, h100-70b, mocker/],
    [{ ...some, policy: ["leastrequest"] }, /--policy: .*did you mean "least_request"/],
    [{ ...some, fleet: "2.5" }, /--fleet: expected a whole number/],
    [{ ...some, fault: ["0: burn"] }, /--fault: fault "0: burn": "burn" is no fault/],
    [{ ...some, fault: ["9: crash at 5s"] }, /engines 0 to 7; one more is "8: joins at 60s"/],
    [{ ...some, trace: TRACE }, /leave one out/],
    [
      { ...some, bound: "scenario.yaml" },
      /--bound: expected a time, found "scenario.yaml"; write --bound=60s/,
    ],
    [{ ...some, bound: "1s" }, /knows all arrivals before: not for agents/],
    [
      { ...some, workload: "bursts", bound: "1s", fault: ["0: crash at 5s"] },
      /--bound: the search has no faults/,
    ],
  ];
  for (const [options, expected] of cases) {
    await assert.rejects(simulate(undefined, options), (error: EvenerError) => {
      assert.equal(error.code, "EVENER_USAGE");
      assert.match(error.message, expected);
      return true;
    });
  }
});

test("a trace that can not be read: which, why and where the formats are", () => {
  const bad = join(folder, "bad.jsonl");
  writeFileSync(bad, '{"timestamp": 0, "input_length": 5, "output_length": 5}\nnonsense\n');
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(folder, "missing.gz"), /there is no such file/],
    [bad, /line 2 is no request: nonsense/],
  ];
  for (const [file, why] of cases) {
    const { status, stderr } = evenerSimulate("--trace", file);
    assert.equal(status, 1);
    assert.match(stderr, /^evener: EVENER_TRACE_UNREADABLE: /);
    assert.match(stderr, why);
  }
});

test("every problem of a scenario has its place, mistyped keys the one that was probably meant", () => {
  const text = [
    "about: [x]",
    "trase: t.gz",
    "engine: a100",
    "fleet: many",
    "jitter: perhaps",
    "faults: ['0: burn']",
    "policies: [round_robin, lest_request]",
    "colour: red",
  ].join("\n");
  const error = caught(() => parseScenario("s.yaml", text));
  assert.equal(error.code, "EVENER_SCENARIO_INVALID");
  assert.deepEqual(
    error.problems.map(({ line, path, hint }) => [line, path, hint ?? ""]),
    [
      [1, "about", ""],
      [2, "trase", 'did you mean "trace"?'],
      [3, "engine", ""],
      [4, "fleet", ""],
      [5, "jitter", ""],
      [6, "faults", ""],
      [7, "policies", 'did you mean "least_request"?'],
      [8, "colour", ""],
    ],
  );
  assert.match(
    error.problems[7]!.message,
    /no such key; write one of about, trace, workload, record, engine, fleet/,
  );
  assert.equal(caught(() => parseScenario("s.yaml", "- a")).problems[0]!.path, "");
  assert.equal(caught(() => parseScenario("s.yaml", "a: [")).code, "EVENER_SCENARIO_INVALID");
});

test("the scenarios that are shipped are valid", () => {
  const files = readdirSync("scenarios").filter((file) => file.endsWith(".yaml"));
  assert.ok(files.length >= 5);
  for (const file of files) {
    const draft = loadScenario(`scenarios/${file}`);
    assert.ok((draft.about ?? "") !== "", `${file} says what it is about`);
    assert.ok((draft.trace ?? draft.workload ?? "") !== "");
  }
});

function caught(action: () => unknown): ConfigError {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
