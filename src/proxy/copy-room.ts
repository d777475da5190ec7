// Hot path: one copy into memory that is used again, in place of a buffer for each read.
/**
 * Where bytes are copied to that must outlive the read that brought them. A write that the kernel took at
 * once has left nothing behind, so the next one may use the same memory: a thousand long answers make no
 * garbage. Only what has to wait keeps it, and then the next copy gets new memory.
 */
export class CopyRoom {
  #room: Buffer = NOTHING;

  /** Room for so many bytes, that stays the caller's until the next call. */
  take(length: number): Buffer {
    if (this.#room.length < length) {
      this.#room = Buffer.allocUnsafeSlow(Math.max(length, ROOM_BYTES));
    }
    return this.#room;
  }

  /** What was taken is needed for longer. */
  giveAway(): void {
    this.#room = NOTHING;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
/** One whole read, with the end of what came before it, and its frame. */
const ROOM_BYTES = 80 * 1024;
