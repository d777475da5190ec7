import { constants } from "node:crypto";
import tls from "node:tls";

/**
 * What we speak, to clients and to backends: Mozilla's "intermediate" profile, version 6.0 (2026-04-06): TLS
 * 1.2 and 1.3, forward secrecy and authenticated encryption only, in the order of the client.
 */
export function tlsProfile(): TlsProfile {
  profile ??= {
    minVersion: "TLSv1.2",
    ciphers: [...SUITES_OF_1_3, ...SUITES_OF_1_2].join(":"),
    ecdhCurve: supportedCurves(),
    honorCipherOrder: false,
    // A client could make us sign again and again (CVE-2011-1473); TLS 1.3 does not have it.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
  return profile;
}

/** Options of `tls.createSecureContext`. */
export interface TlsProfile {
  readonly minVersion: "TLSv1.2";
  readonly ciphers: string;
  readonly ecdhCurve: string;
  readonly honorCipherOrder: boolean;
  readonly secureOptions: number;
}

/** What is offered by ALPN (RFC 7301): nothing else is spoken yet. */
export const ALPN_PROTOCOLS: readonly string[] = ["http/1.1"];

const SUITES_OF_1_3: readonly string[] = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
];
const SUITES_OF_1_2: readonly string[] = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];
/** The first one needs OpenSSL 3.5; Node can be built with an older one. */
const CURVES: readonly string[] = ["X25519MLKEM768", "X25519", "P-256", "P-384"];

let profile: TlsProfile | undefined;

function supportedCurves(): string {
  const all = CURVES.join(":");
  try {
    tls.createSecureContext({ ecdhCurve: all });
    return all;
  } catch {
    return CURVES.slice(1).join(":");
  }
}
