import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import type { AgentVitals } from "../protocol.ts";

/** How busy this machine is: CPU since the last reading, memory, and GPUs where nvidia-smi is. */
export class VitalsReader {
  #busy = 0;
  #total = 0;
  #gpu: number | null = null;
  #hasGpu = true;

  read(): AgentVitals {
    if (this.#hasGpu) this.#askGpu();
    return { cpu: this.#cpu(), memory: memoryUsed(), gpu: this.#gpu };
  }

  #cpu(): number | null {
    const line = readText("/proc/stat")?.split("\n")[0];
    if (line === undefined) return null;
    const ticks = line.split(/\s+/).slice(1, 9).map(Number);
    const total = ticks.reduce((sum, each) => sum + each, 0);
    const busy = total - ticks[3]! - ticks[4]!;
    const part = total > this.#total && this.#total > 0 ? (busy - this.#busy) / (total - this.#total) : null;
    this.#busy = busy;
    this.#total = total;
    return part === null ? null : Math.max(0, Math.min(1, part));
  }

  #askGpu(): void {
    const args = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"];
    execFile("nvidia-smi", args, { timeout: 1_500 }, (error, stdout) => {
      if (error !== null) {
        this.#hasGpu = (error as NodeJS.ErrnoException).code !== "ENOENT";
        this.#gpu = null;
        return;
      }
      const figures = stdout.trim().split("\n").map(Number).filter(Number.isFinite);
      this.#gpu = figures.length === 0 ? null : Math.min(1, Math.max(...figures) / 100);
    });
  }
}

function memoryUsed(): number | null {
  const text = readText("/proc/meminfo");
  const total = Number(/^MemTotal:\s+(\d+)/m.exec(text ?? "")?.[1]);
  const available = Number(/^MemAvailable:\s+(\d+)/m.exec(text ?? "")?.[1]);
  return Number.isFinite(available / total) ? Math.max(0, Math.min(1, 1 - available / total)) : null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
