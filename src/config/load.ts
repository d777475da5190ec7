import * as path from "node:path";

import type { Config } from "./config.ts";
import { crossCheck } from "./cross-check.ts";
import type { Environment } from "./environment.ts";
import { expand } from "./expand.ts";
import { findingsOf } from "./findings.ts";
import { PemFiles } from "./pem-files.ts";
import type { Finding, Problem } from "./problem.ts";
import { ConfigError, describeValue, formatPath, invalid } from "./problem.ts";
import { readText } from "./read-text.ts";
import { fileSchema } from "./schema.ts";
import { Source } from "./source.ts";

/**
 * Reads and checks a configuration file. Throws {@link ConfigError} with everything that is wrong with it.
 */
export function loadConfig(file: string, env: Environment = process.env): Config {
  let text: string;
  try {
    text = readText(file, FILE_BYTES_MAX);
  } catch (cause) {
    const why = (cause as Error).message;
    const message = `${file}: ${why}; name another, or write one with ${TWO_LINES}`;
    throw new ConfigError("EVENER_CONFIG_UNREADABLE", message, [], { cause });
  }
  return parseConfig(text, { path: file, env, readFile: (name) => readText(name, VALUE_BYTES_MAX) });
}

/**
 * Checks the text of a configuration file. Throws {@link ConfigError}, and nothing else whatever the text.
 */
export function parseConfig(text: string, options: ParseOptions): Config {
  const directory = path.dirname(path.resolve(options.path));
  const files = new Set<string>();
  const readFile = (name: string): string => {
    const file = path.resolve(directory, name);
    files.add(file);
    return options.readFile(file);
  };
  const source = new Source(text.replace(/^\uFEFF/, ""), { env: options.env, readFile });
  if (source.value === undefined) throw invalid(options.path, source.problems);
  if (!isMap(source.value)) throw invalid(options.path, [...source.problems, notAMap(source)]);
  const parsed = fileSchema.safeParse(source.value, { reportInput: true });
  const findings = crossCheck(source.value);
  if (!parsed.success) findings.push(...findingsOf(parsed.error.issues, source.value));
  const problems = [...source.problems, ...placeAll(findings, source)];
  if (problems.length > 0 || !parsed.success) throw invalid(options.path, problems);
  const read: Finding[] = [];
  const config = expand(parsed.data, directory, { pems: new PemFiles(readFile, read), findings: read });
  if (read.length > 0) throw invalid(options.path, placeAll(read, source));
  // It is written to, not read from: watching it would be a reload for every line.
  if (config.accessLog.kind === "file") files.delete(config.accessLog.path);
  return { ...config, files: [...files] };
}

/** Where a text comes from, and what it may refer to. */
export interface ParseOptions {
  /** Named in problems; paths in the file are relative to its directory. */
  readonly path: string;
  readonly env: Environment;
  /** Contents of a file by absolute path; throws when it can not be read. */
  readonly readFile: (path: string) => string;
}

/** Enough for a file. */
const TWO_LINES = `"listen: 8080" and "backends: [http://HOST:PORT]"`;
/** A configuration beyond this is a mistake, such as a log file. */
const FILE_BYTES_MAX = 1_048_576;
/** Of a file that is named; a bundle of all public authorities has a quarter of it. */
const VALUE_BYTES_MAX = 1_048_576;

function placeAll(findings: readonly Finding[], source: Source): Problem[] {
  const meant = new Set(
    findings.map((finding) => siblingPath(finding)).filter((place) => place !== undefined),
  );
  const known = new Set(source.problems.map((problem) => problem.path));
  const problems: Problem[] = [];
  for (const finding of findings) {
    const place = formatPath(finding.path);
    // A mistyped key is not missing as well, and a value whose variable is missing is not wrong as well.
    if (finding.isMissing === true && meant.has(place)) continue;
    if (known.has(place)) continue;
    known.add(place);
    problems.push(source.place(finding));
  }
  return problems;
}

function siblingPath({ path, meant }: Finding): string | undefined {
  return meant === undefined ? undefined : formatPath([...path.slice(0, -1), meant]);
}

function notAMap(source: Source): Problem {
  const found =
    source.value === null ? "the file is empty" : `expected a map, found ${describeValue(source.value)}`;
  return source.place({
    path: [],
    message: `${found}; write ${TWO_LINES}`,
  });
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
