import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { findProgram } from "../measure/machine.ts";
import { waitUntilReady } from "../measure/probe.ts";
import type { Peer, Place, Running } from "./peer.ts";

/** nginx as those who care tune it: keep-alive on both sides, exact least connections, buffered log. */
export const nginx: Peer = {
  name: "nginx",
  programs: [{ command: "nginx", debianPackage: "nginx-light" }],
  accessLog: "combined format, file, 64 KB buffer",

  async version() {
    const { stderr } = await promisify(execFile)(nginxProgram(), ["-v"], { timeout: 5000 });
    return stderr.trim().replace(/^.*nginx\//, "nginx ");
  },

  async start(place: Place): Promise<Running> {
    const url = `http://127.0.0.1:${place.port}`;
    const started = await place.processes.start(nginxLaunch("nginx", place, proxyHttp(place)));
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

/** The command that runs nginx with this `http` block, everything it writes inside `directory`. */
export function nginxLaunch(
  name: string,
  { directory, core }: Pick<Place, "directory" | "core">,
  http: string,
): { name: string; core: number; program: string; args: string[] } {
  const file = path.join(directory, "nginx.conf");
  // Only root may choose the workers' user, and then must: the folder is readable by its owner alone.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((use) => `  ${use}_temp_path ${directory}/${use};`)
    .join("\n");
  const text = `${user}
worker_processes 1;
daemon off;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
${temporary}
  keepalive_requests 100000000;
  keepalive_timeout 600s;
${http}
}
`;
  writeFileSync(file, text);
  return { name, core, program: nginxProgram(), args: ["-e", "stderr", "-p", directory, "-c", file] };
}

function proxyHttp(place: Place): string {
  const servers = place.backendPorts.map((port) => `server 127.0.0.1:${port};`).join(" ");
  return `  access_log ${place.logFile} combined buffer=64k flush=1s;
  upstream backends { least_conn; ${servers} keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096;
    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      ${place.streaming ? "proxy_buffering off;" : ""}
    }
  }`;
}

function nginxProgram(): string {
  return findProgram("nginx") ?? "nginx";
}
