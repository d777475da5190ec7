import { existsSync } from "node:fs";
import { type Logger, pino } from "pino";
import type { Config } from "../config/config.ts";
import { ApartLoader } from "../config/load-apart.ts";
import { didYouMean } from "../config/suggest.ts";
import { warningsOf } from "../config/warnings.ts";
import { EvenerError } from "../errors.ts";
import { addressText } from "../http1/address.ts";
import { Server } from "../server.ts";
import { untilStopped } from "./until-stopped.ts";
import { FileWatch } from "./watch-files.ts";

/**
 * `evener [serve] [FILE]`: runs by a configuration; without one, finds model servers here or starts the demo.
 */
export async function serve(file: string | undefined, options: { load: boolean }): Promise<void> {
  checkUsage(file, options.load);
  const path = file ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  if (path === undefined || options.load) {
    const { findOrDemonstrate } = await import("./first-minute.ts");
    return findOrDemonstrate({ load: options.load, mayScan: !options.load });
  }
  const config = await configs.load(path);
  const log = createLog(config);
  const server = await Server.start(config, log);
  for (const address of server.addresses()) {
    const { host, port } = address;
    log.info({ host, port, address: addressText(address) }, "listening");
  }
  const admin = server.adminAddress;
  if (admin !== null) log.info({ url: `http://${admin.host}:${admin.port}/` }, "status page");
  // One after the other: a save and a signal at once would apply two files through each other.
  let reloads: Promise<void> = Promise.resolve();
  const reloadNext = (): void => {
    reloads = reloads.then(() => reload(server, path, log, follow));
  };
  const watch = new FileWatch(reloadNext);
  const follow = (now: Config): void => {
    for (const warning of warningsOf(now)) log.warn(warning);
    watch.watch([path, ...now.files], (directory, error) => {
      log.warn({ directory, problem: error.message }, "changes here are not noticed; send SIGHUP after one");
    });
  };
  follow(config);
  process.on("SIGHUP", reloadNext);
  process.on("SIGUSR1", () => void reopenLogs(server, log));
  await untilStopped(
    server,
    () => server.config.drainTimeoutMs,
    (text) => log.info(text),
  );
}

/** Own messages go to stderr as JSON lines: stdout may be the access log's. */
function createLog(config: Config): Logger {
  return pino(
    { level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
}

const configs = new ApartLoader();
const DEFAULT_FILE = "evener.yaml";

/** A file that can not be used changes nothing, and says why. */
async function reload(
  server: Server,
  path: string,
  log: Logger,
  follow: (config: Config) => void,
): Promise<void> {
  try {
    const config = await configs.load(path);
    const { text: change, needsRestart: keys } = await server.reload(config);
    log.info({ change }, "configuration reloaded");
    if (keys.length > 0) log.warn({ keys }, "these need a restart; what runs goes on as before");
    follow(config);
  } catch (error) {
    log.error({ problem: (error as Error).message }, "configuration not reloaded; the one before stays");
  }
}

/** Where the new file can not be opened, lines go on into the old one. */
async function reopenLogs(server: Server, log: Logger): Promise<void> {
  try {
    await server.reopenLogs();
  } catch (error) {
    log.error({ problem: (error as Error).message }, "access log not opened anew; the one before goes on");
  }
}

/** A mistyped command would be taken for a file. */
function checkUsage(file: string | undefined, withLoad: boolean): void {
  if (file !== undefined && withLoad) {
    throw new EvenerError("EVENER_USAGE", "--load sends traffic to the demo only; leave the file out");
  }
  const isWord = file !== undefined && /^[a-z-]+$/.test(file);
  if (!isWord || existsSync(file)) return;
  const hint = didYouMean(file, ["serve", "demo", "check", "schema"]) ?? "";
  throw new EvenerError(
    "EVENER_USAGE",
    `"${file}" is neither a command nor a file; ${hint} See evener --help`,
  );
}
