import { Command, CommanderError } from "commander";
import type { AgentOptions } from "./commands/agent.ts";
import { addTasks } from "./commands/tasks-table.ts";
import type { CheckOptions } from "./commands/check.ts";
import type { SimulateOptions } from "./commands/simulate-options.ts";
import type { WhyOptions } from "./commands/why.ts";
import { ConfigError } from "./config/problem.ts";
import { ERRORS, EvenerError } from "./errors.ts";
import { VERSION } from "./version.ts";

/**
 * Runs the command line `args` (without node and script) and sets the exit code: 0, 1 failed, 2 wrong usage.
 */
export async function main(args: readonly string[]): Promise<void> {
  // Whoever reads may leave early (`evener schema | head`): what is left to say is then for nobody.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  try {
    await table().parseAsync(args, { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** The table of commands; each is loaded when it is used, as what it needs takes memory. */
function table(): Command {
  const evener = new Command("evener")
    .description("A load balancer for AI systems.")
    .usage("[FILE]  |  COMMAND [ARGS]")
    .version(VERSION, "--version", "print the version")
    .addHelpText("after", EXAMPLES)
    .configureOutput({ outputError: (text, write) => write(usageProblem(text)) })
    .exitOverride();
  evener
    .command("serve", { isDefault: true })
    .argument(
      "[file]",
      "configuration; default evener.yaml, else model servers on this machine, else the demo",
    )
    .option("--load", "demo with steady traffic: round robin first, then Evener", false)
    .description("run the balancer; the word serve may be left out")
    .addHelpText("after", SIGNALS)
    .action(async (file: string | undefined, options: { load: boolean }) => {
      await (await import("./commands/serve.ts")).serve(file, options);
    });
  evener
    .command("demo")
    .option("--load", "send steady traffic: round robin first, then Evener", false)
    .description("start three small model servers and balance over them")
    .action(async (options: { load: boolean }) => {
      await (await import("./commands/demo.ts")).demo(options);
    });
  evener
    .command("check")
    .argument("[file]", "configuration", "evener.yaml")
    .option("--json", "for programs", false)
    .option("--explain <url>", "what happens to a request for this URL, or path")
    .option("--method <method>", "its method; if absent GET, or POST with --model")
    .option("--model <name>", "the model that its body asks for")
    .option("--header <line>", "a header of it, 'name: value'; may be repeated", collect, [])
    .description("validate a configuration, or explain what it does with a request")
    .action(async (file: string, options: CheckOptions) => {
      (await import("./commands/check.ts")).check(file, options);
    });
  evener
    .command("schema")
    .description("print the JSON Schema of the configuration")
    .action(async () => {
      (await import("./commands/schema.ts")).schema();
    });
  evener
    .command("simulate")
    .argument("[scenario]", "a scenario file; options count before what it says")
    .option("--trace <file>", "recorded requests, plain or .gz")
    .option("--workload <name>", "made-up requests: shared_prefix, agents, bursts, poisson")
    .option("--record <file>", "an access log of Evener, plain or .gz: how would other policies have done")
    .option("--engine <name>", "what each engine is like: a100-8b, h100-70b, mocker")
    .option("--fleet <count>", "engines; 8 if absent, with --record as many as have answered")
    .option("--rate <multiple>", "arrivals by what the fleet can do; 0.8 if absent, or as recorded")
    .option("--policy <names>", "all, or names with commas between them; may be repeated", collect, [])
    .option("--seeds <count>", "runs of each policy; 3 if absent")
    .option("--seed <number>", "the first seed; 1 if absent")
    .option("--jitter", "spread recorded times within the 3 s that they are rounded to", false)
    .option("--fault <text>", "such as '0: speed 0.35 from 60s'; may be repeated", collect, [])
    .option("--requests <count>", "the first so many")
    .option("--bound [time]", "search the best assignment, knowing the future; for 60s if absent")
    .option("--json", "for programs", false)
    .option("--html", "a page: the table, and queue and share of each engine over the time", false)
    .description("compare policies on recorded or made-up traffic in virtual time")
    .action(async (scenario: string | undefined, options: SimulateOptions) => {
      await (await import("./commands/simulate.ts")).simulate(scenario, options);
    });
  for (const add of [addWhy, addTasks, addAgent]) add(evener);
  return evener;
}

function addWhy(evener: Command): void {
  evener
    .command("why")
    .argument("<request-id>", "x-request-id of its answer, or id of its line in the access log")
    .option("--url <url>", "the admin listener of the running Evener", "http://127.0.0.1:9901")
    .option("--token <token>", "admin.token; better in the environment, as EVENER_ADMIN_TOKEN")
    .option("--json", "for programs", false)
    .description("say why a prompt went to its backend, and what the others would have cost")
    .action(async (requestId: string, options: WhyOptions) => {
      await (await import("./commands/why.ts")).why(requestId, options);
    });
}

function addAgent(evener: Command): void {
  evener
    .command("agent")
    .requiredOption("--server <url>", "the task listener of an Evener, http://HOST:PORT")
    .option("--slots <count>", "tasks at once", "1")
    .option("--resources <amounts>", "what it has: cpu=8,mem=16GiB,gpu=1,gpu_mem=80GiB", "")
    .option("--label <pair>", "name=value; may be repeated", collect, [])
    .option("--name <name>", "of this worker; the host's if absent, of several on one host give each its own")
    .option("--token-file <file>", "with the server's tasks.token; or EVENER_TOKEN in the environment")
    .option("--state <folder>", "where it notes what it runs")
    .option("--python <program>", "for warm loops, with the package evener", "python3")
    .description("run tasks that an Evener gives, until it is told to stop")
    .action(async (options: AgentOptions) => {
      await (await import("./commands/agent.ts")).agent(options);
    });
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
const EXAMPLES = `
Examples:
  evener                      model servers of this machine, or the demo
  evener demo --load          the demo under traffic: round robin against Evener
  evener evener.yaml          run by this file; saving it reloads it
  evener check evener.yaml    is it valid, and what does it mean
  evener simulate --workload agents --policy least_request,round_robin
                              how policies would do on such traffic
  evener why 3f1c2b9a77e0-12  why that request went where it went
  evener agent --server http://10.0.0.5:9902 --slots 4
                              run tasks of that Evener
  evener tasks submit --wait -- echo hello
`;

const SIGNALS = `
Signals:
  SIGTERM, SIGINT   stop: open streams may finish
  SIGHUP            read the configuration again
  SIGUSR1           open the access log again
  SIGUSR2           another process takes over without losing a connection; this one drains
`;

/** Commander's own words, with the code that all our errors have. */
function usageProblem(text: string): string {
  return `evener: EVENER_USAGE: ${text.replace(/^error: /, "").replace(/\.?\s*$/, "")}; see evener --help\n`;
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError && error.problems.length > 0) {
    // Each problem has a line that editors and terminals can jump to; the code has one of its own.
    process.stderr.write(`${error.message}\nevener: ${error.code}: ${ERRORS[error.code]}\n`);
    return 1;
  }
  if (error instanceof EvenerError) {
    process.stderr.write(`evener: ${error.code}: ${error.message}\n`);
    return error.code === "EVENER_USAGE" ? 2 : 1;
  }
  throw error;
}
