import { existsSync } from "node:fs";
import { type Logger, pino } from "pino";
import type { Config } from "../config/config.ts";
import { ApartLoader } from "../config/load-apart.ts";
import { didYouMean } from "../config/suggest.ts";
import { warningsOf } from "../config/warnings.ts";
import { EvenerError } from "../errors.ts";
import { addressText } from "../http1/address.ts";
import { InheritedSockets } from "../handover/inherited.ts";
import { Predecessor } from "../handover/predecessor.ts";
import { Systemd } from "../handover/systemd.ts";
import { Server } from "../server.ts";
import { Signals } from "./signals.ts";
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
  const signals = new Signals(["SIGHUP", "SIGUSR1", "SIGUSR2"]);
  const { server, log, isSuccessor } = await start(path);
  const systemd = new Systemd(process.env, (facts, text) => log.warn(facts, text));
  const ready = (): void =>
    systemd.ready(`takes requests on ${server.addresses().map(addressText).join(", ")}`);
  for (const address of server.addresses()) {
    const { host, port } = address;
    log.info({ host, port, address: addressText(address) }, "listening");
  }
  const admin = server.adminAddress;
  if (admin !== null) log.info({ url: `http://${admin.host}:${admin.port}/` }, "status page");
  const tasks = server.tasksAddress;
  if (tasks !== null) log.info({ url: `http://${tasks.host}:${tasks.port}` }, "tasks");
  if (isSuccessor) log.info({ pid: process.pid }, "taken over from the process before");
  ready();
  // One after the other: a save and a signal at once would apply two files through each other.
  let reloads: Promise<void> = Promise.resolve();
  const reloadOnce = async (): Promise<void> => {
    // What is read then is the next process's matter.
    if (server.isHandedOver) return;
    systemd.reloading();
    await reload(server, path, log, follow);
    if (!server.isHandedOver) ready();
  };
  const reloadNext = (): void => {
    reloads = reloads.then(() => reloadOnce());
  };
  const watch = new FileWatch(reloadNext);
  const follow = (now: Config): void => {
    for (const warning of warningsOf(now)) log.warn(warning);
    watch.watch([path, ...now.files], (directory, error) => {
      log.warn({ directory, problem: error.message }, "changes here are not noticed; send SIGHUP after one");
    });
  };
  follow(server.config);
  signals.on("SIGHUP", reloadNext);
  signals.on("SIGUSR1", () => void reopenLogs(server, log));
  const succeeded = new Promise<void>((resolve) => {
    signals.on("SIGUSR2", () => void handOver(server, log, resolve));
  });
  void server.lost.then(stopAsFailed);
  await untilStopped(
    server,
    () => {
      watch.close();
      return server.config.drainTimeoutMs;
    },
    (text) => log.info(text),
    () => systemd.stopping(),
    succeeded,
  );
  await systemd.told();
}

/** By itself, or with what another process or systemd has passed on. */
async function start(path: string): Promise<{ server: Server; log: Logger; isSuccessor: boolean }> {
  const predecessor = await Predecessor.meet();
  try {
    const config = await configs.load(path);
    const log = createLog(config);
    const warn = (facts: object, text: string): void => log.warn(facts, text);
    const sockets = predecessor?.sockets ?? InheritedSockets.fromSystemd(process.env, process.pid, warn);
    const server = await Server.start(config, log, { predecessor, sockets });
    return { server, log, isSuccessor: predecessor !== null };
  } catch (error) {
    await predecessor?.failed((error as Error).message);
    throw error;
  }
}

/** So that whoever keeps the sockets starts another process with them. */
function stopAsFailed(): void {
  process.exitCode = 1;
  process.kill(process.pid, "SIGTERM");
}

/** SIGUSR2: the same program once more, which goes on in place of this process. */
async function handOver(server: Server, log: Logger, done: () => void): Promise<void> {
  log.info("handover: the next process is started");
  try {
    await server.handOver([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
    done();
  } catch (error) {
    log.error({ problem: (error as Error).message }, "no handover; this process goes on");
  }
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
    if (server.isHandedOver) return;
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
