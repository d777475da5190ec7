// What was found: one JSON file each, checked by every `npm test` from then on.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hashText } from "../../src/core/kit/hash.ts";

/** A file of the corpus. */
export interface Kept {
  readonly file: string;
  /** What was wrong, or what the case is good for. */
  readonly reason: string;
  readonly input: string;
}

/** The corpus of a target, by file name. */
export function readCorpus(target: string): Kept[] {
  const folder = folderOf(target);
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => {
      const kept = JSON.parse(readFileSync(`${folder}/${file}`, "utf8")) as Omit<Kept, "file">;
      return { file, ...kept };
    });
}

/** Adds a case; returns the file's path, relative to this clone. */
export function keep(target: string, reason: string, input: string): string {
  const name = `${hashText(`${reason}\n${input}`).toString(16).padStart(8, "0")}.json`;
  mkdirSync(folderOf(target), { recursive: true });
  writeFileSync(`${folderOf(target)}/${name}`, `${JSON.stringify({ reason, input }, null, 2)}\n`);
  return `test/fuzz/corpus/${target}/${name}`;
}

function folderOf(target: string): string {
  return fileURLToPath(new URL(`./corpus/${target}`, import.meta.url));
}
