import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, renameSync } from "node:fs";
import { pbkdf2 } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { AccessLog } from "../../../src/proxy/access-log.ts";
import { until } from "../../fixtures/until.ts";

const LINES = [1, 2, 3].map((number) => `{"line":${number}}\n`).join("");

/** Nothing is written to disk before these have ended: the pool of threads has four. */
function occupyThreadPool(): Promise<unknown> {
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      pbkdf2("a", "b", 600_000, 64, "sha512", (error) => (error === null ? resolve() : reject(error)));
    });
  return Promise.all(Array.from({ length: 8 }, one));
}

test("lines that wait for the disk reach the file that they were meant for, whatever is opened meanwhile", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "evener-log-"));
  const file = path.join(folder, "access.log");
  const log = new AccessLog({ kind: "file", path: file });
  const busy = occupyThreadPool();
  log.append(LINES);
  // The log flushes every 100 ms.
  await new Promise((resolve) => setTimeout(resolve, 150));
  renameSync(file, `${file}.1`);
  log.reopen();
  // Whoever opens something now gets the lowest number that is free.
  const others = Array.from({ length: 4 }, (_, i) => openSync(path.join(folder, `other-${i}`), "w"));
  await busy;
  await until(() => readFileSync(`${file}.1`, "utf8") === LINES, "the lines in the old file");
  for (const other of others) {
    assert.equal(fstatSync(other).size, 0);
    closeSync(other);
  }
  log.append(LINES);
  await log.close();
  assert.equal(readFileSync(file, "utf8"), LINES);
  assert.equal(log.dropped, 0);
});
