import net from "node:net";
import type { BackendConfig, Config, PoolConfig } from "./config.ts";

/**
 * The names of backends that DNS is asked for, each once. `localhost` is not among them: it is this machine,
 * whatever a server says (RFC 6761 6.3), and goes by the system's lookup at each connect.
 */
export function namesOf({ pools }: Config): string[] {
  const names = pools.flatMap(({ backends }) => backends.filter(isNamed).map(({ host }) => host));
  return [...new Set(names)];
}

/**
 * The configuration as it is carried out: every backend whose host is a name is one backend for each address
 * of the name, with the same weight, limit, labels and headers. Its id is `ID/ADDRESS`, so that those that
 * stay in an answer stay what they are.
 */
export function byAddress(config: Config, addressesOf: (name: string) => readonly string[]): Config {
  const named = config.pools.reduce((sum, { backends }) => sum + backends.filter(isNamed).length, 0);
  if (named === 0) return config;
  const addressesMax = Math.max(1, Math.floor(RESOLVED_MAX / named));
  const spread = (backend: BackendConfig): BackendConfig[] => {
    if (!isNamed(backend)) return [backend];
    const addresses = addressesOf(backend.host).slice(0, addressesMax);
    return addresses.map((address) => atAddress(backend, address));
  };
  const pools = config.pools.map((pool): PoolConfig => ({
    ...pool,
    backends: pool.backends.flatMap(spread),
  }));
  return { ...config, pools };
}

/** Backends of names, in all pools together: half of what the ledger holds, as a change needs both halves. */
const RESOLVED_MAX = 2_048;

function isNamed({ host, socketPath }: BackendConfig): boolean {
  if (socketPath !== null) return false;
  return net.isIP(host) === 0 && host !== "localhost" && !host.endsWith(".localhost");
}

function atAddress(backend: BackendConfig, address: string): BackendConfig {
  return { ...backend, id: `${backend.id}/${address}`, host: address, name: backend.host };
}
