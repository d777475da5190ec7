import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The secret that signs session cookies where the configuration gives none: made once, readable by its owner
 * only, and kept, so that sessions outlive a restart. Where nothing can be kept, a secret for this run alone.
 */
export function keptSessionKey(environment: NodeJS.ProcessEnv): string {
  const folder = stateFolder(environment);
  const path = join(folder, "session.key");
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    const secret = randomBytes(32).toString("base64url");
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      // Exclusively: of two that start at once, one makes the key and the other one reads it.
      writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: "wx" });
      return secret;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return readFileSync(path, "utf8").trim();
      return secret;
    }
  }
}

/** Where Evener keeps what outlives it. */
export function stateFolder(environment: NodeJS.ProcessEnv): string {
  return (
    environment.EVENER_STATE_DIR ??
    join(environment.XDG_STATE_HOME ?? join(homedir(), ".local/state"), "evener")
  );
}
