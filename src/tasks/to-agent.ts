import { decodeFrame, type Frame } from "./frames.ts";
import type { ToAgent } from "./protocol.ts";

/**
 * What the dispatcher says. It is believed as to values: only its form is checked. Throws EVENER_BAD_FRAME.
 */
export function readToAgent(bytes: Buffer): Frame<ToAgent> {
  return decodeFrame<ToAgent>(bytes, (value) => {
    const message = value as ToAgent | null;
    if (typeof message !== "object" || message === null || !SAYS.has(message.say)) return null;
    if (message.say === "run") return { message, lengths: message.tasks.map((task) => task.bytes) };
    return { message, lengths: [] };
  });
}

const SAYS: ReadonlySet<string> = new Set(["welcome", "run", "cancel", "kept", "drain", "refused"]);
