// The package as it would be published: packed, unpacked elsewhere, and used by its names.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What `npm pack` needs: it builds first. */
const SOURCES = ["package.json", "tsconfig.json", "tsconfig.build.json", "src", "bin", "scenarios"];

describe("the package", () => {
  let folder = "";
  let app = "";

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "evener-package-"));
    app = join(folder, "app");
    const clone = join(folder, "clone");
    const unpacked = join(app, "node_modules", "evener");
    mkdirSync(clone);
    mkdirSync(unpacked, { recursive: true });
    for (const name of SOURCES) cpSync(join(ROOT, name), join(clone, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(clone, "node_modules"));
    execFileSync("npm", ["pack", "--silent", "--offline", "--pack-destination", folder], { cwd: clone });
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    const archive = join(folder, `evener-${version}.tgz`);
    execFileSync("tar", ["-xzf", archive, "-C", unpacked, "--strip-components=1"]);
    writeFileSync(join(app, "package.json"), '{"type":"module","private":true}');
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  /** In a process of its own, where there is nothing but the package: not even what it depends on. */
  function runs(name: string, program: string): string {
    writeFileSync(join(app, name), program);
    return execFileSync(process.execPath, [name], { cwd: app, encoding: "utf8" });
  }

  it("has the balancer as evener", () => {
    const program = `import { Balancer } from "evener";
      const balancer = new Balancer({ endpoints: ["a", "b"], policy: "round_robin" });
      console.log([balancer.next(), balancer.next()].sort().join());`;
    assert.equal(runs("balancer.js", program), "a,b\n");
  });

  it("has the engine as evener/core, and it is the same one", () => {
    const program = `import { Pool, POLICIES } from "evener/core";
      import * as all from "evener";
      console.log(POLICIES.length > 5 && all.Pool === Pool);`;
    assert.equal(runs("core.js", program), "true\n");
  });

  it("has the simulator as evener/sim, and the page's example runs", () => {
    const output = runs("example.ts", exampleOf("docs/simulator.md"));
    const lines =
      /^round_robin: goodput (\S+), mean TTFT \S+ s\ninference: goodput (\S+), mean TTFT \S+ s\n$/;
    const match = lines.exec(output);
    assert.ok(match !== null, output);
    assert.ok(Number(match[2]) > Number(match[1]), output);
  });

  it("has types for all of it", () => {
    const faces = ["evener", "evener/core", "evener/sim"];
    const lines = faces.map((face, i) => `import * as face${i} from "${face}";\nconsole.log(face${i});\n`);
    writeFileSync(join(app, "faces.ts"), lines.join(""));
    writeFileSync(join(app, "example.ts"), exampleOf("docs/simulator.md"));
    const options = { strict: true, noEmit: true, module: "nodenext", target: "es2024", types: ["node"] };
    const compilerOptions = { ...options, typeRoots: [join(ROOT, "node_modules/@types")] };
    writeFileSync(
      join(app, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["faces.ts", "example.ts"] }),
    );
    const compiler = join(ROOT, "node_modules/.bin/tsc");
    assert.equal(execFileSync(compiler, ["-p", "."], { cwd: app, encoding: "utf8" }), "");
  });
});

/** The page's only program. */
function exampleOf(page: string): string {
  const found = [...readFileSync(join(ROOT, page), "utf8").matchAll(/```ts\n(.*?)```/gs)];
  assert.equal(found.length, 1);
  return found[0]![1]!;
}
