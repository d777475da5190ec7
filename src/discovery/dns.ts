import { type LookupAddress, type RecordWithTtl } from "node:dns";
import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import {
  type IpRange,
  IpRanges,
  canonicalIp,
  ipWords,
  parseIpRange,
  readIp,
} from "../core/kit/ip-address.ts";

/** What a name stands for, or why that is not known. */
export type NameAnswer =
  | {
      readonly kind: "found";
      /** At least one, each once, in an order of their own: answers turn theirs around. */
      readonly addresses: readonly string[];
      /** How long the answer may be kept; 0 and more. */
      readonly ttlMs: number;
    }
  | { readonly kind: "failed"; readonly reason: string };

/** Who is asked for names. */
export interface NameSource {
  /** Never rejects. Ends by itself: each question has a bound in time. */
  ask(name: string): Promise<NameAnswer>;
  /** Questions that are under way are given up. */
  close(): void;
}

/**
 * Asks DNS for a name: A records, or AAAA records where there are none, so that a server with both is not
 * taken for two. A name that stands in the machine's hosts file goes by that, as everywhere else on the
 * machine. Where the servers are the system's, whatever they do not know goes by the system's lookup, which
 * knows search domains and other sources; where servers were named, nobody else is asked.
 */
export class DnsSource implements NameSource {
  readonly #servers: readonly string[];
  readonly #hostsFile: string;
  #resolver: Resolver;

  /** `servers`: addresses, with or without port; none: those of the system. */
  constructor(servers: readonly string[], hostsFile: string = HOSTS_FILE) {
    this.#servers = servers;
    this.#hostsFile = hostsFile;
    this.#resolver = this.#open();
  }

  async ask(name: string): Promise<NameAnswer> {
    if (await isInHosts(name, this.#hostsFile)) return askSystem(name);
    const answer = await this.#askDns(name);
    if (answer.kind === "found" || this.#servers.length > 0) return answer;
    // The list of the system's servers may be another one by now.
    this.#resolver = this.#open();
    const other = await askSystem(name);
    return other.kind === "found" ? other : answer;
  }

  close(): void {
    this.#resolver.cancel();
  }

  async #askDns(name: string): Promise<NameAnswer> {
    const resolver = this.#resolver;
    try {
      return judge(await resolver.resolve4(name, { ttl: true }));
    } catch (error) {
      // Only where it is certain that there are no A records: else a lost packet would change the family.
      if (!HAS_NONE.has(codeOf(error))) return failed(error);
    }
    try {
      return judge(await resolver.resolve6(name, { ttl: true }));
    } catch (error) {
      return failed(error);
    }
  }

  #open(): Resolver {
    const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES_MAX, maxTimeout: 2 * TIMEOUT_MS });
    if (this.#servers.length > 0) resolver.setServers(this.#servers);
    return resolver;
  }
}

/** The answer without what no backend may have by way of a name. */
export function judge(records: readonly RecordWithTtl[]): NameAnswer {
  const good = new Set<string>();
  const refused: string[] = [];
  let ttlS = TTL_S_MAX;
  for (const { address, ttl } of records) {
    ttlS = Math.min(ttlS, ttl);
    const words = ipWords();
    if (!readIp(address, words) || REFUSED.has(words)) refused.push(address);
    else good.add(canonicalIp(address));
  }
  if (good.size > 0) {
    const addresses = [...good].toSorted().slice(0, ADDRESSES_MAX);
    return { kind: "found", addresses, ttlMs: ttlS * 1000 };
  }
  const [first] = refused;
  const reason = first === undefined ? "no address in the answer" : `${first} is not for backends`;
  return { kind: "failed", reason };
}

/** Of one name; a larger answer is a mistake, or not meant for a list of backends. */
export const ADDRESSES_MAX = 256;
/** Answers of the system's lookup have no time of their own. */
export const LOOKUP_TTL_MS = 10_000;

const HOSTS_FILE = "/etc/hosts";
const TIMEOUT_MS = 1_000;
const TRIES_MAX = 2;
const TTL_S_MAX = 86_400;
/** NXDOMAIN, and an answer without records. */
const HAS_NONE: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

/**
 * Where a name may not lead, as whoever can change an answer could have our requests sent there: link-local
 * addresses, the metadata services of clouds among them, and addresses that stand for "this host" or for
 * many. Literal addresses in the configuration are not judged.
 */
const REFUSED: IpRanges = new IpRanges(
  [
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254",
    "100.100.100.200",
    "0.0.0.0/8",
    "::",
    "224.0.0.0/4",
    "255.255.255.255",
    "ff00::/8",
  ].map((text): IpRange => parseIpRange(text)!.range),
);

async function askSystem(name: string): Promise<NameAnswer> {
  let found: LookupAddress[];
  try {
    found = await lookup(name, { all: true });
  } catch (error) {
    return failed(error);
  }
  const ofFour = found.filter(({ family }) => family === 4);
  const records = (ofFour.length > 0 ? ofFour : found).map(({ address }) => ({ address, ttl: TTL_S_MAX }));
  const answer = judge(records);
  return answer.kind === "found" ? { ...answer, ttlMs: LOOKUP_TTL_MS } : answer;
}

/** Lines are an address and names, up to a "#". A file that is not there has no names. */
async function isInHosts(name: string, file: string): Promise<boolean> {
  const text = await readFile(file, "utf8").catch(() => "");
  const wanted = name.toLowerCase();
  return text.split("\n").some((line) => {
    const [, ...names] = line.split("#")[0]!.trim().toLowerCase().split(/\s+/);
    return names.includes(wanted);
  });
}

function failed(error: unknown): NameAnswer {
  return { kind: "failed", reason: REASONS[codeOf(error)] ?? codeOf(error) };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** In the words of who looks after a DNS. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "NXDOMAIN: there is no such name",
  ENODATA: "the answer is empty",
  ESERVFAIL: "SERVFAIL: the DNS server can not tell",
  EREFUSED: "REFUSED by the DNS server",
  ETIMEOUT: "no answer from the DNS server",
  ECONNREFUSED: "no DNS server listens there",
};
