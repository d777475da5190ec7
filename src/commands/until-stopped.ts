import type { Server } from "../server.ts";

/** Waits for SIGTERM or SIGINT and drains; says so when streams had to be cut at the end of the drain time. */
export async function untilStopped(
  server: Server,
  drainMs: number,
  say: (text: string) => void,
): Promise<void> {
  await new Promise<void>((stopped) => {
    for (const signal of SIGNALS) process.once(signal, () => stopped());
  });
  say("stopping: no new connections, open streams may finish");
  // Asked twice: at once.
  for (const signal of SIGNALS) process.once(signal, () => process.exit(1));
  const wasClean = await server.stop(drainMs);
  say(wasClean ? "stopped; nothing was cut" : "stopped; streams were cut at the end of the drain time");
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
