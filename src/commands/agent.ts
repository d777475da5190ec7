import { hostname } from "node:os";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { EvenerError } from "../errors.ts";
import { stateFolder } from "../state.ts";
import { Agent } from "../tasks/agent/agent.ts";
import { VERSION } from "../version.ts";

/** What the command line says of an agent. */
export interface AgentOptions {
  readonly server: string;
  readonly slots: string;
  readonly resources: string;
  readonly label: readonly string[];
  readonly name?: string;
  readonly tokenFile?: string;
  readonly state?: string;
  readonly python: string;
}

/** `evener agent --server URL`: a worker for tasks. Ends when it has drained. */
export async function agent(options: AgentOptions): Promise<void> {
  const name = options.name ?? hostname();
  const found = new Agent({
    server: serverOf(options.server),
    token: tokenOf(options.tokenFile),
    name,
    slots: slotsOf(options.slots),
    resources: resourcesOf(options.resources),
    labels: Object.fromEntries(options.label.map(pairOf)),
    loops: { python: [options.python, "-m", "evener.worker"] },
    stateFolder: options.state ?? join(stateFolder(process.env), "agents", name),
    version: VERSION,
    say: (text, facts = {}) => {
      process.stderr.write(
        `${JSON.stringify({ time: new Date().toISOString(), agent: name, ...facts, msg: text })}\n`,
      );
    },
  });
  let isAsked = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isAsked) found.stop();
      else found.drain();
      isAsked = true;
    });
  }
  found.start();
  await found.done;
}

function serverOf(text: string): string {
  if (/^https?:\/\/[^/?#\s]+\/?$/.test(text)) return text;
  throw usage(`--server is ${JSON.stringify(text)}; write http://HOST:PORT of the task listener`);
}

function tokenOf(file: string | undefined): string | null {
  if (file !== undefined) return readFileSync(file, "utf8").trim();
  return process.env.EVENER_TOKEN ?? null;
}

function slotsOf(text: string): number {
  const slots = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (slots >= 1 && slots <= 65_536) return slots;
  throw usage(`--slots is ${JSON.stringify(text)}; it is a whole number, 1 to 65536`);
}

/** `gpu=1,mem=16GiB`. */
function resourcesOf(text: string): Record<string, number> {
  if (text === "") return {};
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [name, amount] = pairOf(part);
      const match = /^(\d+(?:\.\d+)?)([KMGT]iB)?$/.exec(amount);
      if (match === null)
        throw usage(
          `--resources ${name} is ${JSON.stringify(amount)}; write a number, or a size such as 16GiB`,
        );
      return [
        name,
        Number(match[1]) * (match[2] === undefined ? 1 : 1024 ** (1 + "KMGT".indexOf(match[2][0]!))),
      ];
    }),
  );
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  throw usage(`${JSON.stringify(text)} is no pair; write name=value`);
}

function usage(message: string): EvenerError {
  return new EvenerError("EVENER_USAGE", message);
}
