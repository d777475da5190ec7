import path from "node:path";

import type { Installation } from "../../measure/python-environment.ts";
import { type Contender, peerOf } from "./product.ts";

/**
 * vLLM's router with two of its policies: `cache_aware`, its default, and `power_of_two`, the other one that
 * looks at load. (`kv_aware` wants engines that publish KV events.)
 */
export function vllm(installation: Installation): Contender[] {
  return [
    contender(installation, "cache_aware", "sglang_cache_aware", true),
    contender(installation, "power_of_two", "p2c", false),
  ];
}

function contender(
  { bin, version }: Installation,
  policy: string,
  simulated: string,
  isMeasured: boolean,
): Contender {
  const peer = peerOf({
    name: `vllm ${policy}`,
    version: `vllm-router ${version("vllm-router")}`,
    accessLog: "its own log, as it is by default",
    launch: ({ port, adminPort, backendPorts }) => ({
      program: path.join(bin, "vllm-router"),
      args: [
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--policy",
        policy,
        "--prometheus-host",
        "127.0.0.1",
        "--prometheus-port",
        String(adminPort),
        // It looks every 30 s by default whether its workers are there.
        "--worker-startup-check-interval",
        "1",
        "--worker-urls",
        ...backendPorts.map((backend) => `http://127.0.0.1:${backend}`),
      ],
    }),
  });
  return { peer, simulated, isMeasured, isRust: true };
}
