// Hot path: two additions for a write that stalls, two comparisons for a read.
/**
 * How much is read at once, by how much waits to be written already. What a peer does not take stays here, up
 * to one read for each of its connections: with thousands of them that do not read, 64 KiB each would be the
 * memory of the process, while what is not read waits in the kernel, which tells its sender to stop.
 */
export class ReadSize {
  /** All of the memory that is read into: a read is handled before the next one can happen. */
  readonly whole: Buffer = Buffer.allocUnsafeSlow(READ_BYTES_MAX);
  readonly #part: Buffer = this.whole.subarray(0, READ_BYTES_HELD);
  readonly #least: Buffer = this.whole.subarray(0, READ_BYTES_MIN);
  /** Bytes that wait to be written, on all connections. */
  heldBytes = 0;

  /** Where the next read goes. */
  get buffer(): Buffer {
    if (this.heldBytes < HELD_BYTES_FEW) return this.whole;
    return this.heldBytes < HELD_BYTES_MANY ? this.#part : this.#least;
  }

  /** For `onread` of one socket, which asks after each read where the next one goes. */
  buffers(): () => Buffer {
    let last: Buffer | null = null;
    return () => {
      const next = this.buffer;
      if (next === last) return AS_BEFORE;
      last = next;
      return next;
    };
  }
}

/** Node goes on with the buffer that it has where it is given none. */
const AS_BEFORE = undefined as unknown as Buffer;

/** A read as large as that costs the least for each byte. */
const READ_BYTES_MAX = 64 * 1024;
const READ_BYTES_HELD = 16 * 1024;
const READ_BYTES_MIN = 4 * 1024;
/** 32 connections with a whole read each. */
const HELD_BYTES_FEW = 2 * 1024 * 1024;
/** And 256 with a quarter of one. */
const HELD_BYTES_MANY = 6 * 1024 * 1024;

/** Of all sockets of this thread. */
export const READ_SIZE: ReadSize = new ReadSize();
