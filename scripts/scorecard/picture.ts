import type { Selection } from "./columns.ts";
import { OURS } from "./page.ts";
import { type Cell, isHeld, judge } from "./verdict.ts";

/**
 * docs/scorecard.svg: one strip a cell, one mark a policy at its goodput; ours and the best rival stand out.
 * Colours follow the reader's light or dark scheme; the background is its own.
 */
export function picture({ columns, engines }: Selection, cells: readonly Cell[]): string {
  const width = LABEL_WIDTH + engines.length * STRIP_PITCH + MARGIN;
  const height = TOP + columns.length * ROW_PITCH + BOTTOM;
  const heads = engines.map((engine, i) => text(stripX(i), 56, "head", engine));
  const rows = columns.map((column, row) => {
    const y = TOP + row * ROW_PITCH;
    const strips = engines.map((engine, i) => {
      const cell = cells.find((it) => it.column === column && it.engine === engine)!;
      return strip(cell, stripX(i), y);
    });
    return `${text(MARGIN, y + 4, "label", column.name.replaceAll("_", " "))}\n${strips.join("\n")}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img"
  aria-label="Goodput of every policy in every cell of the scorecard">
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}"/>
${text(MARGIN, 28, "title", "Goodput by policy: 0 at the left, 1 at the right")}
${heads.join("\n")}
${rows.join("\n")}
${legend(height - 18)}
</svg>
`;
}

const MARGIN = 16;
const LABEL_WIDTH = 190;
const STRIP_WIDTH = 210;
const STRIP_PITCH = 250;
const ROW_PITCH = 46;
const TOP = 86;
const BOTTOM = 30;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .paper { fill: #ffffff } .title { font-size: 15px; font-weight: 600 } .head { font-weight: 600 }
  .small { font-size: 10px; fill: #57606a } .axis { stroke: #d0d7de } .rival { fill: #8c959f; opacity: .55 }
  .best { fill: #bc4c00 } .ours { fill: #0969da } .lost { font-weight: 700; fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .paper { fill: #0d1117 } .small { fill: #9198a1 } .axis { stroke: #3d444d }
    .rival { fill: #9198a1 } .best { fill: #f0883e } .ours { fill: #58a6ff } .lost { fill: #ff7b72 }
  }
`;

function stripX(index: number): number {
  return LABEL_WIDTH + index * STRIP_PITCH;
}

function strip(cell: Cell, x: number, y: number): string {
  const ours = cell.rows.find(({ policy }) => policy === OURS)!;
  const rivals = cell.rows.filter((row) => row !== ours);
  const best = rivals.reduce((a, b) => (b.goodput.mean > a.goodput.mean ? b : a));
  const at = (value: number): string => (x + value * STRIP_WIDTH).toFixed(1);
  const marks = rivals.map(({ policy, goodput }) => {
    const isBest = policy === best.policy;
    const title = `<title>${policy} ${goodput.mean.toFixed(3)}</title>`;
    const look = isBest ? 'class="best" r="4.5"' : 'class="rival" r="3"';
    return `<circle ${look} cx="${at(goodput.mean)}" cy="${y}">${title}</circle>`;
  });
  const middle = Number(at(ours.goodput.mean));
  const diamond = `M${middle} ${y - 7}l6 7l-6 7l-6 -7z`;
  const words = `${ours.goodput.mean.toFixed(3)}; ${best.policy} ${best.goodput.mean.toFixed(3)}`;
  return `<line class="axis" x1="${x}" x2="${x + STRIP_WIDTH}" y1="${y}" y2="${y}"/>
${marks.join("\n")}
<path class="ours" d="${diamond}"><title>${OURS} ${ours.goodput.mean.toFixed(3)}</title></path>
${text(x, y + 19, isHeld(judge(cell, OURS)) ? "small" : "small lost", words)}`;
}

function legend(y: number): string {
  return `<path class="ours" d="M${MARGIN + 6} ${y - 11}l6 7l-6 7l-6 -7z"/>
${text(MARGIN + 18, y, "small", OURS)}
<circle class="best" cx="${MARGIN + 96}" cy="${y - 4}" r="4.5"/>
${text(MARGIN + 106, y, "small", "best other one")}
<circle class="rival" cx="${MARGIN + 206}" cy="${y - 4}" r="3"/>
${text(MARGIN + 216, y, "small", "the others")}
${text(MARGIN + 290, y, "small lost", `red: ${OURS} is not near the best in goodput or mean TTFT`)}`;
}

function text(x: number, y: number, kind: string, words: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`;
}
