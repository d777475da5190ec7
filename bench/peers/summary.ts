import { markdownTable } from "../measure/table.ts";
import { OURS, YARDSTICK } from "./proxies/index.ts";
import type { Peer } from "./proxies/peer.ts";
import type { SummaryRow } from "./workloads/workload.ts";

/** Ratios to the yardstick: a row a workload, a column a peer; bold where Evener loses. */
export function summaryTable(peers: readonly Peer[], rows: readonly SummaryRow[]): string {
  const head = ["workload", ...peers.map((peer) => peer.name), `${OURS.name}'s aim`];
  const cells = rows.map((row) => {
    const ratios = peers.map((peer) => showRatio(peer, row.ratios.get(peer.name)));
    return [row.label, ...ratios, showAim(row)];
  });
  return [
    `### Summary: what each costs, ${YARDSTICK.name} = 1.00`,
    `Bold: ${OURS.name} loses against ${YARDSTICK.name}.`,
    "",
    markdownTable(head, cells),
  ].join("\n");
}

function showRatio(peer: Peer, ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return "-";
  const text = ratio.toFixed(2);
  return peer === OURS && Number(text) > 1 ? `**${text}**` : text;
}

function showAim({ ratios, aim }: SummaryRow): string {
  const ratio = ratios.get(OURS.name);
  if (aim === undefined) return "none";
  if (ratio === undefined) return aim.toFixed(2);
  return `${aim.toFixed(2)}, ${ratio <= aim ? "reached" : "missed"}`;
}
