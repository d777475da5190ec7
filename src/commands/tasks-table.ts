import { Command } from "commander";
import type { SubmitOptions, TasksAccess } from "./tasks.ts";

/** `evener tasks ...` */
export function addTasks(evener: Command): void {
  const tasks = evener.command("tasks").description("submit tasks to a running Evener, and look after them");
  withAccess(tasks.command("submit"))
    .argument("<command...>", "program and arguments; write -- before them")
    .option("--name <name>", "for people, and by which it is learned how long such tasks take")
    .option("--tenant <tenant>", "whose share it is")
    .option("--priority <number>", "0 to 9; 9 goes first")
    .option("--retries <count>", "attempts after the first one")
    .option("--idempotent", "may be run again after its worker was lost", false)
    .option("--key <key>", "the same key within 24 h is the same task")
    .option("--resources <amounts>", "what it needs: gpu=1,cpu=4")
    .option("--stdin <file>", "its standard input")
    .option("--wait", "until it has ended: prints its output and takes over its exit code", false)
    .description("submit a command")
    .action(async (command: string[], options: SubmitOptions) => {
      await (await import("./tasks.ts")).submitTask(command, options);
    });
  withAccess(tasks.command("ls"))
    .option("--state <state>", "only those: queued, leased, failed, quarantined, ...")
    .option("--max <count>", "the newest so many", "20")
    .description("list tasks, the newest first")
    .action(async (options: TasksAccess & { state?: string; max: string }) => {
      await (await import("./tasks.ts")).listTasks(options);
    });
  withAccess(tasks.command("show"))
    .argument("<id>")
    .description("a task, its history, and what stands in its way")
    .action(async (id: string, options: TasksAccess) => {
      await (await import("./tasks.ts")).showTask(id, options);
    });
  withAccess(tasks.command("cancel"))
    .argument("<id...>")
    .description("end tasks, wherever they are")
    .action(async (ids: string[], options: TasksAccess) => {
      await (await import("./tasks.ts")).cancelTasks(ids, options);
    });
  withAccess(tasks.command("redrive"))
    .argument("[id...]")
    .option("--all <state>", "all of that state: quarantined, failed, worker_lost, ...")
    .description("begin tasks anew that have ended badly")
    .action(async (ids: string[], options: TasksAccess & { all?: string }) => {
      await (await import("./tasks.ts")).redriveTasks(ids, options);
    });
}

function withAccess(command: Command): Command {
  return command
    .option("--server <url>", "the task listener", process.env.EVENER_TASKS_URL ?? "http://127.0.0.1:9902")
    .option("--token-file <file>", "with its token; or EVENER_TOKEN in the environment")
    .option("--json", "for programs", false);
}
