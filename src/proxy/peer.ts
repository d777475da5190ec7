// Hot path: what a request of an untrusted client costs is one string of parts that are kept.
import { canonicalIp, type IpRanges } from "../core/kit/ip-address.ts";
import { UNIX_PEER } from "../http1/address.ts";
import { inOnePiece } from "../http1/latin1.ts";
import type { ConnectionEnds } from "../http1/proxy-protocol.ts";

/** How a client speaks to us. */
export type Scheme = "http" | "https";

/** Which fields tell backends who asked: `X-Forwarded-...`, `Forwarded` (RFC 7239), both or none. */
export type ForwardedFields = "x_forwarded" | "forwarded" | "both" | "off";

/** Whose word counts, and what backends are told. */
export interface TrustRules {
  readonly trusted: IpRanges;
  readonly forwardedFields: ForwardedFields;
}

/**
 * Who is at the other end of a client connection. Whether its forwarding fields count is decided once, when
 * it is accepted; a reload holds for connections from then on.
 */
export class Peer {
  /** Canonical; "" where there is none, as for a Unix socket. */
  readonly address: string;
  /** For logs: the address, or `unix:`; "" when the peer was gone before it could be asked. */
  readonly name: string;
  readonly scheme: Scheme;
  readonly fields: ForwardedFields;
  /** Whom it may speak for; null when it is not trusted. */
  readonly trusted: IpRanges | null;
  readonly #ends: ConnectionEnds;
  /** What stands before the host in the lines of its own requests. */
  readonly #plain: string;
  readonly #element: string;
  /** Of the host that was asked for last. */
  #host = "";
  #lines = "";

  /** `ends` are those of the socket, or what a trusted PROXY header says instead. */
  constructor(ends: ConnectionEnds, scheme: Scheme, rules: TrustRules) {
    this.#ends = ends;
    this.scheme = scheme;
    this.fields = rules.forwardedFields;
    this.address = canonicalIp(ends.remoteAddress ?? "");
    const isUnix = ends.remoteAddress === undefined && ends.localAddress === undefined;
    this.name = this.address === "" && isUnix ? UNIX_PEER : this.address;
    this.trusted = rules.trusted.hasText(this.address) ? rules.trusted : null;
    // RFC 7239 section 6.2: the word for whom has no address.
    const node = this.address === "" ? "unknown" : this.address;
    this.#plain = `x-forwarded-for: ${node}\r\nx-forwarded-proto: ${scheme}\r\nx-forwarded-host: `;
    this.#element = `for=${nodeText(this.address)};proto=${scheme};host="`;
  }

  /** Where its connection leads: for the PROXY header of a request that comes from `client`. */
  endsFor(client: string): ConnectionEnds {
    const { remotePort, localAddress, localPort } = this.#ends;
    // Of a client that a trusted proxy names, the port is not known.
    return {
      remoteAddress: client,
      remotePort: client === this.address ? remotePort : 0,
      localAddress,
      localPort,
    };
  }

  /** The lines that tell backends of a request that is its own; kept, as the host mostly stays the same. */
  lines(host: string): string {
    if (this.#host !== host || this.#lines === "") {
      this.#host = host;
      this.#lines = inOnePiece(this.#linesFor(host));
    }
    return this.#lines;
  }

  #linesFor(host: string): string {
    switch (this.fields) {
      case "x_forwarded":
        return `${this.#plain}${host}\r\n`;
      case "forwarded":
        return `forwarded: ${this.#element}${host}"\r\n`;
      case "both":
        return `${this.#plain}${host}\r\nforwarded: ${this.#element}${host}"\r\n`;
      case "off":
        return "";
    }
  }

  /** Its element of a Forwarded field. */
  element(host: string): string {
    return `${this.#element}${host}"`;
  }
}

/** An address as RFC 7239 section 6 writes it: IPv6 in brackets and quotes. */
export function nodeText(address: string): string {
  if (address === "") return "unknown";
  return address.includes(":") ? `"[${address}]"` : address;
}
