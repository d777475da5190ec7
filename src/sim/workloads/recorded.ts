import type { SimRequest } from "../router.ts";
import type { RecordedRequest, Recording } from "./recording.ts";
import { ListedWorkload, type WorkloadOptions, type WorkloadSource } from "./workload.ts";

/** The requests of an access log, as they came, faster or slower. There are no dice in it. */
export function recordedWorkload(name: string, { requests }: Recording): WorkloadSource {
  const numbered = withNumbers(requests);
  return { name, create: (options) => create(numbered, options) };
}

/** Requests a second, as recorded. */
export function recordedPerS(requests: readonly { readonly atS: number }[]): number {
  return requests.length / Math.max(1, requests.at(-1)!.atS - requests[0]!.atS);
}

function create(requests: readonly RecordedRequest[], options: WorkloadOptions): ListedWorkload {
  const rows = requests.slice(0, options.requests);
  const scale = options.requestsPerS > 0 ? recordedPerS(rows) / options.requestsPerS : 1;
  const list = rows.map(({ atS, inputTokens, outputTokens, blocks, blockTokens }, id): SimRequest => {
    const sizes = { inputTokens, outputTokens, outputTokensMax: 0 };
    return { id, atS: atS * scale, ...sizes, blocks, blockTokens, session: -1 };
  });
  return new ListedWorkload(list);
}

/** Hashes become small numbers, as engines index by them; equal ones stay equal. */
function withNumbers(requests: readonly RecordedRequest[]): RecordedRequest[] {
  const numbers = new Map<number, number>();
  const numberOf = (hash: number): number => {
    const known = numbers.get(hash);
    if (known !== undefined) return known;
    numbers.set(hash, numbers.size);
    return numbers.size - 1;
  };
  return requests.map((request) => ({ ...request, blocks: request.blocks.map(numberOf) }));
}
