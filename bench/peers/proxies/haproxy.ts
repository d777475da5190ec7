import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { type Program, requireProgram } from "../../measure/machine.ts";
import { waitUntilReady } from "../../measure/probe.ts";
import { type Peer, type Place, type Running, urlOf } from "./peer.ts";

const HAPROXY: Program = { command: "haproxy", install: "apt-get install haproxy" };

/** HAProxy with its usual HTTP log. */
export const haproxy: Peer = {
  name: "haproxy",
  program: HAPROXY,
  isOptional: false,
  threadsMin: 1,
  accessLog: "httplog format, standard output into a file, one write a request (it has no buffer for that)",

  async version() {
    const { stdout } = await promisify(execFile)(requireProgram(HAPROXY), ["-v"], { timeout: 5000 });
    return `HAProxy ${/version (\S+)/.exec(stdout)?.[1] ?? "of unknown version"}`;
  },

  async start(place: Place): Promise<Running> {
    const file = path.join(place.directory, "haproxy.cfg");
    writeFileSync(file, configuration(place));
    const started = await place.processes.start({
      name: "haproxy",
      cores: place.cores,
      program: requireProgram(HAPROXY),
      args: ["-db", "-f", file],
      stdoutFile: place.logFile,
    });
    const url = urlOf(place);
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

function configuration(place: Place): string {
  const servers = place.backendPorts.map((port, index) => `  server s${index + 1} 127.0.0.1:${port}`);
  const { certificate } = place;
  const tls = certificate === undefined ? "" : ` ssl crt ${certificate.bothFile}`;
  return `global
  nbthread ${place.threads}
  maxconn 8000
  log stdout format raw daemon
defaults
  mode http
  log global
  option httplog
  option forwardfor
  ${place.streaming ? "option http-no-delay" : ""}
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${place.port}${tls}
  default_backend backends
backend backends
  balance leastconn
${servers.join("\n")}
`;
}
