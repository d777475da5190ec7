import { RequestScan } from "./request-scan.ts";

/** Scans that wait for their next body; more are left to the collector. A scan takes 4 KiB and its blocks. */
const SCANS_KEPT_MAX = 64;
/** A scan whose hashes have grown beyond is not kept. */
const BLOCKS_KEPT_MAX = 1024;

/** A thread reads many bodies at once, but most connections read none. */
const waiting: RequestScan[] = [];

/** One that nobody uses; to be given back by {@link returnScan}. */
export function borrowScan(): RequestScan {
  return waiting.pop() ?? new RequestScan();
}

/** It is nobody's any more. */
export function returnScan(scan: RequestScan): void {
  const isSmall = scan.facts.blocks.length <= 2 * BLOCKS_KEPT_MAX;
  if (isSmall && waiting.length < SCANS_KEPT_MAX) waiting.push(scan);
}
