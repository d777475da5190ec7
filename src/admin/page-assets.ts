import { createHash } from "node:crypto";

/** The page's style, inline: nothing is loaded from anywhere. Every colour stands beside a word. */
export const PAGE_STYLE = `
:root { color-scheme: light dark;
  --ground: #fbfbfa; --card: #fff; --ink: #1d2125; --soft: #626a73; --line: #dfe2e6;
  --bar: #3b76c4; --mark: #1d2125;
  --up: #14713d; --slow: #8a5a00; --out: #b3261e; --idle: #55606b }
@media (prefers-color-scheme: dark) { :root {
  --ground: #14171a; --card: #1b1f23; --ink: #e4e7ea; --soft: #99a2ab; --line: #30363c;
  --bar: #5b95e0; --mark: #fff;
  --up: #5fce8d; --slow: #e0b04c; --out: #ff8a80; --idle: #a3adb7 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.25rem; max-width: 84rem; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1.1rem; margin: 0 }
header, .head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem 1.25rem }
.soft { color: var(--soft) }
.id { font-family: ui-monospace, monospace; font-size: .93em; overflow-wrap: anywhere }
section { margin-top: 1.25rem; padding: .9rem 1.1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; overflow-x: auto }
table { width: 100%; border-collapse: collapse; margin-top: .6rem; font-variant-numeric: tabular-nums }
th { font-weight: 500; color: var(--soft); font-size: .85rem; white-space: nowrap }
th, td { text-align: left; padding: .36rem .9rem .36rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child td { border-bottom: 0 } .n { text-align: right; white-space: nowrap }
.s { font-weight: 600; white-space: nowrap }
.s-up { color: var(--up) } .s-slow, .s-probation { color: var(--slow) }
.s-ejected, .s-down { color: var(--out) } .s-draining { color: var(--idle) }
svg { width: 9rem; height: .7rem; vertical-align: -1px; margin-right: .5rem }
.share { white-space: nowrap }
.track { fill: var(--line) } .bar { fill: var(--bar) } .mark { fill: var(--mark) }
.alarm { margin: .7rem 0 0; padding: .45rem .8rem; border-left: 4px solid var(--out); color: var(--out) }
[hidden] { display: none }
`;

/** Takes the page again every two seconds and exchanges its content, so that scrolling and selection stay. */
export const PAGE_SCRIPT = `
const lost = document.getElementById("lost");
let busy = false;
async function refresh() {
  if (busy || document.hidden || String(getSelection()) !== "") return;
  busy = true;
  try {
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.status);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(next.querySelector("main"));
    lost.hidden = true;
  } catch { lost.hidden = false }
  busy = false;
}
setInterval(refresh, 2000);
`;

/** Only this style and this script, by their hashes; no other resource, no frame, no form. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src '${sourceHash(PAGE_STYLE)}'`,
  `script-src '${sourceHash(PAGE_SCRIPT)}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function sourceHash(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
