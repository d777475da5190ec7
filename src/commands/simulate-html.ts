import type { EngineTimeline, Timeline } from "../sim/timeline.ts";
import { type Simulation, simulationTable, trafficName } from "./simulate-report.ts";

/**
 * A page that needs nothing else: the table, and for each policy two charts over the time, of the first seed:
 * how many requests wait at each engine, and which share of the requests it got. Light and dark.
 */
export function simulationPage(simulation: Simulation): string {
  const { plan, tasks, timelines } = simulation;
  const drawn = tasks.flatMap(({ policy }, index) => {
    const timeline = timelines[index] ?? null;
    return timeline === null ? [] : [{ policy, timeline }];
  });
  // One scale for all, so that they can be compared; a policy that loses control leaves it.
  const peaks = drawn.map(({ timeline }) => peakOf(timeline)).sort((a, b) => a - b);
  const queueMax = Math.max(1, peaks[Math.floor(peaks.length / 2)] ?? 1) * 1.5;
  const title = plan.about === "" ? `evener simulate: ${trafficName(plan)}` : plan.about;
  const sections = drawn.map(({ policy, timeline }) => section(policy, timeline, queueMax));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<h1>${escaped(title)}</h1>
<pre>${escaped(simulationTable(simulation))}</pre>
<p>Charts are of seed ${plan.seed}. ${legend(drawn[0]?.timeline)}</p>
${sections.join("\n")}
</html>
`;
}

const WIDTH = 560;
const HEIGHT = 150;
const LEFT = 46;
const BOTTOM = 22;
const TOP = 18;

/** Colours by Paul Tol (bright and muted), which those who see few colours can tell apart. */
const COLOURS = [
  "#4477aa",
  "#ee6677",
  "#228833",
  "#ccbb44",
  "#66ccee",
  "#aa3377",
  "#888888",
  "#ee7733",
  "#009988",
  "#cc3311",
  "#882255",
  "#999933",
];

const STYLE = `
  :root { color-scheme: light dark }
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
  pre { overflow-x: auto; font-size: 13px } h2 { font-size: 1.05rem; margin: 1.5rem 0 .3rem }
  .charts { display: flex; flex-wrap: wrap; gap: 1rem } svg { width: ${WIDTH}px; max-width: 100% }
  text { fill: currentcolor; font-size: 11px } .axis { stroke: currentcolor; opacity: .35; fill: none }
  .line { fill: none; stroke-width: 1.4; stroke-linejoin: round } .key { white-space: nowrap }
  .key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .8em;
    background: var(--colour) }
`;

function section(policy: string, timeline: Timeline, queueMax: number): string {
  return `<section>
<h2>${escaped(policy)}</h2>
<div class="charts">
${queueChart(timeline, queueMax)}
${shareChart(timeline)}
</div>
</section>`;
}

function queueChart({ stepS, engines }: Timeline, queueMax: number): string {
  const lines = engines.map(({ number, queue }) => {
    const points = queue.map((value, step) => {
      return `${x(step + 0.5, queue.length)},${y(Math.min(1, value / queueMax))}`;
    });
    const look = `class="line" stroke="${colourOf(number)}"`;
    return `<polyline ${look} points="${points.join(" ")}"><title>engine ${number}</title></polyline>`;
  });
  return chart("requests that wait for their first token", tick(queueMax), stepS, engines, lines);
}

/** Shares on top of each other: together they are 1 where anything was sent. */
function shareChart({ stepS, engines }: Timeline): string {
  const steps = engines[0]?.share.length ?? 0;
  const below = new Float64Array(steps);
  const areas = engines.map(({ number, share }) => {
    const lower = Array.from(below);
    for (const [step, value] of share.entries()) below[step]! += value;
    const upper = Array.from(below);
    const there = upper.map((value, step) => `${x(step + 0.5, steps)},${y(value)}`);
    const back = lower.map((value, step) => `${x(step + 0.5, steps)},${y(value)}`).reverse();
    const points = [...there, ...back].join(" ");
    return `<polygon fill="${colourOf(number)}" points="${points}"><title>engine ${number}</title></polygon>`;
  });
  return chart("share of the requests", "100 %", stepS, engines, areas);
}

function chart(
  title: string,
  top: string,
  stepS: number,
  engines: readonly EngineTimeline[],
  shapes: readonly string[],
): string {
  const endS = stepS * (engines[0]?.queue.length ?? 0);
  const bottom = HEIGHT - BOTTOM;
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">
<text x="${LEFT}" y="11">${title}</text>
${shapes.join("\n")}
<path class="axis" d="M${LEFT} ${TOP}V${bottom}H${WIDTH - 6}"/>
<text x="${LEFT - 4}" y="${TOP + 8}" text-anchor="end">${top}</text>
<text x="${LEFT - 4}" y="${bottom}" text-anchor="end">0</text>
<text x="${LEFT}" y="${HEIGHT - 6}">0 s</text>
<text x="${WIDTH - 6}" y="${HEIGHT - 6}" text-anchor="end">${tick(endS)} s</text>
</svg>`;
}

function legend(timeline: Timeline | undefined): string {
  return (timeline?.engines ?? [])
    .map(({ number }) => `<span class="key" style="--colour: ${colourOf(number)}">engine ${number}</span>`)
    .join(" ");
}

function x(step: number, steps: number): string {
  return (LEFT + (step / steps) * (WIDTH - 6 - LEFT)).toFixed(1);
}

/** `share`: 0 is the bottom of the chart, 1 its top. */
function y(share: number): string {
  const bottom = HEIGHT - BOTTOM;
  return (bottom - share * (bottom - TOP)).toFixed(1);
}

function colourOf(engine: number): string {
  return COLOURS[engine % COLOURS.length]!;
}

function peakOf({ engines }: Timeline): number {
  return engines.reduce((peak, { queue }) => Math.max(peak, ...queue), 0);
}

function tick(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
