import { createHash, X509Certificate } from "node:crypto";
import type net from "node:net";
import tls from "node:tls";
import { ALPN_PROTOCOLS, tlsProfile } from "../http1/tls-profile.ts";
import { PLAIN_HTTP, turnAway } from "./refusal.ts";
import type { TicketKeys } from "./ticket-keys.ts";

/** How a listener speaks TLS: plain data. Certificates and keys are PEM texts. */
export interface ListenerTls {
  /** At least one; the first is taken where no other fits the name that the client asks for. */
  readonly certificates: readonly { readonly cert: string; readonly key: string }[];
  /** Who may vouch for clients; null: clients are not asked for a certificate. */
  readonly clientCa: string | null;
  /** With `request` a client without a certificate is served; one that is not valid is refused, too. */
  readonly clientAuth: "require" | "request";
  readonly handshakeTimeoutMs: number;
}

/** Who is told how a handshake ended: exactly one of the two. */
export interface HandshakeOwner {
  onSecure(socket: tls.TLSSocket): void;
  /** It is closed; `isFailure`: not because the client just left without a word. */
  onLost(isFailure: boolean): void;
}

/**
 * Makes accepted sockets secure. It is never changed: a listener with other certificates gets another one,
 * and what is in a handshake goes on with the one it began with. Session tickets are good for these very
 * options only, so that none gets around a rule that came later (CVE-2025-23419).
 */
export class TlsAcceptor {
  readonly #timeoutMs: number;
  /** Never listens: sockets that were accepted elsewhere are given to it. */
  readonly #server: tls.Server;
  readonly #rotation: NodeJS.Timeout;
  /** Handshakes by the ends of their connections, which the secure socket has, too. */
  readonly #handshakes: Map<string, Handshake> = new Map();

  /** Throws what Node says about a certificate or key that can not be used. */
  constructor(options: ListenerTls, keys: TicketKeys) {
    const { certificates, clientCa, clientAuth, handshakeTimeoutMs } = options;
    const purpose = createHash("sha256").update(JSON.stringify(options)).digest("hex");
    let ticketKeys = keys.keyFor(purpose);
    const shared = {
      ...tlsProfile(),
      ...(clientCa !== null && { ca: clientCa }),
      sessionIdContext: purpose.slice(0, SESSION_ID_CONTEXT_BYTES),
      ticketKeys,
    };
    const byName = new CertificateNames(certificates, (pair) => {
      return tls.createSecureContext({ ...shared, ...pair });
    });
    this.#timeoutMs = handshakeTimeoutMs;
    this.#server = tls.createServer({
      ...shared,
      ...certificates[0]!,
      ALPNProtocols: [...ALPN_PROTOCOLS],
      SNICallback: (name, done) => done(null, byName.find(name)),
      requestCert: clientCa !== null,
      rejectUnauthorized: clientCa !== null && clientAuth === "require",
      // Each handshake has a limit of its own, which begins earlier.
      handshakeTimeout: 2 * handshakeTimeoutMs,
    });
    this.#server.on("secureConnection", (socket: tls.TLSSocket) => this.#secured(socket, clientCa !== null));
    this.#server.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#rotation = setInterval(() => {
      const next = keys.keyFor(purpose);
      if (!next.equals(ticketKeys)) this.#server.setTicketKeys(next);
      ticketKeys = next;
    }, ROTATION_LOOK_MS);
    this.#rotation.unref();
  }

  /** Bytes that were put back into the socket with `unshift` belong to the handshake. */
  accept(socket: net.Socket, owner: HandshakeOwner): void {
    const key = endsOf(socket);
    const begin = (): unknown => this.#server.emit("connection", socket);
    const handshake = new Handshake(socket, this.#timeoutMs, begin, {
      onSecure: (secure) => {
        this.#handshakes.delete(key);
        owner.onSecure(secure);
      },
      onLost: (isFailure) => {
        this.#handshakes.delete(key);
        owner.onLost(isFailure);
      },
    });
    this.#handshakes.set(key, handshake);
  }

  /** No further socket comes; handshakes go on. */
  close(): void {
    clearInterval(this.#rotation);
  }

  /** Ends all handshakes. */
  abort(): void {
    for (const handshake of this.#handshakes.values()) handshake.abort();
  }

  #secured(socket: tls.TLSSocket, isAsked: boolean): void {
    const handshake = this.#handshakes.get(endsOf(socket));
    // A certificate that was only asked for must be a valid one, where there is one.
    const isRefused = isAsked && !socket.authorized && hasCertificate(socket);
    if (handshake === undefined || isRefused) socket.destroy();
    else handshake.succeed(socket);
  }
}

/** One connection until it is secure. */
class Handshake {
  readonly #socket: net.Socket;
  readonly #owner: HandshakeOwner;
  readonly #timer: NodeJS.Timeout;
  #isFailure = true;

  constructor(socket: net.Socket, timeoutMs: number, begin: () => void, owner: HandshakeOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on("error", () => {});
    socket.once("close", this.#onClose);
    socket.once("readable", () => this.#greeted(begin));
  }

  succeed(secure: tls.TLSSocket): void {
    clearTimeout(this.#timer);
    this.#socket.off("close", this.#onClose);
    this.#owner.onSecure(secure);
  }

  abort(): void {
    this.#isFailure = false;
    this.#socket.destroy();
  }

  /**
   * The first bytes are there: a silent client gets no state of TLS, and one that speaks plain HTTP an answer
   * that it can read.
   */
  #greeted(begin: () => void): void {
    const socket = this.#socket;
    const bytes = socket.read() as Buffer | null;
    // Load balancers connect and leave to see that we live: that is no failure.
    if (bytes === null) this.abort();
    else if (bytes[0] === HANDSHAKE_RECORD) {
      socket.unshift(bytes);
      begin();
    } else turnAway(socket, isCapital(bytes[0]!) ? PLAIN_HTTP : "");
  }

  readonly #onClose = (): void => {
    clearTimeout(this.#timer);
    this.#owner.onLost(this.#isFailure);
  };
}

/** The first byte of a TLS connection (RFC 8446 section 5.1). */
const HANDSHAKE_RECORD = 0x16;

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** No two open connections have both ends in common. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: net.Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Which certificate for which name: exact names, then `*.example.com` for one label in place of the star. */
class CertificateNames {
  readonly #contexts: Map<string, tls.SecureContext> = new Map();

  constructor(pairs: ListenerTls["certificates"], create: (pair: CertificatePair) => tls.SecureContext) {
    for (const pair of pairs) {
      const context = create(pair);
      for (const name of namesOf(pair.cert)) if (!this.#contexts.has(name)) this.#contexts.set(name, context);
    }
  }

  /** Undefined: the first certificate. */
  find(asked: string): tls.SecureContext | undefined {
    const name = asked.toLowerCase();
    const dot = name.indexOf(".");
    return this.#contexts.get(name) ?? (dot < 0 ? undefined : this.#contexts.get(`*${name.slice(dot)}`));
  }
}

type CertificatePair = ListenerTls["certificates"][number];

/** The DNS names of a certificate, in lower case. */
export function namesOf(cert: string): string[] {
  const names = new X509Certificate(cert).subjectAltName ?? "";
  return [...names.matchAll(/(?:^|, )DNS:([^,"]+)/g)].map((match) => match[1]!.toLowerCase());
}

/**
 * A session that is resumed shows none, and needs none: its ticket is of this acceptor, so it was judged.
 */
function hasCertificate(socket: tls.TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate()).length > 0;
}

/** Of OpenSSL. */
const SESSION_ID_CONTEXT_BYTES = 32;
const ROTATION_LOOK_MS = 60_000;
