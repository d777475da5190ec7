import path from "node:path";

import type { Installation } from "../../measure/python-environment.ts";
import { type Contender, peerOf } from "./product.ts";

/** SGLang's router (model gateway) as `launch` starts it: `cache_aware` is its default. */
export function sglang({ bin, version }: Installation): Contender {
  const peer = peerOf({
    name: "sglang cache_aware",
    version: `sglang-router ${version("sglang-router")}`,
    accessLog: "its own log, as it is by default",
    launch: ({ port, adminPort, backendPorts }) => ({
      program: path.join(bin, "sglang-router"),
      args: [
        "launch",
        "--host",
        "127.0.0.1",
        "--port",
        String(port),
        "--policy",
        "cache_aware",
        "--prometheus-host",
        "127.0.0.1",
        "--prometheus-port",
        String(adminPort),
        "--worker-urls",
        ...backendPorts.map((backend) => `http://127.0.0.1:${backend}`),
      ],
    }),
  });
  return { peer, simulated: "sglang_cache_aware", isMeasured: true, isRust: true };
}
