import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { type Program, requireProgram } from "../../measure/machine.ts";
import type { Launch } from "../../measure/processes.ts";
import { waitUntilReady } from "../../measure/probe.ts";
import { type Peer, type Place, type Running, urlOf } from "./peer.ts";

/** Also what answers behind the proxies. */
export const NGINX: Program = { command: "nginx", install: "apt-get install nginx-light" };

/** nginx as those who care tune it: keep-alive on both sides, exact least connections, buffered log. */
export const nginx: Peer = {
  name: "nginx",
  program: NGINX,
  isOptional: false,
  threadsMin: 1,
  accessLog: "combined format, file, 64 KB buffer",

  version: nginxVersion,

  async start(place: Place): Promise<Running> {
    const url = urlOf(place);
    const started = await place.processes.start(nginxLaunch("nginx", place, proxyHttp(place)));
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

/** Such as `nginx 1.22.1`. */
export async function nginxVersion(): Promise<string> {
  const { stderr } = await promisify(execFile)(requireProgram(NGINX), ["-v"], { timeout: 5000 });
  return stderr.trim().replace(/^.*nginx\//, "nginx ");
}

/** The command that runs nginx with this `http` block, everything it writes inside `directory`. */
export function nginxLaunch(
  name: string,
  { directory, cores, threads }: Pick<Place, "directory" | "cores" | "threads">,
  http: string,
): Launch {
  const file = path.join(directory, "nginx.conf");
  // Only root may choose the workers' user, and then must: the folder is readable by its owner alone.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((use) => `  ${use}_temp_path ${directory}/${use};`)
    .join("\n");
  const text = `${user}
worker_processes ${threads};
worker_rlimit_nofile 20000;
daemon off;
pid ${directory}/nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
${temporary}
  keepalive_requests 100000000;
  keepalive_timeout 600s;
${http}
}
`;
  writeFileSync(file, text);
  return { name, cores, program: requireProgram(NGINX), args: ["-e", "stderr", "-p", directory, "-c", file] };
}

function proxyHttp(place: Place): string {
  const servers = place.backendPorts.map((port) => `server 127.0.0.1:${port};`).join(" ");
  const { certificate } = place;
  // One socket for several workers leaves nearly all connections with the first that wakes up.
  const options = `${place.threads > 1 ? " reuseport" : ""}${certificate === undefined ? "" : " ssl"}`;
  const tls =
    certificate === undefined
      ? ""
      : `    ssl_certificate ${certificate.certFile};
    ssl_certificate_key ${certificate.keyFile};
`;
  return `  access_log ${place.logFile} combined buffer=64k flush=1s;
  upstream backends { least_conn; ${servers} keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${place.port} backlog=4096${options};
${tls}    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      ${place.streaming ? "proxy_buffering off;" : ""}
    }
  }`;
}
