import type { Server } from "../server.ts";

/**
 * Waits for SIGTERM or SIGINT, or until another process has taken over, and drains; says so when streams had
 * to be cut at the end of the drain time. `stopping` is told first, unless another process goes on: whoever
 * sends traffic himself stops doing so.
 */
export async function untilStopped(
  server: Server,
  drainMs: () => number,
  say: (text: string) => void,
  stopping: () => void = (): void => {},
  succeeded: Promise<void> = NEVER,
): Promise<void> {
  const asked = askedToStop(() => say("stopped at once by a second signal; what was open is cut"));
  const isSucceeded = await Promise.race([asked.then(() => false), succeeded.then(() => true)]);
  if (isSucceeded) say("another process has taken over: open streams may finish");
  else {
    say("stopping: no new connections, open streams may finish");
    stopping();
  }
  const wasClean = await server.stop(drainMs());
  say(wasClean ? "stopped; nothing was cut" : "stopped; streams were cut at the end of the drain time");
}

const NEVER = new Promise<void>(() => {});

/**
 * The first signal asks, a later one insists. The handlers stay from the first to the second: while Node has
 * none, a signal kills; and `npm` passes on at once what the terminal has sent already.
 */
function askedToStop(insisted: () => void): Promise<void> {
  return new Promise((asked) => {
    let askedAtMs = Number.POSITIVE_INFINITY;
    const handle = (): void => {
      if (performance.now() - askedAtMs > SAME_ASKING_MS) {
        insisted();
        process.exit(1);
      }
      if (askedAtMs === Number.POSITIVE_INFINITY) askedAtMs = performance.now();
      asked();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, handle);
  });
}

const SAME_ASKING_MS = 1_000;
