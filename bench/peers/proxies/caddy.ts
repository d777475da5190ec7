import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { type Program, requireProgram } from "../../measure/machine.ts";
import { waitUntilReady } from "../../measure/probe.ts";
import { type Peer, type Place, type Running, urlOf } from "./peer.ts";

const CADDY: Program = {
  command: "caddy",
  install: "apt-get install caddy",
  cached: ["bin/caddy"],
};

/** Caddy with its usual JSON log. */
export const caddy: Peer = {
  name: "caddy",
  program: CADDY,
  isOptional: true,
  threadsMin: 1,
  accessLog: "JSON, file, one write a request",

  async version() {
    const { stdout } = await promisify(execFile)(requireProgram(CADDY), ["version"], { timeout: 5000 });
    return `Caddy ${stdout.trim().split(/\s/)[0]}`;
  },

  async start(place: Place): Promise<Running> {
    const file = path.join(place.directory, "Caddyfile");
    writeFileSync(file, configuration(place));
    const started = await place.processes.start({
      name: "caddy",
      cores: place.cores,
      // `env` is replaced by what it starts: the process keeps its id.
      program: "env",
      args: [
        `GOMAXPROCS=${place.threads}`,
        ...["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map((name) => `${name}=${place.directory}`),
        requireProgram(CADDY),
        "run",
        "--adapter=caddyfile",
        `--config=${file}`,
      ],
    });
    const url = urlOf(place);
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

function configuration(place: Place): string {
  const { certificate } = place;
  const backends = place.backendPorts.map((port) => `127.0.0.1:${port}`).join(" ");
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
${urlOf(place)} {
  bind 127.0.0.1
  ${certificate === undefined ? "" : `tls ${certificate.certFile} ${certificate.keyFile}`}
  log {
    level INFO
    output file ${place.logFile} {
      roll_disabled
    }
  }
  reverse_proxy ${backends} {
    lb_policy least_conn
    ${place.streaming ? "flush_interval -1" : ""}
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
}
