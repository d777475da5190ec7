// The menu of policies. To add one: its file, a line here, its page in docs/policies/.
import { auto } from "./auto.ts";
import { fill } from "./fill.ts";
import { hash } from "./hash.ts";
import { inference } from "./inference.ts";
import { leastRequest } from "./least-request.ts";
import { p2c } from "./p2c.ts";
import { peakEwma } from "./peak-ewma.ts";
import type { PolicySpec } from "./policy.ts";
import { random } from "./random.ts";
import { resource } from "./resource.ts";
import { roundRobin } from "./round-robin.ts";

export const POLICIES: readonly PolicySpec[] = [
  auto,
  inference,
  leastRequest,
  peakEwma,
  roundRobin,
  p2c,
  random,
  resource,
  hash,
  fill,
];
