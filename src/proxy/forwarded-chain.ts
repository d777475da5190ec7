// Hot path (behind trusted proxies only): a few short strings a request.
import type { IpRanges } from "../core/kit/ip-address.ts";
import { FIELD } from "../http1/fields.ts";
import type { RequestHead } from "../http1/head.ts";
import { authorityEnd } from "../http1/request-target.ts";
import { isPort, isScheme, Walk, walkAddresses, walkElements } from "./forwarded-walk.ts";
import { nodeText, type Peer } from "./peer.ts";

/**
 * What the forwarding fields of a trusted peer say of the request at hand, as far as somebody vouches for it.
 * Both fields are read from the right, where the peer wrote, past addresses that are trusted: the first that
 * is not is the client. What is malformed ends the walk, and it and all to its left are dropped.
 *
 * A proxy writes one of the fields and passes the other one on, as its client sent it. So where both are
 * there and differ in their last address, one is forged, and only the one that is configured counts.
 */
export class ForwardedChain {
  readonly #peer: Peer;
  readonly #trusted: IpRanges;
  readonly #plain: Walk = new Walk();
  readonly #standard: Walk = new Walk();
  #hops = "";
  #scheme = "";
  #host = "";
  #port = "";
  /** The client's address, canonical; the peer's where its fields say nothing. */
  client = "";

  /** Of a peer that is trusted. */
  constructor(peer: Peer, trusted: IpRanges) {
    this.#peer = peer;
    this.#trusted = trusted;
  }

  /** Reads the fields of a request; all that was known of the one before is forgotten. */
  read(head: RequestHead): void {
    const plain = this.#plain;
    const standard = this.#standard;
    walkAddresses(valuesOf(head, FIELD.xForwardedFor), this.#trusted, plain);
    walkElements(valuesOf(head, FIELD.forwarded), this.#trusted, standard);
    const isStandardFirst = this.#peer.fields === "forwarded";
    const first = isStandardFirst ? standard : plain;
    const second = isStandardFirst ? plain : standard;
    const counts = first.nearest === "" ? second : first;
    if (first.nearest !== second.nearest) (counts === first ? second : first).reset();
    this.client = counts.client === "" ? this.#peer.address : counts.client;
    this.#hops = counts.hops;
    this.#scheme = schemeOf(head) || standard.scheme;
    this.#host = hostOf(head) || standard.host;
    this.#port = portOf(head);
  }

  /** How the client asked, as far as somebody vouches for it; lower case. */
  get scheme(): string {
    return this.#scheme || this.#peer.scheme;
  }

  /** The lines that tell backends of the request that was read. `host` is the one that we were asked for. */
  lines(host: string): string {
    const { fields } = this.#peer;
    if (fields === "off") return "";
    let text = fields === "forwarded" ? "" : this.#plainLines(host);
    const { kept } = this.#standard;
    if (kept !== "") text += `forwarded: ${kept}, ${this.#peer.element(host)}\r\n`;
    else if (fields !== "x_forwarded")
      text += `forwarded: ${this.#elements()}${this.#peer.element(host)}\r\n`;
    return text;
  }

  #plainLines(host: string): string {
    const { address } = this.#peer;
    const between = this.#hops === "" || address === "" ? "" : ", ";
    let text = `x-forwarded-for: ${this.#hops}${between}${address}\r\n`;
    text += `x-forwarded-proto: ${this.scheme}\r\nx-forwarded-host: ${this.#host || host}\r\n`;
    if (this.#port !== "") text += `x-forwarded-port: ${this.#port}\r\n`;
    return text;
  }

  /** X-Forwarded-For as elements of Forwarded (RFC 7239 section 7.4); the first has what the client asked. */
  #elements(): string {
    if (this.#hops === "") return "";
    let text = "";
    let asked = this.#scheme === "" ? "" : `;proto=${this.#scheme}`;
    if (this.#host !== "") asked += `;host="${this.#host}"`;
    for (const hop of this.#hops.split(", ")) {
      text += `for=${nodeText(hop)}${asked}, `;
      asked = "";
    }
    return text;
  }
}

/** All lines of a field as one list; "" when there are none. */
function valuesOf(head: RequestHead, id: number): string {
  let text = "";
  for (let i = 0; i < head.count; i++) {
    if (head.ids[i] !== id) continue;
    text += text === "" ? head.valueAt(i) : `, ${head.valueAt(i)}`;
  }
  return text;
}

/** Position of the only field with this number; -1 also when there are several, which nobody means. */
function only(head: RequestHead, id: number): number {
  const index = head.indexOf(id);
  if (index < 0) return -1;
  for (let i = index + 1; i < head.count; i++) if (head.ids[i] === id) return -1;
  return index;
}

function schemeOf(head: RequestHead): string {
  const index = only(head, FIELD.xForwardedProto);
  const scheme = index < 0 ? "" : head.valueAt(index).toLowerCase();
  return isScheme(scheme) ? scheme : "";
}

function hostOf(head: RequestHead): string {
  const index = only(head, FIELD.xForwardedHost);
  if (index < 0) return "";
  const start = head.spans[4 * index + 2]!;
  const end = head.spans[4 * index + 3]!;
  return authorityEnd(head.bytes, start, end) === end ? head.valueAt(index).toLowerCase() : "";
}

function portOf(head: RequestHead): string {
  const index = only(head, FIELD.xForwardedPort);
  const port = index < 0 ? "" : head.valueAt(index);
  return isPort(port) ? port : "";
}
