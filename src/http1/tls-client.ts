import net from "node:net";
import tls from "node:tls";
import type { FailureCause } from "../core/failure-cause.ts";
import type { Address } from "./address.ts";
import { ALPN_PROTOCOLS, tlsProfile } from "./tls-profile.ts";

/** How one server is spoken to by TLS: plain data. Certificates and keys are PEM texts. */
export interface TlsClientOptions {
  /** Who may vouch for the server; null: the authorities that Node knows. */
  readonly ca: string | null;
  /** The name that its certificate must be for, also sent as SNI where it is no address. */
  readonly serverName: string;
  /** Our own certificate, where the server asks for one, and its key; null: none. */
  readonly cert: string | null;
  readonly key: string | null;
  /** False: whoever answers is believed. Only on somebody's explicit wish. */
  readonly verify: boolean;
}

/**
 * TLS to one server: its context is made once, and later connections resume the session of an earlier one.
 */
export class TlsClient {
  readonly #options: TlsClientOptions;
  readonly #context: tls.SecureContext;
  #session: Buffer | null = null;
  /** When the session's certificate was seen: a resumption does not look at it again. */
  #verifiedAtMs = 0;

  /** Throws what Node says about a certificate or key that can not be used. */
  constructor(options: TlsClientOptions) {
    this.#options = options;
    const { ca, cert, key } = options;
    this.#context = tls.createSecureContext({
      ...tlsProfile(),
      ...(ca !== null && { ca }),
      ...(cert !== null && key !== null && { cert, key }),
    });
  }

  /** Begins to connect; `secureConnect` follows only when the server's certificate has been accepted. */
  connect({ host, port, socketPath = null }: Address, onread: net.OnReadOpts | undefined): tls.TLSSocket {
    const place = socketPath === null ? { host, port } : { path: socketPath };
    return this.#begin({ ...place, ...(onread !== undefined && { onread }), allowHalfOpen: true });
  }

  /** The same on a socket that is there already and may still be connecting; what was written goes first. */
  wrap(socket: net.Socket): tls.TLSSocket {
    return this.#begin({ socket });
  }

  #begin(below: tls.ConnectionOptions & net.SocketConstructorOpts): tls.TLSSocket {
    const { serverName, verify } = this.#options;
    const session = performance.now() - this.#verifiedAtMs < SESSION_MS_MAX ? this.#session : null;
    const options: tls.ConnectionOptions & net.SocketConstructorOpts = {
      ...below,
      secureContext: this.#context,
      ALPNProtocols: [...ALPN_PROTOCOLS],
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(serverName, certificate),
      // SNI has no addresses in it (RFC 6066 section 3).
      ...(net.isIP(serverName) === 0 && { servername: serverName }),
      ...(session !== null && { session }),
      noDelay: true,
    };
    const socket = tls.connect(options);
    this.#keepSessions(socket);
    return socket;
  }

  /** A session is worth something only after its certificate was accepted; TLS 1.2 tells it before. */
  #keepSessions(socket: tls.TLSSocket): void {
    let early: Buffer | null = null;
    let isAccepted = false;
    socket.on("session", (session) => {
      if (isAccepted) this.#session = session;
      else early = session;
    });
    socket.once("secureConnect", () => {
      isAccepted = true;
      if (!socket.isSessionReused()) this.#verifiedAtMs = performance.now();
      this.#session = early ?? this.#session;
    });
  }
}

/** So often a certificate is looked at anew, however long sessions go on. */
const SESSION_MS_MAX = 600_000;

/** The code of a handshake that failed; `connect_failed` has it as its detail. */
export type TlsFailureCode = Extract<FailureCause, `ETLS_${string}`>;

/** Any error between the connect and the end of the handshake, with one of our codes; `cause` is Node's. */
export function tlsFailure(error: NodeJS.ErrnoException | null): Error {
  const theirs = error?.code ?? "";
  const code = CODES[theirs] ?? (ALERT.test(theirs) ? "ETLS_REFUSED" : "ETLS_FAILED");
  const known = theirs === "" ? (error?.message ?? "closed") : theirs;
  return Object.assign(new Error(`TLS: ${WORDS[code]} (${known})`, { cause: error }), { code });
}

/** No other certificate will come by trying again: as certain as a port where nobody listens. */
export function isCertainTlsFailure(code: string): boolean {
  return CERTAIN.has(code);
}

const ALERT = /ALERT/;
const CODES: Readonly<Record<string, TlsFailureCode>> = {
  CERT_HAS_EXPIRED: "ETLS_EXPIRED",
  CERT_NOT_YET_VALID: "ETLS_NOT_YET_VALID",
  ERR_TLS_CERT_ALTNAME_INVALID: "ETLS_WRONG_NAME",
  HOSTNAME_MISMATCH: "ETLS_WRONG_NAME",
  CERT_UNTRUSTED: "ETLS_UNKNOWN_CA",
  CERT_REJECTED: "ETLS_UNKNOWN_CA",
  DEPTH_ZERO_SELF_SIGNED_CERT: "ETLS_UNKNOWN_CA",
  INVALID_CA: "ETLS_UNKNOWN_CA",
  SELF_SIGNED_CERT_IN_CHAIN: "ETLS_UNKNOWN_CA",
  UNABLE_TO_GET_ISSUER_CERT: "ETLS_UNKNOWN_CA",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "ETLS_UNKNOWN_CA",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "ETLS_UNKNOWN_CA",
  CERT_SIGNATURE_FAILURE: "ETLS_UNKNOWN_CA",
  CERT_REVOKED: "ETLS_REVOKED",
  ERR_SSL_WRONG_VERSION_NUMBER: "ETLS_PLAIN",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "ETLS_PLAIN",
  ERR_SSL_HTTP_REQUEST: "ETLS_PLAIN",
  ECONNRESET: "ETLS_CLOSED",
  EPIPE: "ETLS_CLOSED",
  ETIMEDOUT: "ETLS_TIMEOUT",
};
const WORDS: Readonly<Record<TlsFailureCode, string>> = {
  ETLS_EXPIRED: "the certificate has expired",
  ETLS_NOT_YET_VALID: "the certificate is not valid yet",
  ETLS_WRONG_NAME: "the certificate is for another name",
  ETLS_UNKNOWN_CA: "nobody who is trusted vouches for the certificate",
  ETLS_REVOKED: "the certificate was revoked",
  ETLS_PLAIN: "the server does not speak TLS",
  ETLS_CLOSED: "the server closed during the handshake",
  ETLS_REFUSED: "the server refused the handshake",
  ETLS_TIMEOUT: "the handshake did not end in time",
  ETLS_FAILED: "the handshake failed",
};
const CERTAIN: ReadonlySet<string> = new Set([
  "ETLS_EXPIRED",
  "ETLS_NOT_YET_VALID",
  "ETLS_WRONG_NAME",
  "ETLS_UNKNOWN_CA",
  "ETLS_REVOKED",
  "ETLS_PLAIN",
] satisfies TlsFailureCode[]);
