// A backend as a process of its own, to be killed and stopped: `node backend-program.ts NAME JOURNAL`. Every
// delivery is written to the journal before anything is done about it, by a call that returns when the kernel
// has it: so it is there after a SIGKILL, too.
import { openSync, writeSync } from "node:fs";
import { Random } from "../../src/core/kit/random.ts";
import { WorkBackend } from "./work-backend.ts";

const [name = "", journal = "", port = "0"] = process.argv.slice(2);
const descriptor = openSync(journal, "a");
const backend = new WorkBackend(name, new Random(1), (id) => writeSync(descriptor, `${id}\n`));
await backend.listen(Number(port));
process.stdout.write(`port ${backend.port}\n`);
// Whoever started it has gone.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
