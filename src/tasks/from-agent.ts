import { ENDING_OUTCOMES } from "../core/tasks/ending.ts";
import { decodeFrame, type Frame } from "./frames.ts";
import type { FromAgent } from "./protocol.ts";

/** What an agent says, checked field by field. Throws EVENER_BAD_FRAME. */
export function readFromAgent(bytes: Buffer): Frame<FromAgent> {
  return decodeFrame(bytes, (value) => {
    if (!isObject(value)) return null;
    const say = value.say;
    const isKnown = typeof say === "string" && Object.hasOwn(CHECKS, say);
    if (!isKnown || !CHECKS[say as FromAgent["say"]](value)) return null;
    const message = value as unknown as FromAgent;
    return { message, lengths: lengthsOf(message) };
  });
}

function lengthsOf(message: FromAgent): readonly number[] {
  if (message.say === "ended") return message.tasks.map(({ bytes }) => bytes);
  return message.say === "output" ? message.parts.map(({ bytes }) => bytes) : [];
}

type Fields = Readonly<Record<string, unknown>>;

const CHECKS: Readonly<Record<FromAgent["say"], (it: Fields) => boolean>> = {
  hello: (it) =>
    isName(it.worker) &&
    isName(it.boot) &&
    isText(it.version) &&
    isCount(it.slots) &&
    it.slots <= SLOTS_MAX &&
    isMap(it.resources, (amount) => typeof amount === "number" && amount >= 0 && Number.isFinite(amount)) &&
    isMap(it.labels, isText) &&
    isList(it.loops, isName) &&
    isList(it.holds, isLease),
  beat: (it) => isVitals(it.vitals) && isList(it.frozen, (frozen) => isLease(frozen) && isText(frozen.why)),
  ended: (it) => isList(it.tasks, isEnding),
  output: (it) => isList(it.parts, (part) => isLease(part) && isStream(part.stream) && isCount(part.bytes)),
  draining: () => true,
};

function isEnding(it: unknown): boolean {
  return (
    isLease(it) &&
    (ENDING_OUTCOMES as readonly unknown[]).includes(it.outcome) &&
    (it.exitCode === null || Number.isInteger(it.exitCode)) &&
    (it.reason === null || isText(it.reason)) &&
    typeof it.ranMs === "number" &&
    it.ranMs >= 0 &&
    Number.isFinite(it.ranMs) &&
    isCount(it.bytes)
  );
}

function isVitals(it: unknown): boolean {
  if (!isObject(it)) return false;
  return ["cpu", "memory", "gpu"].every((name) => {
    const figure = it[name];
    return figure === null || (typeof figure === "number" && figure >= 0 && figure <= 1);
  });
}

function isLease(it: unknown): it is Fields {
  return isObject(it) && isName(it.task) && isCount(it.fence);
}

function isStream(it: unknown): boolean {
  return it === "stdout" || it === "stderr";
}

function isMap(it: unknown, isValue: (value: unknown) => boolean): boolean {
  if (!isObject(it)) return false;
  const entries = Object.entries(it);
  return entries.length <= ENTRIES_MAX && entries.every(([name, value]) => isName(name) && isValue(value));
}

function isList(it: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(it) && it.length <= LIST_MAX && it.every(isItem);
}

function isObject(it: unknown): it is Fields {
  return typeof it === "object" && it !== null && !Array.isArray(it);
}

function isCount(it: unknown): it is number {
  return Number.isSafeInteger(it) && (it as number) >= 0;
}

function isName(it: unknown): boolean {
  return typeof it === "string" && it.length > 0 && it.length <= NAME_CHARACTERS_MAX;
}

function isText(it: unknown): boolean {
  return typeof it === "string" && it.length <= TEXT_CHARACTERS_MAX;
}

const NAME_CHARACTERS_MAX = 256;
const TEXT_CHARACTERS_MAX = 64 * 1024;
const ENTRIES_MAX = 256;
/** Tasks, parts or names in one message. */
const LIST_MAX = 100_000;
const SLOTS_MAX = 65_536;
