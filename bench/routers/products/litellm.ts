import { writeFileSync } from "node:fs";
import path from "node:path";

import { MODEL_NAME } from "../engines/completion.ts";
import type { Installation } from "../../measure/python-environment.ts";
import { API_KEY } from "../places.ts";
import { type Contender, peerOf } from "./product.ts";

/** LiteLLM's proxy with one worker and the strategy that looks at load. */
export function litellm({ bin, version }: Installation): Contender {
  const peer = peerOf({
    name: "litellm least-busy",
    version: `LiteLLM ${version("litellm")}`,
    accessLog: "its own log, as it is by default",
    launch: ({ port, backendPorts, directory }) => {
      const file = path.join(directory, "litellm.yaml");
      writeFileSync(file, configuration(backendPorts));
      const args = ["--config", file, "--host", "127.0.0.1", "--port", String(port), "--num_workers", "1"];
      // Else it asks the network for prices.
      const environment = "LITELLM_LOCAL_MODEL_COST_MAP=True";
      return {
        program: "env",
        args: [environment, path.join(bin, "litellm"), ...args, "--telemetry", "False"],
      };
    },
  });
  return { peer, simulated: "litellm_least_busy", isMeasured: true, isRust: false };
}

/** JSON is YAML. */
function configuration(ports: readonly number[]): string {
  return JSON.stringify({
    model_list: ports.map((port) => ({
      model_name: MODEL_NAME,
      litellm_params: {
        model: `openai/${MODEL_NAME}`,
        api_base: `http://127.0.0.1:${port}/v1`,
        api_key: "none",
      },
    })),
    router_settings: { routing_strategy: "least-busy" },
    general_settings: { master_key: API_KEY },
  });
}
