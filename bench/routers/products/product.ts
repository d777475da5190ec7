import { waitUntilReady } from "../../measure/probe.ts";
import type { Launch } from "../../measure/processes.ts";
import { type Peer, type Place, type Running, urlOf } from "../../peers/proxies/peer.ts";
import { API_KEY } from "../places.ts";

/** A router with a policy, and who stands for both in the simulator. */
export interface Contender {
  readonly peer: Peer;
  /** The name of a way to route of the simulator. */
  readonly simulated: string;
  /** Among the contenders of the CPU comparison, whose table has one row a product. */
  readonly isMeasured: boolean;
  /** Of those that the bar is about. */
  readonly isRust: boolean;
}

/** A product of PyPI: how it is started at a place. */
export interface Product {
  readonly name: string;
  readonly version: string;
  readonly accessLog: string;
  readonly launch: (place: Place) => Omit<Launch, "name" | "cores">;
}

/** As a peer: ready when it passes an answer on. */
export function peerOf({ name, version, accessLog, launch }: Product): Peer {
  return {
    name,
    isOptional: false,
    threadsMin: 1,
    accessLog,
    version: () => Promise.resolve(version),
    async start(place: Place): Promise<Running> {
      const { cores, processes, signal } = place;
      const started = await processes.start({ ...launch(place), cores, name: name.replaceAll(/\W+/g, "-") });
      const url = urlOf(place);
      const headers = { authorization: `Bearer ${API_KEY}` };
      const asking = { body: GREETING, readyMs: READY_MS, headers };
      await waitUntilReady(started, `${url}/v1/chat/completions`, signal, asking);
      return { ...started, url };
    },
  };
}

/** One token: it changes nothing in any cache. */
const GREETING = JSON.stringify({
  model: "bench",
  messages: [{ role: "user", content: "Hi." }],
  max_tokens: 1,
});
/** LiteLLM imports for half a minute where its files are cold. */
const READY_MS = 120_000;
