import assert from "node:assert/strict";
import { test } from "node:test";

import {
  LOAD_REPORT_CHARS_MAX,
  LoadReport,
  NAMED_METRICS_MAX,
  readLoadReport,
} from "../../../src/proxy/describe/answer-headers.ts";

const report = new LoadReport();

test("vLLM's two forms", () => {
  const text = "TEXT named_metrics.kv_cache_usage_perc=0.25, named_metrics.num_requests_waiting=3.0";
  const json = 'JSON {"named_metrics": {"kv_cache_usage_perc": 0.25, "num_requests_waiting": 3.0}}';
  for (const value of [text, json]) {
    assert.equal(readLoadReport(value, report), true);
    assert.deepEqual([report.kvCacheUtilization, report.waitingRequests], [0.25, 3]);
    assert.deepEqual(report.runningRequests, Number.NaN);
    assert.deepEqual([...report.named.keys()], ["kv_cache_usage_perc", "num_requests_waiting"]);
  }
});

test("Triton's two forms", () => {
  const text = "TEXT named_metrics.kv_cache_utilization=0.600000, named_metrics.max_token_capacity=5120";
  const json = 'JSON {"named_metrics":{"kv_cache_utilization":0.6,"max_token_capacity":5120}}';
  for (const value of [text, json]) {
    assert.equal(readLoadReport(value, report), true);
    assert.equal(report.kvCacheUtilization, 0.6);
    assert.equal(report.named.get("max_token_capacity"), 5120);
  }
});

test("the utilizations of the protocol, in every spelling that is met", () => {
  const spellings = [
    "TEXT cpu_utilization=0.3,mem_utilization=0.8,application_utilization=1.2,rps_fractional=9.5,eps=0.5",
    "cpu_utilization:0.3,mem_utilization:0.8,application_utilization:1.2,rps_fractional:9.5,eps:5e-1",
    'JSON {"cpu_utilization":0.3,"mem_utilization":0.8,"application_utilization":1.2,"rps_fractional":9.5,"eps":0.5}',
    'json {"cpuUtilization":0.3,"memUtilization":0.8,"applicationUtilization":1.2,"rpsFractional":9.5,"eps":0.5}',
    '{"cpuUtilization":0.3,"memUtilization":0.8,"applicationUtilization":1.2,"rpsFractional":9.5,"eps":0.5}',
  ];
  for (const value of spellings) {
    assert.equal(readLoadReport(value, report), true, value);
    const { cpuUtilization, memUtilization, applicationUtilization, rps, eps } = report;
    assert.deepEqual(
      [cpuUtilization, memUtilization, applicationUtilization, rps, eps],
      [0.3, 0.8, 1.2, 9.5, 0.5],
    );
    assert.equal(report.named.size, 0);
  }
});

test("what makes no sense is unknown", () => {
  const senseless = [
    "",
    "TEXT",
    "TEXT ",
    "BIN CZqZmZmZmbk/MQAAAAAAAABAQg4KA2ZvbxGamZmZmZm5Pw==",
    "JSON {",
    "JSON [1]",
    "JSON null",
    'JSON {"named_metrics":[0.5]}',
    'JSON {"cpu_utilization":"0.5"}',
    'JSON {"cpu_utilization":-1,"named_metrics":{"x":1e999}}',
    "TEXT cpu_utilization=-1, mem_utilization=NaN, named_metrics.x=1e999, eps",
    "TEXT unknown=1",
    `TEXT cpu_utilization=0.5${" ".repeat(LOAD_REPORT_CHARS_MAX)}`,
  ];
  for (const value of senseless) {
    assert.equal(readLoadReport(value, report), false, value);
    assert.deepEqual(report, new LoadReport());
  }
});

test("only so many metrics are kept", () => {
  const value = `TEXT ${Array.from({ length: 100 }, (_, i) => `named_metrics.m${i}=${i}`).join(",")}`;
  assert.equal(readLoadReport(value, report), true);
  assert.equal(report.named.size, NAMED_METRICS_MAX);
});
