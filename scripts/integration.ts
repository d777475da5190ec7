// `npm run test:integration -- NAME...`: tests with real products beside Evener. A product that can not be
// started fails its suite: nothing is skipped. Without a name: all.
import { spawnSync } from "node:child_process";
import { globSync, readdirSync } from "node:fs";

const ROOM = "test/integration";
const known = readdirSync(ROOM);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no such suite: ${unknown.join(", ")}; there are ${known.join(", ")}\n`);
  process.exit(2);
}

for (const name of asked.length > 0 ? asked : known) {
  const files = globSync(`${ROOM}/${name}/*.test.ts`);
  const args = ["--test", "--test-concurrency=1", "--test-timeout=300000", ...files];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (files.length === 0 || status !== 0) {
    process.stderr.write(`npm run test:integration: "${name}" failed\n`);
    process.exit(1);
  }
  process.stdout.write(`${name}: ok\n`);
}
