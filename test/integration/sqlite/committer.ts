// A process that commits to a SQLite store until it is killed, and writes each acknowledgement to stdout once
// it has it: `committer.ts FILE LANES`. Lines: `ok ID CURSOR`, `refused ID CODE`.
import { writeSync } from "node:fs";
import { SqliteStore } from "../../../src/store/sqlite.ts";
import { taskOf } from "../../fixtures/tasks.ts";
import { change, submit } from "../../store/conformance-writes.ts";

const [path, lanes] = process.argv.slice(2);
const store = await SqliteStore.open(path!);
const begin = await store.lastCursor();
writeSync(1, "begun\n");

async function lane(n: number): Promise<never> {
  for (let i = 0; ; i++) {
    const id = `${String(begin).padStart(8, "0")}-${n}-${String(i).padStart(6, "0")}`;
    const leased = change(id, ["queued"], { state: "leased", fence: 1 }, 0);
    try {
      const [first] = await store.commit([submit(taskOf(id), Buffer.alloc(200)), leased]);
      if (first?.kind !== "done") throw new Error(`${id} is ${first?.kind}`);
      writeSync(1, `ok ${id} ${first.cursor}\n`);
    } catch (error) {
      writeSync(1, `refused ${id} ${(error as { code?: string }).code ?? String(error)}\n`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

await Promise.all(Array.from({ length: Number(lanes) }, (_, n) => lane(n)));
