import { Command, CommanderError } from "commander";
import { check } from "./commands/check.ts";
import { demo } from "./commands/demo.ts";
import { schema } from "./commands/schema.ts";
import { serve } from "./commands/serve.ts";
import { EvenerError } from "./errors.ts";
import { VERSION } from "./version.ts";

/**
 * Runs the command line `args` (without node and script) and sets the exit code: 0, 1 failed, 2 wrong usage.
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await table().parseAsync(args, { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** The table of commands. */
function table(): Command {
  const evener = new Command("evener")
    .description("A load balancer for AI systems.")
    .version(VERSION, "--version", "print the version")
    .exitOverride();
  evener
    .command("serve", { isDefault: true })
    .argument(
      "[file]",
      "configuration; default evener.yaml, else model servers on this machine, else the demo",
    )
    .option("--load", "demo with steady traffic: round robin first, then Evener", false)
    .description("run the balancer")
    .action(serve);
  evener
    .command("demo")
    .option("--load", "send steady traffic: round robin first, then Evener", false)
    .description("start three small model servers and balance over them")
    .action(demo);
  evener
    .command("check")
    .argument("[file]", "configuration", "evener.yaml")
    .option("--json", "for programs", false)
    .option("--explain <url>", "what happens to a request for this URL, or path")
    .option("--method <method>", "its method; GET if absent")
    .option("--header <line>", "a header of it, 'name: value'; may be repeated", collect, [])
    .description("validate a configuration, or explain what it does with a request")
    .action(check);
  evener.command("schema").description("print the JSON Schema of the configuration").action(schema);
  return evener;
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof EvenerError) {
    process.stderr.write(`evener: ${error.code}: ${error.message}\n`);
    return error.code === "EVENER_USAGE" ? 2 : 1;
  }
  throw error;
}
