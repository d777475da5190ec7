import type { LoggedEvent } from "./event-log.ts";
import { Html, markup } from "./html.ts";
import { PAGE_SCRIPT, PAGE_STYLE } from "./page-assets.ts";
import type { AdminSource } from "./source.ts";
import type { BackendStatus, LeftStatus, PoolStatus } from "./status.ts";

/** The status page, whole. `wallMs`: milliseconds since 1970. */
export function statusPage(source: AdminSource, pools: readonly PoolStatus[], wallMs: number): string {
  const { events } = source;
  const latest = events.since(Math.max(0, events.last - EVENTS_SHOWN), EVENTS_SHOWN).reverse();
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Evener</title>
<style>${new Html(PAGE_STYLE)}</style>
<noscript><meta http-equiv="refresh" content="2"></noscript>
</head>
<body>
<p class="alarm" id="lost" role="status" hidden>Evener does not answer: what you see is old.</p>
<main>
${summary(source, wallMs)}
${pools.map(poolSection)}
${eventSection(latest)}
</main>
<script>${new Html(PAGE_SCRIPT)}</script>
</body>
</html>
`.text;
}

function summary(source: AdminSource, wallMs: number): Html {
  const figures = source.process();
  const notes = [
    `up ${duration(wallMs - figures.startedAtWallMs)}`,
    count(figures.clientConnections, "client connection"),
    ...(figures.unrouted > 0 ? [`${count(figures.unrouted, "request")} without a route`] : []),
    ...(figures.malformed > 0 ? [count(figures.malformed, "malformed request")] : []),
  ];
  const state = source.isReady()
    ? markup`<span class="s s-up">● ready</span>`
    : markup`<span class="s s-slow">■ not ready: starting or stopping</span>`;
  return markup`<header><h1>Evener</h1>${state}<span class="soft">${source.version}</span>
<span class="soft">${notes.join(" · ")}</span>
<span class="soft">${clockTime(wallMs)} UTC</span></header>`;
}

function poolSection(pool: PoolStatus): Html {
  const { queue, backends, left } = pool;
  const inFlight = [...backends, ...left].reduce((sum, each) => sum + each.in_flight, 0);
  const waiting =
    queue.length === 0
      ? "queue empty"
      : `${queue.length} waiting, oldest ${milliseconds(queue.oldest_wait_ms)}`;
  const panic = pool.panic
    ? markup`<p class="alarm">Panic: too few backends are healthy, so health is ignored.</p>`
    : NOTHING;
  return markup`<section>
<div class="head"><h2>${pool.name}</h2><span class="soft">${pool.policy}</span>
<span class="soft">${inFlight} in flight · ${queue.max === 0 ? "no queue" : waiting}</span></div>
${panic}<table>
<thead><tr><th>backend</th><th>state</th><th class="n">in flight / limit</th>
<th>share of the last minute (mark: fair share)</th>
<th class="n">first byte p50</th><th class="n">p95</th><th class="n">weight</th>
<th class="n">picks</th><th class="n">failures</th><th class="n">aborts</th></tr></thead>
<tbody>${backends.map(backendRow)}${left.map(leftRow)}</tbody>
</table></section>
`;
}

function backendRow(it: BackendStatus): Html {
  const { configured, override, effective } = it.weight;
  const usual = override ?? configured;
  const weight = effective === usual ? `${round(usual)}` : `${round(effective)} of ${round(usual)}`;
  const address = it.address === it.id ? NOTHING : markup`<br><span class="soft">${it.address}</span>`;
  const reason = it.reason === "" ? NOTHING : markup`<br><span class="soft">${it.reason}</span>`;
  return markup`<tr><td class="id">${it.id}${address}</td>
<td><span class="s s-${it.state}">${MARKS[it.state]} ${it.state}</span>${reason}</td>
<td class="n">${it.in_flight} / ${it.limit.effective === 0 ? "no limit" : it.limit.effective}</td>
<td class="share">${shareBar(it)}</td>
<td class="n">${milliseconds(it.first_byte_ms.p50)}</td>
<td class="n">${milliseconds(it.first_byte_ms.p95)}</td>
<td class="n">${weight}</td><td class="n">${it.picks}</td><td class="n">${it.failures}</td>
<td class="n">${it.aborts}</td></tr>
`;
}

function leftRow({ id, address, in_flight }: LeftStatus): Html {
  const where = address === id ? NOTHING : markup`<br><span class="soft">${address}</span>`;
  return markup`<tr><td class="id">${id}${where}</td>
<td><span class="s s-draining">▽ left</span><br><span class="soft">removed; finishes what it has</span></td>
<td class="n">${in_flight}</td><td colspan="7"></td></tr>
`;
}

/** Sizes are attributes of SVG: the page's policy allows no style of an element's own. */
function shareBar({ share, fair_share }: BackendStatus): Html {
  const mark = Math.min(98.5, fair_share * 100);
  const text = share === null ? "no picks" : percent(share);
  return markup`<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
<rect class="track" width="100" height="10"/>
<rect class="bar" width="${round((share ?? 0) * 100)}" height="10"/>
<rect class="mark" x="${round(mark)}" width="1.5" height="10"/></svg>${text}
<span class="soft">of ${percent(fair_share)} fair</span>`;
}

function eventSection(events: readonly LoggedEvent[]): Html {
  const rows = events.map(
    ({ atWallMs, event }) => markup`<tr><td class="n soft">${clockTime(atWallMs)}</td><td>${event.pool}</td>
<td class="id">${event.endpoint ?? "all"}</td><td>${event.kind.replaceAll("_", " ")}</td>
<td>${event.reason}</td><td class="soft">${event.evidence}</td></tr>
`,
  );
  if (rows.length === 0) return markup`<section><h2>Events</h2><p class="soft">None yet.</p></section>`;
  return markup`<section><h2>Last events</h2><table>
<thead><tr><th class="n">UTC</th><th>pool</th><th>backend</th><th>what</th><th>why</th>
<th>evidence</th></tr></thead>
<tbody>${rows}</tbody></table></section>`;
}

const EVENTS_SHOWN = 20;
const NOTHING: Html = markup``;

/** A shape each, so that colour is not all there is. */
const MARKS: Readonly<Record<BackendStatus["state"], string>> = {
  up: "●",
  slow: "◐",
  probation: "◔",
  ejected: "✕",
  down: "✕",
  draining: "▽",
};

function percent(share: number): string {
  return `${(share * 100).toFixed(share >= 0.0995 || share === 0 ? 0 : 1)} %`;
}

function milliseconds(value: number | null): string {
  if (value === null) return "–";
  if (value >= 999.5) return `${(value / 1000).toFixed(value >= 9_995 ? 1 : 2)} s`;
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)} ms`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function duration(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

function clockTime(wallMs: number): string {
  return new Date(wallMs).toISOString().slice(11, 19);
}
