import { EvenerError } from "../errors.ts";

/** A message with its attachments: bytes that JSON would make larger. */
export interface Frame<T> {
  readonly message: T;
  readonly attachments: readonly Uint8Array[];
}

/**
 * 4 bytes length of the JSON (big endian), the JSON, the attachments one after the other. `lengthsOf` in
 * {@link decodeFrame} knows how long each is.
 */
export function encodeFrame(message: unknown, attachments: readonly Uint8Array[] = []): Buffer {
  const json = Buffer.from(JSON.stringify(message), "utf8");
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(json.length);
  return Buffer.concat([head, json, ...attachments]);
}

/**
 * The message and its attachments, which are views into `bytes`. `check` reads the message and says how long
 * its attachments are, in their order; null: it is no message. Throws EVENER_BAD_FRAME.
 */
export function decodeFrame<T>(
  bytes: Buffer,
  check: (value: unknown) => { readonly message: T; readonly lengths: readonly number[] } | null,
): Frame<T> {
  if (bytes.length < HEAD_BYTES) throw badFrame("it is shorter than 4 bytes");
  const end = HEAD_BYTES + bytes.readUInt32BE(0);
  if (end > bytes.length) throw badFrame("its JSON is longer than the frame");
  const checked = check(parse(bytes.subarray(HEAD_BYTES, end)));
  if (checked === null) throw badFrame("its JSON is no message of this protocol");
  const attachments: Uint8Array[] = [];
  let at = end;
  for (const length of checked.lengths) {
    attachments.push(bytes.subarray(at, at + length));
    at += length;
  }
  if (at !== bytes.length) throw badFrame("its attachments are not as long as it says");
  return { message: checked.message, attachments };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    throw badFrame("its JSON can not be read");
  }
}

function badFrame(why: string): EvenerError {
  return new EvenerError("EVENER_BAD_FRAME", `a frame of the agents' protocol is not valid: ${why}`);
}

const HEAD_BYTES = 4;
const UTF8 = new TextDecoder("utf-8", { fatal: true });
/** Of one frame, attachments included: a batch is cut before it. */
export const FRAME_BYTES_MAX: number = 32 * 1024 * 1024;
