// Writes docs/reference/configuration.md from the schema: `node scripts/write-reference.ts`.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { JsonNode } from "../src/config/json-schema.ts";
import { alternatives, structure } from "../src/config/json-schema.ts";

/** Where the page lives. */
export const REFERENCE_FILE: string = fileURLToPath(
  new URL("../docs/reference/configuration.md", import.meta.url),
);

/** The page: what holds everywhere, then one section a map of the file. */
export function configurationReference(): string {
  const sections: Section[] = [];
  collectSections(structure(), "", sections);
  return `${[INTRODUCTION, ...sections.map((section) => writeSection(section, sections))].join("\n\n")}\n`;
}

interface Section {
  /** `pools.NAME.health`; "" is the file itself. */
  readonly path: string;
  /** More than one where the key `name` says which map it is (policies). */
  readonly maps: readonly JsonNode[];
}

const INTRODUCTION = `# Configuration

<!-- Written by scripts/write-reference.ts from the schema. Change the descriptions in src/config/. -->

One YAML file. Two lines are enough:

\`\`\`yaml
listen: 8080
backends: [http://10.0.0.1:8000, http://10.0.0.2:8000]
\`\`\`

\`evener check FILE\` says whether a file is valid, and for every mistake its line, its column and the nearest
valid key; \`evener schema\` prints a JSON Schema for editors.
[examples/full/evener.yaml](../../examples/full/evener.yaml) has every key once.

## Values

- **Durations** have a unit: \`250ms\`, \`2s\`, \`1m\`, \`1h\`, \`1d\`. **Sizes** are bytes or \`64KiB\`,
  \`1MiB\`, \`1GiB\`. **Percentages**: \`20%\`.
- **Environment**: any value may be, or contain, \`\${NAME}\`; a name that is not set is an error. \`$\${\` is
  a plain \`\${\`. Inside \`{ }\` and \`[ ]\` put it in quotes: \`{ token: "\${TOKEN}" }\`.
- **Files**: where a text is expected, \`{ file: PATH }\` stands for the trimmed contents of a file (at most
  64 KiB). Paths are relative to the configuration file.
- Blocks that can be switched off take the word \`off\`.
- YAML anchors and aliases work (at most 100 aliases); unknown tags, keys that are there twice and a second
  document are errors.
  A file is at most 1 MiB.`;

function collectSections(node: JsonNode, path: string, sections: Section[]): void {
  const forms = alternatives(node).filter((form) => form.title === undefined);
  const maps = forms.filter((form) => form.properties !== undefined);
  if (maps.length > 0) {
    if (sectionOf(maps[0]!, sections) !== undefined) return;
    sections.push({ path, maps });
  }
  for (const form of forms) {
    for (const [key, child] of Object.entries(form.properties ?? {})) {
      collectSections(child, path === "" ? key : `${path}.${key}`, sections);
    }
    if (form.items !== undefined) collectSections(form.items, `${path}[]`, sections);
    const named = form.additionalProperties;
    if (typeof named === "object") collectSections(named, `${path}.NAME`, sections);
  }
}

/** Maps that stand in two places are described once. */
function sectionOf(map: JsonNode, sections: readonly Section[]): Section | undefined {
  const written = JSON.stringify(map);
  return sections.find((section) => section.maps.some((one) => JSON.stringify(one) === written));
}

function writeSection(section: Section, sections: readonly Section[]): string {
  const rows = section.maps.flatMap((map) => writeRows(map, sections));
  const table = ["| key | value | default | meaning |", "| --- | --- | --- | --- |", ...rows];
  const note = section.path === "" ? TOP_LEVEL_NOTE : "";
  return [`## ${headingOf(section)}`, "", ...table].join("\n").concat(note);
}

function writeRows(map: JsonNode, sections: readonly Section[]): string[] {
  const name = map.properties?.["name"]?.const;
  return Object.entries(map.properties ?? {}).map(([key, child]) => {
    const isOption = name !== undefined && key !== "name";
    const initial = map.required?.includes(key) === true ? "required" : describeDefault(child);
    const cells = [
      isOption ? `\`${key}\` of \`${name}\`` : `\`${key}\``,
      describeForms(child, sections),
      initial,
      child.description ?? "",
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
}

const TOP_LEVEL_NOTE = `

Either \`listen\` or \`listeners\` is needed, and either \`backends\` or \`pools\`.`;

function headingOf({ path }: Section): string {
  return path === "" ? "The file" : `\`${path}\``;
}

function anchorOf(section: Section): string {
  const heading = headingOf(section).toLowerCase();
  return `#${heading.replaceAll(/[^\w -]/g, "").replaceAll(" ", "-")}`;
}

function describeForms(node: JsonNode, sections: readonly Section[]): string {
  const forms = alternatives(node).map((form) => describeForm(form, sections));
  return [...new Set(forms)].join(" or ");
}

function describeForm(form: JsonNode, sections: readonly Section[]): string {
  if (form.title !== undefined) return form.title;
  if (form.const !== undefined) return `\`${form.const}\``;
  if (form.enum !== undefined) return form.enum.map((word) => `\`${word}\``).join(", ");
  if (form.items !== undefined) return `list of ${describeForms(form.items, sections)}`;
  if (typeof form.additionalProperties === "object") {
    return `map of names to ${describeForms(form.additionalProperties, sections)}`;
  }
  const section = sectionOf(form, sections);
  return section === undefined ? "map" : `[map](${anchorOf(section)})`;
}

function describeDefault(node: JsonNode): string {
  const { default: initial, additionalProperties: named } = node;
  if (initial === undefined || typeof named === "object") return "none";
  if (initial === "" || (Array.isArray(initial) && initial.length === 0)) return "none";
  if (Array.isArray(initial)) return initial.map((entry) => `\`${String(entry)}\``).join(", ");
  if (typeof initial === "object" && initial !== null) return "its own defaults";
  return `\`${initial as string | number}\``;
}

if (import.meta.main) writeFileSync(REFERENCE_FILE, configurationReference());
