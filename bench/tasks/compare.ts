import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { calibrate } from "../calibration.ts";
import { describeMachine } from "../measure/machine.ts";
import type { BenchOptions } from "../measure/options.ts";
import { type Installation, installPython } from "../measure/python-environment.ts";
import { Works } from "./works.ts";

/**
 * The queue by itself, and beside Dask: no-ops a second from accepted POST to durable end, Python calls a
 * second through warm loops on both, and how long one call takes. All share the machine's cores.
 */
export async function compareTasks(options: BenchOptions): Promise<boolean> {
  const dask = await installPython("dask", LOCK, options.signal);
  const nsPerStep = calibrate();
  const { command, smoke } = options;
  const day = new Date().toISOString().slice(0, 10);
  print(`${day}, \`${command}\`: Dask distributed ${dask.version("distributed")}.`);
  print(`${describeMachine()}; server, agents and clients share all cores. SQLite, synchronous=FULL.\n`);
  const noops = await measureNoops(smoke ? 5_000 : 100_000, options);
  print("| no-ops | tasks/s, durable | accepted/s | server CPU us/task | server RSS MB |");
  print("| --- | ---: | ---: | ---: | ---: |");
  const cells = [noops.perS, noops.acceptedPerS, noops.cpuUs, noops.rssMb].map(whole);
  print(`| 2 agents x 128 slots, arrays of 100 | ${cells.join(" | ")} |\n`);
  const calls = smoke ? 300 : 5_000;
  const ours = await measureCalls(calls, dask, options);
  const theirs = await runDask(calls, dask, options);
  print("| Python calls, 2 workers | calls/s | one call p50 ms | p99 ms |\n| --- | ---: | ---: | ---: |");
  for (const [name, figures] of [
    ["evener", ours],
    ["dask distributed", theirs],
  ] as const) {
    print(`| ${name} | ${whole(figures.perS)} | ${figures.p50Ms.toFixed(2)} | ${figures.p99Ms.toFixed(2)} |`);
  }
  print(`\nCalibration: ${nsPerStep.toFixed(2)} ns a step before, ${calibrate().toFixed(2)} after.`);
  const ratio = (ours.perS / theirs.perS).toFixed(2);
  const part = (noops.perS / NOOPS_BAR).toFixed(2);
  print(`no-ops/s ${part} x the bar of ${NOOPS_BAR}; Python calls/s ${ratio} x Dask (bar 5).`);
  return true;
}

interface Noops {
  readonly perS: number;
  readonly acceptedPerS: number;
  readonly cpuUs: number;
  readonly rssMb: number;
}

async function measureNoops(count: number, { signal }: BenchOptions): Promise<Noops> {
  const works = await Works.start(2, 128, "python3", signal);
  try {
    const body = JSON.stringify(Array.from({ length: BATCH }, () => ({ noop: true })));
    const cpuUs = works.cpuUs();
    const fromMs = performance.now();
    let left = count / BATCH;
    const post = async (): Promise<void> => {
      while (left-- > 0) await works.post("/v1/tasks", body);
    };
    await Promise.all(Array.from({ length: POSTERS }, post));
    const acceptedMs = performance.now() - fromMs;
    while ((await works.get<{ open: number }>("/v1/queue")).open > 0) signal.throwIfAborted();
    const ms = performance.now() - fromMs;
    return {
      perS: (count / ms) * 1000,
      acceptedPerS: (count / acceptedMs) * 1000,
      cpuUs: (works.cpuUs() - cpuUs) / count,
      rssMb: works.rssMb(),
    };
  } finally {
    await works.end();
  }
}

interface Calls {
  readonly perS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** By the package's own Executor, in Python, as Dask's by its Client. */
async function measureCalls(count: number, { bin }: Installation, { signal }: BenchOptions): Promise<Calls> {
  process.env.PYTHONPATH = fileURLToPath(new URL("../../python", import.meta.url));
  const works = await Works.start(1, 2, path.join(bin, "python"), signal);
  try {
    return await runPython(OURS, [works.url, String(count)], bin, works);
  } finally {
    await works.end();
  }
}

async function runDask(count: number, { bin }: Installation, { signal }: BenchOptions): Promise<Calls> {
  const works = await Works.start(0, 1, "python3", signal);
  try {
    return await runPython(DASK, [String(count)], bin, works);
  } finally {
    await works.end();
  }
}

async function runPython(text: string, args: readonly string[], bin: string, works: Works): Promise<Calls> {
  const file = path.join(works.folder, "client.py");
  writeFileSync(file, text);
  const program = path.join(bin, "python");
  const launch = { name: "client", cores: "0-1023", program, args: ["-W", "ignore", file, ...args] };
  const lines = (await works.processes.run(launch, CLIENT_MS_MAX)).trim().split("\n");
  return JSON.parse(lines.at(-1)!) as Calls;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const LOCK = new URL("requirements.lock.txt", import.meta.url);
const BATCH = 100;
const POSTERS = 4;
const NOOPS_BAR = 10_000;
const CLIENT_MS_MAX = 300_000;

const MEASURE = `
def measure(one, many, count):
    import json, time
    for _ in range(20):
        one()
    times = []
    for _ in range(200):
        began = time.perf_counter()
        one()
        times.append(time.perf_counter() - began)
    times.sort()
    began = time.perf_counter()
    many(count)
    took = time.perf_counter() - began
    print(json.dumps({"perS": count / took, "p50Ms": times[100] * 1e3, "p99Ms": times[197] * 1e3}))
`;

const OURS = `${MEASURE}
if __name__ == "__main__":
    import operator, sys
    from evener import Client, Executor

    with Executor(Client(sys.argv[1]), idempotent=True) as executor:
        def many(count):
            assert sum(executor.map(operator.neg, range(count))) == -sum(range(count))

        measure(lambda: executor.submit(operator.neg, 1).result(), many, int(sys.argv[2]))
`;

const DASK = `${MEASURE}
if __name__ == "__main__":
    import operator, sys
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        def many(count):
            results = client.gather(client.map(operator.neg, range(count), pure=False))
            assert sum(results) == -sum(range(count))

        measure(lambda: client.submit(operator.neg, 1, pure=False).result(), many, int(sys.argv[1]))
    cluster.close()
`;
