import { type ModelServer, type ModelServerOptions, startModelServer } from "./model-server.ts";

/**
 * Starts the three servers of the demo: one fast, one that is as fast but fails now and then, one four times
 * slower. With `basePort` they take the next free ports from there on, else any. Rejects when it finds none.
 */
export async function startDemoFleet(options: DemoFleetOptions): Promise<DemoFleet> {
  const servers: ModelServer[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()));
  };
  try {
    for (const [index, member] of MEMBERS.entries()) {
      const previous = servers.at(-1);
      const port =
        options.basePort === undefined ? 0 : previous === undefined ? options.basePort : previous.port + 1;
      const seed = (options.seed + index) >>> 0;
      servers.push(await startOnFreePort({ ...member, host: options.host ?? "127.0.0.1", port, seed }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { servers, close };
}

/** The demo's servers, while they run. */
export interface DemoFleet {
  /** In the order fast, flaky, slow. */
  readonly servers: readonly ModelServer[];
  /** Closes them all: at most two seconds. */
  close(): Promise<void>;
}

/** Where the demo's servers listen. */
export interface DemoFleetOptions {
  readonly host?: "127.0.0.1";
  /** 1..65535 */
  readonly basePort?: number;
  /** The same seed gives the same failures and the same jitter. */
  readonly seed: number;
}

const MEMBERS: readonly Pick<ModelServerOptions, "name" | "slowness" | "failureRate">[] = [
  { name: "fast", slowness: 1, failureRate: 0 },
  { name: "flaky", slowness: 1, failureRate: 0.03 },
  { name: "slow", slowness: 4, failureRate: 0 },
];

const PORT_TRIES_MAX = 20;

async function startOnFreePort(
  options: ModelServerOptions & { readonly port: number },
): Promise<ModelServer> {
  for (let tries = 1; ; tries++) {
    const port = options.port === 0 ? 0 : options.port + tries - 1;
    try {
      return await startModelServer({ ...options, port });
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || tries === PORT_TRIES_MAX || port + 1 > PORT_MAX) throw error;
    }
  }
}

const PORT_MAX = 65_535;
