import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { findProgram } from "../measure/machine.ts";
import { waitUntilReady } from "../measure/probe.ts";
import type { Peer, Place, Running } from "./peer.ts";

/** HAProxy on one thread. */
export const haproxy: Peer = {
  name: "haproxy",
  programs: [{ command: "haproxy", debianPackage: "haproxy" }],
  accessLog: "httplog format, standard output into a file, one write a request (it has no buffer for that)",

  async version() {
    const { stdout } = await promisify(execFile)(haproxyProgram(), ["-v"], { timeout: 5000 });
    return `HAProxy ${/version (\S+)/.exec(stdout)?.[1] ?? "of unknown version"}`;
  },

  async start(place: Place): Promise<Running> {
    const file = path.join(place.directory, "haproxy.cfg");
    writeFileSync(file, configuration(place));
    const started = await place.processes.start({
      name: "haproxy",
      core: place.core,
      program: haproxyProgram(),
      args: ["-db", "-f", file],
      stdoutFile: place.logFile,
    });
    const url = `http://127.0.0.1:${place.port}`;
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

function configuration(place: Place): string {
  const servers = place.backendPorts.map((port, index) => `  server s${index + 1} 127.0.0.1:${port}`);
  return `global
  nbthread 1
  maxconn 4000
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
  bind 127.0.0.1:${place.port}
  default_backend backends
backend backends
  balance leastconn
${servers.join("\n")}
`;
}

function haproxyProgram(): string {
  return findProgram("haproxy") ?? "haproxy";
}
