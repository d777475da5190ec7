import { closeSync, openSync, readSync, statSync, truncateSync } from "node:fs";

/** Counts what is written to a log that is emptied at every look: no run may fill the disk. */
export function logMeter(file: string): () => number {
  let endAtLastLook = 0;
  return () => {
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (size === 0) return 0;
    // HAProxy does not write in append mode: after the cut it goes on at its old offset, behind a hole.
    const bytes = startsWithHole(file) ? size - endAtLastLook : size;
    endAtLastLook = size;
    truncateSync(file);
    return bytes;
  };
}

function startsWithHole(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    const first = Buffer.alloc(1);
    return readSync(descriptor, first) === 1 && first[0] === 0;
  } finally {
    closeSync(descriptor);
  }
}
