import { closeSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Address, addressText } from "../http1/address.ts";
import type { Adoption } from "../planes/adoptions.ts";
import type { KnownListener } from "./messages.ts";
import { type ListeningSocket, listeningSockets } from "./descriptors.ts";

/** Listening sockets that this process was born with: from systemd, or from the process before it. */
export class InheritedSockets {
  #sockets: readonly ListeningSocket[];
  readonly #known: ReadonlyMap<string, KnownListener>;

  /** `known`: the listeners of the process before, if it was one of ours. */
  constructor(sockets: readonly ListeningSocket[], known: readonly KnownListener[] = []) {
    this.#sockets = sockets;
    this.#known = new Map(known.map((listener) => [listener.key, listener]));
  }

  /**
   * Those that systemd passes on (`LISTEN_FDS`); null where it does not. Takes the variables out of the
   * environment: they are not for other programs. `warn` is told where they are not for this process.
   */
  static fromSystemd(
    environment: NodeJS.ProcessEnv,
    pid: number,
    warn: (facts: object, text: string) => void,
  ): InheritedSockets | null {
    const { LISTEN_FDS: count = "", LISTEN_PID: owner = "" } = environment;
    delete environment.LISTEN_FDS;
    delete environment.LISTEN_PID;
    delete environment.LISTEN_FDNAMES;
    if (!/^[1-9]\d{0,3}$/.test(count)) return null;
    if (owner !== String(pid)) {
      warn({ for: owner, pid }, "LISTEN_FDS is for another process: its sockets are not used");
      return null;
    }
    const descriptors = Array.from({ length: Number(count) }, (_, i) => FIRST_DESCRIPTOR + i);
    return new InheritedSockets(listeningSockets(descriptors));
  }

  /**
   * The sockets for a listener, which are given away with this; null where there are none. `key`: its address
   * as configured, or `adminKey`. `all`: the listeners that there will be.
   */
  async take(
    listener: Address,
    all: readonly Address[],
    key: string = addressText(listener),
  ): Promise<Adoption | null> {
    const known = this.#known.get(key);
    const wanted = known === undefined ? await addressesOf(listener) : new Set([addressText(known.address)]);
    let mine = this.#bound(wanted);
    // What systemd calls a port alone is one socket for IPv6 and IPv4.
    const hasSibling = all.some(({ host, port }) => host === "::" && port === listener.port);
    if (mine.length === 0 && listener.host === "0.0.0.0" && !hasSibling) {
      mine = this.#bound(new Set([addressText({ host: "::", port: listener.port })]));
    }
    const [first] = mine;
    if (first === undefined) return null;
    this.#sockets = this.#sockets.filter((socket) => !mine.includes(socket));
    const descriptors = mine.map(({ descriptor }) => descriptor);
    return { descriptors, ownsFile: known?.ownsFile ?? false, port: first.address.port };
  }

  /** Closes what nobody has taken; returns where that listened. */
  closeRest(): string[] {
    const rest = this.#sockets;
    this.#sockets = [];
    for (const { descriptor } of rest) closeSync(descriptor);
    return rest.map(({ address }) => addressText(address));
  }

  #bound(addresses: ReadonlySet<string>): ListeningSocket[] {
    return this.#sockets.filter(({ address }) => addresses.has(addressText(address)));
  }
}

/** How sockets for that listener may be bound. */
async function addressesOf({ host, port, socketPath = null }: Address): Promise<ReadonlySet<string>> {
  if (socketPath !== null) return new Set([`unix:${socketPath}`]);
  if (isIP(host) !== 0) return new Set([addressText({ host: canonical(host), port })]);
  const found = await lookup(host, { all: true }).catch(() => []);
  return new Set(found.map(({ address }) => addressText({ host: address, port })));
}

/** IPv6 in its shortest form. */
function canonical(host: string): string {
  return isIP(host) === 6 ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : host;
}

/** systemd's convention, `SD_LISTEN_FDS_START`. */
export const FIRST_DESCRIPTOR = 3;
