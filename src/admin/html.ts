/** Text that is HTML already. Only {@link markup} makes it, so that nothing gets into a page unescaped. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text and numbers are escaped, HTML and lists of it are taken as they are. */
export type HtmlPart = string | number | Html | readonly Html[];

/**
 * HTML from a template whose parts are data. Attribute values must be in double quotes. Not called `html`:
 * formatters would then change the white space of the page, and with it the hashes of its style and script.
 */
export function markup(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let text = strings[0]!;
  for (const [i, part] of parts.entries()) text += partText(part) + strings[i + 1]!;
  return new Html(text);
}

function partText(part: HtmlPart): string {
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map((each) => each.text).join("");
  return escapeHtml(String(part));
}

/** Control characters would not break out, but they do not belong into a page. */
function escapeHtml(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "\ufffd").replaceAll(/[&<>"']/g, (c) => ESCAPES[c]!);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
