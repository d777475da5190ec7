#!/usr/bin/env node
// Plain JavaScript that any Node can read: a Node that is too old gets an explanation, not a stack trace.
import { existsSync } from "node:fs";

const MINIMUM = [24, 17];
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
  process.stderr.write(
    `evener: EVENER_NODE_TOO_OLD: this is Node ${process.versions.node}, Evener needs ${MINIMUM.join(".")} or later.\n` +
      "From a clone: `npm ci`, then `npm start` or `npm run -s evener -- ARGS`: they use the Node that npm ci brought.\n" +
      "Otherwise install Node 24 (https://nodejs.org/en/download) and run the command again.\n",
  );
  process.exit(1);
}
const compiled = new URL("../dist/cli.js", import.meta.url);
const source = new URL("../src/cli.ts", import.meta.url);
// A clone runs the source as it stands; the published package has no src and runs dist.
const { main } = await import((existsSync(source) ? source : compiled).href);
await main(process.argv.slice(2));
