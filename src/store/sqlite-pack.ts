import type { Write, WriteOutcome } from "../core/tasks/write.ts";
import { cellsOf, eventCells, recordOf, rowOf, stateCode } from "./rows.ts";
import type { PackedCommit, PackedOutcome, PackedWrite, Piece } from "./sqlite-messages.ts";

/** Writes for the thread: as one string, with all their bytes in one piece. */
export function packed(writes: readonly Write[]): PackedCommit {
  const pieces = new Pieces();
  const json = JSON.stringify(writes.map((write) => packedWrite(write, pieces)));
  return { json, bytes: pieces.joined() };
}

/** The bytes of a write in the thread; they stay where they came. */
export function bytesAt<T extends Piece | null>(bytes: Uint8Array, piece: T): Uint8Array | Extract<T, null> {
  if (piece === null) return null as Extract<T, null>;
  return bytes.subarray(piece[0], piece[0] + piece[1]);
}

/** What the thread says became of a write. */
export function outcomeOf(outcome: PackedOutcome): WriteOutcome {
  if (typeof outcome === "number") return { kind: "done", cursor: outcome };
  if ("duplicate" in outcome) return { kind: "duplicate", id: outcome.duplicate };
  return { kind: "stale", record: outcome.stale === null ? null : recordOf(outcome.stale) };
}

function packedWrite(write: Write, pieces: Pieces): PackedWrite {
  switch (write.do) {
    case "submit": {
      const { task, keyKeptMs } = write;
      const { idempotencyKey, tenant } = task.spec;
      const row = rowOf(task);
      const spec = row.pop() as string;
      const payload = pieces.add(write.payload);
      const key = idempotencyKey === null ? null : `${tenant}\n${idempotencyKey}`;
      const keyUntilMs = Math.round(task.submittedAtMs + keyKeptMs);
      return { do: "submit", row, spec, payload, event: eventCells(write.event), key, keyUntilMs };
    }
    case "change": {
      const { id, ifState, ifFence: fence, change, result } = write;
      const event = eventCells(write.event);
      const states = ifState.map(stateCode);
      const kept = result === undefined ? {} : { result: pieces.add(result) };
      return { do: "change", id, states, fence, ...cellsOf(change), event, ...kept };
    }
    case "note": {
      const evidence = pieces.add(write.evidence ?? null);
      return { do: "note", id: write.id, event: eventCells(write.event), evidence };
    }
    case "remember":
      return { do: "remember", name: write.name, bytes: pieces.add(write.bytes) };
  }
}

class Pieces {
  readonly #all: Uint8Array[] = [];
  #count = 0;

  add<T extends Uint8Array | null>(bytes: T): Piece | Extract<T, null> {
    if (bytes === null) return null as Extract<T, null>;
    const piece = [this.#count, bytes.length] as const;
    this.#all.push(bytes);
    this.#count += bytes.length;
    return piece;
  }

  joined(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#count);
    let from = 0;
    for (const piece of this.#all) {
      bytes.set(piece, from);
      from += piece.length;
    }
    return bytes;
  }
}
