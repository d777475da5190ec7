/** What is wrong with an engine while a fault lasts. */
export type FaultKind =
  /** It takes 1 / `speed` as long for everything. */
  | "speed"
  /** It takes requests and does nothing. */
  | "hang"
  /** It is dead: what it had is gone, connections are refused. */
  | "down"
  /** It is not in the fleet. */
  | "absent"
  /** Its metrics say that it has nothing to do. */
  | "lie_idle"
  /** Its metrics stay as they were. */
  | "lie_frozen";

/** One fault of one engine, or of all. Faults compose: two speeds multiply, dead is dead. */
export interface Fault {
  /** Number of the engine, or -1 for all that the fleet begins with. */
  readonly engine: number;
  readonly kind: FaultKind;
  /** For `speed`. */
  readonly speed: number;
  readonly fromS: number;
  /** Until when; Infinity is for good. */
  readonly untilS: number;
  /** It comes again after so many seconds; 0 is once. */
  readonly everyS: number;
}

/**
 * Reads one fault, such as `0: speed 0.35 from 60s` (docs/simulator.md has them all). Throws RangeError with
 * what was found and what to write.
 */
export function parseFault(text: string): Fault {
  const match = /^\s*(\*|\d{1,4})\s*:\s*(\S+)\s*(.*?)\s*$/.exec(text);
  if (match === null) throw wrong(text, 'it begins with an engine: "0: crash at 60s", or "*: ..." for all');
  const [, target, verb, rest] = match;
  const form = FORMS.find(({ verbs }) => verbs.includes(verb!));
  if (form === undefined) {
    const verbs = FORMS.map(({ verbs }) => verbs[0]).join(", ");
    throw wrong(text, `"${verb}" is no fault; write one of ${verbs}`);
  }
  const words = rest === "" ? [] : rest!.split(/\s+/);
  const value = form.hasValue ? words.shift() : undefined;
  const times = readTimes(text, form, words);
  const engine = target === "*" ? -1 : Number(target);
  const fault = form.read(times, value ?? "");
  if (fault === null) throw wrong(text, `write it like "${form.example}"`);
  if (fault.kind === "absent" && engine < 0) throw wrong(text, "name one engine, not all");
  return { ...ONCE, engine, ...fault };
}

/** The seconds that are given by each word: `{ from: 60 }`. */
type Times = Readonly<Record<string, number | undefined>>;

interface Form {
  readonly verbs: readonly string[];
  readonly example: string;
  readonly hasValue: boolean;
  /** Words that a duration follows. */
  readonly words: readonly string[];
  read(times: Times, value: string): (Partial<Fault> & { kind: FaultKind }) | null;
}

const ONCE: Fault = {
  engine: -1,
  kind: "speed",
  speed: 1,
  fromS: 0,
  untilS: Number.POSITIVE_INFINITY,
  everyS: 0,
};

const FORMS: readonly Form[] = [
  {
    verbs: ["speed", "slow"],
    example: "0: speed 0.35 from 60s for 30s",
    hasValue: true,
    words: ["from", "for"],
    read(times, value) {
      const speed = /^\d+(\.\d+)?x?$/.test(value) ? Number.parseFloat(value) : Number.NaN;
      if (!(speed >= SPEED_MIN && speed <= SPEED_MAX)) return null;
      return { kind: "speed", speed, ...interval(times["from"] ?? 0, times["for"]) };
    },
  },
  {
    verbs: ["crash", "crashes"],
    example: "2: crash at 100s for 30s cold 45s",
    hasValue: false,
    words: ["at", "for", "cold"],
    read(times) {
      const { at, for: lasts, cold = 0 } = times;
      if (at === undefined) return null;
      return { kind: "down", ...interval(at, lasts === undefined ? undefined : lasts + cold) };
    },
  },
  {
    verbs: ["flap", "flaps"],
    example: "1: flap every 20s from 60s",
    hasValue: false,
    words: ["every", "from"],
    read({ every, from = 0 }) {
      if (every === undefined || every <= 0) return null;
      return { kind: "down", ...interval(from + every / 2, every / 2), everyS: every };
    },
  },
  {
    verbs: ["hang", "hangs"],
    example: "3: hang from 50s for 20s",
    hasValue: false,
    words: ["from", "at", "for"],
    read({ from, at, for: lasts }) {
      const since = from ?? at;
      return since === undefined ? null : { kind: "hang", ...interval(since, lasts) };
    },
  },
  {
    verbs: ["joins", "join"],
    example: "8: joins at 120s cold 45s",
    hasValue: false,
    words: ["at", "cold"],
    read({ at, cold = 0 }) {
      return at === undefined ? null : { kind: "absent", fromS: 0, untilS: at + cold };
    },
  },
  {
    verbs: ["leaves", "leave"],
    example: "7: leaves at 300s",
    hasValue: false,
    words: ["at"],
    read({ at }) {
      return at === undefined ? null : { kind: "absent", ...interval(at, undefined) };
    },
  },
  {
    verbs: ["lies", "lie"],
    example: "0: lies idle from 60s (or: lies frozen)",
    hasValue: true,
    words: ["from", "for"],
    read({ from = 0, for: lasts }, value) {
      if (value !== "idle" && value !== "frozen") return null;
      return { kind: value === "idle" ? "lie_idle" : "lie_frozen", ...interval(from, lasts) };
    },
  },
];

const SPEED_MIN = 0.001;
const SPEED_MAX = 1000;

function interval(fromS: number, lastsS: number | undefined): Pick<Fault, "fromS" | "untilS"> {
  return { fromS, untilS: lastsS === undefined ? Number.POSITIVE_INFINITY : fromS + lastsS };
}

function readTimes(text: string, form: Form, words: readonly string[]): Times {
  const times: Record<string, number> = {};
  for (let i = 0; i < words.length; i += 2) {
    const word = words[i]!;
    if (!form.words.includes(word)) throw wrong(text, `"${word}" does not belong there; ${like(form)}`);
    if (times[word] !== undefined) throw wrong(text, `"${word}" is there twice`);
    const seconds = secondsOf(words[i + 1] ?? "");
    if (seconds === null) {
      throw wrong(text, `after "${word}" comes a time such as 60s, 500ms or 2m; ${like(form)}`);
    }
    times[word] = seconds;
  }
  return times;
}

function like(form: Form): string {
  return `write it like "${form.example}"`;
}

/** `60s`, `500ms`, `2m`, `1h`; null for anything else. */
export function secondsOf(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_S[match[2] as keyof typeof UNIT_S];
}

const UNIT_S = { ms: 0.001, s: 1, m: 60, h: 3600 } as const;

function wrong(text: string, what: string): RangeError {
  return new RangeError(`fault "${text}": ${what}`);
}
