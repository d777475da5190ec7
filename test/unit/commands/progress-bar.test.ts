import assert from "node:assert/strict";
import { test } from "node:test";

import { ProgressBar } from "../../../src/commands/progress-bar.ts";

function written(isTTY: boolean): string[] {
  const texts: string[] = [];
  const bar = new ProgressBar({ isTTY, write: (text) => texts.push(text) });
  bar.show(0.5);
  bar.show(0.501);
  bar.show(1);
  bar.clear();
  bar.clear();
  return texts;
}

test("a terminal shows a bar once for each change, and nothing of it in the end", () => {
  assert.deepEqual(written(true), [
    `\r[${"#".repeat(20)}${" ".repeat(20)}] 50 %`,
    `\r[${"#".repeat(40)}] 100 %`,
    `\r${" ".repeat(48)}\r`,
  ]);
});

test("elsewhere nothing is shown", () => {
  assert.deepEqual(written(false), []);
});
