import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { metricsText } from "../../../src/admin/metrics.ts";
import { labelText, MetricsText, SERIES_MAX } from "../../../src/admin/metrics-text.ts";
import { Histogram } from "../../../src/core/kit/histogram.ts";
import { Lease } from "../../../src/core/lease.ts";
import { Work } from "../../../src/core/work.ts";
import { FakeSource } from "./fake-source.ts";

interface Family {
  readonly type: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly value: number;
  }[];
}

/** Reads the text format 0.0.4, strictly: HELP, TYPE, then samples of that metric only, none twice. */
function parse(text: string): Map<string, Family> {
  assert.ok(text.endsWith("\n"));
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let name = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-z_]+) \S.*$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      name = help[1]!;
      assert.ok(!families.has(name), `${name} comes twice`);
      continue;
    }
    if (type !== null) {
      assert.equal(type[1], name);
      families.set(name, { type: type[2]!, samples: [] });
      continue;
    }
    const sample = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    assert.equal(
      sample[1]!.replace(/_(?:bucket|sum|count)$/, ""),
      name.replace(/_(?:bucket|sum|count)$/, ""),
    );
    const key = line.slice(0, line.lastIndexOf(" "));
    assert.ok(!seen.has(key), `${key} comes twice`);
    seen.add(key);
    const labels = parseLabels(sample[2] ?? "");
    const value = sample[3] === "+Inf" ? Number.POSITIVE_INFINITY : Number(sample[3]);
    families.get(name)!.samples.push({ name: sample[1]!, labels, value });
  }
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== "") {
    const match = /^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest);
    assert.ok(match, `not a label: ${rest}`);
    labels[match[1]!] = match[2]!.replaceAll(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));
    rest = rest.slice(match[0].length);
  }
  return labels;
}

function valueOf(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const metric = name.replace(/_(?:bucket|sum|count)$/, "");
  const samples = (families.get(name) ?? families.get(metric))!.samples;
  const found = samples.filter(
    (each) =>
      each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value),
  );
  assert.equal(found.length, 1, `${name} ${JSON.stringify(labels)}`);
  return found[0]!.value;
}

describe("metrics", () => {
  test("say what the pool knows", () => {
    const source = new FakeSource();
    const { pool, stats } = source.add("chat", ["a:1", "b:1"]);
    const lease = new Lease();
    pool.pick(new Work(), lease);
    const { id } = lease.endpoint!;
    pool.pick(new Work(), new Lease());
    lease.settle("ok");
    pool.members.get("b:1")!.limitOverride = 7;
    pool.wish("b:1", "drain");
    stats.ends.set([5]);
    stats.retries = 4;
    stats.mirrored = 6;
    stats.mirrorsDropped = 2;
    for (const ms of [3, 40, 2_000]) stats.of("a:1").firstByteMs.record(ms);
    stats.of("a:1").statusClasses.set([0, 0, 9]);

    const families = parse(metricsText(source, 1_000));
    assert.equal(valueOf(families, "evener_build_info", { version: "1.2.3" }), 1);
    assert.equal(valueOf(families, "evener_in_flight", { backend: id }), 0);
    assert.equal(valueOf(families, "evener_picks_total", { backend: id }), 1);
    assert.equal(valueOf(families, "evener_limit", { backend: "a:1" }), Number.POSITIVE_INFINITY);
    assert.equal(valueOf(families, "evener_limit", { backend: "b:1" }), 7);
    assert.equal(valueOf(families, "evener_backend_state", { backend: "b:1", state: "draining" }), 1);
    assert.equal(valueOf(families, "evener_backend_state", { backend: "b:1", state: "up" }), 0);
    assert.equal(valueOf(families, "evener_requests_total", { pool: "chat", reason: "ok" }), 5);
    assert.equal(valueOf(families, "evener_retries_total", { pool: "chat" }), 4);
    assert.equal(valueOf(families, "evener_mirrored_total", { pool: "chat" }), 6);
    assert.equal(valueOf(families, "evener_mirrors_dropped_total", { pool: "chat" }), 2);
    assert.equal(valueOf(families, "evener_local_answers_total"), 4);
    assert.equal(valueOf(families, "evener_responses_total", { backend: "a:1", class: "2xx" }), 9);
    assert.equal(valueOf(families, "evener_events_total", { kind: "drained" }), 1);
    assert.equal(valueOf(families, "evener_events_total", { kind: "joined" }), 2);
    assert.equal(valueOf(families, "evener_first_byte_seconds_count", { backend: "a:1" }), 3);
    assert.ok(
      Math.abs(valueOf(families, "evener_first_byte_seconds_sum", { backend: "a:1" }) - 2.043) < 1e-9,
    );
    assert.equal(valueOf(families, "evener_first_byte_seconds_bucket", { backend: "a:1", le: "0.005" }), 1);
    assert.equal(valueOf(families, "evener_first_byte_seconds_bucket", { backend: "a:1", le: "0.1" }), 2);
    assert.equal(valueOf(families, "evener_first_byte_seconds_bucket", { backend: "a:1", le: "+Inf" }), 3);
    assert.equal(valueOf(families, "evener_dns_addresses", { name: "llm.test" }), 2);
    assert.equal(valueOf(families, "evener_dns_answer_age_seconds", { name: "llm.test" }), 1.5);
    assert.equal(valueOf(families, "evener_dns_failures_total", { name: "llm.test" }), 4);
    assert.equal(valueOf(families, "evener_series_omitted"), 0);
  });

  test("what runs on backends that have left is counted in their pool", () => {
    const source = new FakeSource();
    const { pool } = source.add("chat", ["a:1", "b:1"]);
    source.add("other", ["a:1"]);
    const leases = [new Lease(), new Lease(), new Lease()];
    for (const lease of leases) pool.pick(new Work(), lease);
    const left = (): number =>
      valueOf(parse(metricsText(source, 0)), "evener_left_in_flight", { pool: "chat" });
    assert.equal(left(), 0);
    pool.update([]);
    assert.equal(left(), 3);
    assert.equal(valueOf(parse(metricsText(source, 0)), "evener_left_in_flight", { pool: "other" }), 0);
    for (const lease of leases) lease.settle("ok");
    assert.equal(left(), 0);
  });

  test("buckets never fall, and the last one is the count", () => {
    const histogram = new Histogram();
    for (let i = 0; i < 2_000; i++) histogram.record(1.01 ** i / 100);
    const text = new MetricsText();
    text.metric("x", "histogram", "X.");
    text.histogram("", histogram, [0.001, 0.01, 0.1, 1, 10, 100]);
    const samples = parse(text.toString()).get("x")!.samples;
    const buckets = samples.filter(({ name }) => name === "x_bucket").map(({ value }) => value);
    assert.deepEqual(
      buckets,
      [...buckets].sort((a, b) => a - b),
    );
    assert.equal(buckets.at(-1), 2_000);
  });

  test("a backend's id is data: it comes out as it went in", () => {
    const source = new FakeSource();
    const id = 'a"b\\c\nd,e="f"}{ 1';
    source.add("chat", [id]);
    const families = parse(metricsText(source, 0));
    assert.equal(valueOf(families, "evener_in_flight", { backend: id }), 0);
  });

  test("10,000 random names from outside add no series", () => {
    const source = new FakeSource();
    const { stats } = source.add("chat", ["a:1", "b:1"]);
    const before = metricsText(source, 0).split("\n").length;
    for (let i = 0; i < 10_000; i++) {
      const name = `n${i}`;
      stats.of(name).firstByteMs.record(1);
      source.events.append({
        atMs: 0,
        pool: name,
        endpoint: name,
        kind: "agent",
        reason: name,
        evidence: name,
      });
    }
    const text = metricsText(source, 0);
    assert.equal(text.split("\n").length, before);
    assert.doesNotMatch(text, /"n\d/);
    const closed = new Set(["pool", "backend", "state", "reason", "class", "kind", "version", "le", "name"]);
    for (const { samples } of parse(text).values()) {
      for (const { labels } of samples)
        for (const key of Object.keys(labels)) assert.ok(closed.has(key), key);
    }
  });

  test("a metric is cut at its limit, and the rest counted", () => {
    const text = new MetricsText();
    text.metric("x", "gauge", "X.");
    for (let i = 0; i < SERIES_MAX + 10; i++) text.sample(labelText("pool", String(i)), i);
    assert.equal(parse(text.toString()).get("x")!.samples.length, SERIES_MAX);
    assert.equal(text.omitted, 10);
  });

  test("the reference page has every metric, and no other", () => {
    const source = new FakeSource();
    source.add("chat", ["a:1"]);
    const withLoop = { ...source.process(), eventLoopDelayMs: 3 };
    source.process = () => withLoop;
    const families = parse(metricsText(source, 0));
    const page = readFileSync(new URL("../../../docs/reference/metrics.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(evener_[a-z_]+)` \| (counter|gauge|histogram) \|/gm)];
    assert.deepEqual(
      rows.map((row) => `${row[1]} ${row[2]}`).sort(),
      [...families].map(([name, { type }]) => `${name} ${type}`).sort(),
    );
  });
});
