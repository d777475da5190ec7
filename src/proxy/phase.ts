/**
 * How far an exchange is. list: the models of several pools are asked for. collect: the body is awaited
 * before the pick. run: queued or attempted. tunnel: the protocol was switched. ended: the end of the
 * request has been written.
 */
export type Phase = "idle" | "list" | "collect" | "run" | "tunnel" | "ended";

/** The client waits for an answer, or reads it. */
export function isOpen(phase: Phase): boolean {
  return phase === "run" || phase === "collect" || phase === "list";
}
