import { X509Certificate } from "node:crypto";

import type { BackendConfig, BackendTlsConfig, CertificateConfig, ListenerTlsConfig } from "./config.ts";
import type { PemFiles } from "./pem-files.ts";
import type { Finding, Path } from "./problem.ts";
import type { BackendWritten } from "./schema-backend.ts";
import type { BackendTlsWritten, ListenerTlsWritten } from "./schema-tls.ts";

/** `tls` of the listener at `place`; null when something is wrong with it. */
export function expandListenerTls(
  written: ListenerTlsWritten,
  place: Path,
  handshakeTimeoutMs: number,
  { pems, findings }: Reading,
): ListenerTlsConfig | null {
  const certificates = readCertificates(written, place, { pems, findings });
  const { client_ca, client_auth } = written;
  if (client_auth !== undefined && client_ca === undefined) {
    const message = `has no meaning without "client_ca"; write it, or remove this`;
    findings.push({ path: [...place, "client_auth"], at: "key", message });
  }
  const clientCa = client_ca === undefined ? null : pems.authorities([...place, "client_ca"], client_ca);
  if (certificates === null) return null;
  return { certificates, clientCa, clientAuth: client_auth ?? "require", handshakeTimeoutMs };
}

/** The backend at `place`, with what its pool says about TLS where it says nothing itself. */
export function expandBackend(
  written: BackendWritten,
  place: Path,
  pool: PoolTls,
  reading: Reading,
): BackendConfig {
  const { isTls, tls: own, ...rest } = written;
  if (isTls) return { ...rest, tls: backendTls(rest.host, own ?? {}, [...place, "tls"], pool, reading) };
  if (own !== null) {
    const message = `is for https:// URLs, and this one is not; write https:// or remove "tls"`;
    reading.findings.push({ path: [...place, "tls"], at: "key", message });
  }
  return { ...rest, tls: null };
}

/** `tls` of a pool, and where it stands. */
export interface PoolTls {
  readonly written: BackendTlsWritten;
  readonly place: Path;
}

/** What reads the files that a configuration names. */
export interface Reading {
  readonly pems: PemFiles;
  readonly findings: Finding[];
}

function readCertificates(
  written: ListenerTlsWritten,
  place: Path,
  { pems, findings }: Reading,
): CertificateConfig[] | null {
  const { cert, key, certificates } = written;
  if (certificates === undefined) {
    const pair = readPair(written, place, { pems, findings });
    if (cert === undefined && key === undefined) {
      findings.push({
        path: [...place, "cert"],
        message: `is missing; write "cert" and "key"`,
        isMissing: true,
      });
    }
    return pair === null ? null : [pair];
  }
  if (cert !== undefined || key !== undefined) {
    const message = `stands beside "certificates"; move it into that list`;
    findings.push({ path: [...place, cert === undefined ? "key" : "cert"], at: "key", message });
  }
  const pairs = certificates.map((one, index) => pems.pair([...place, "certificates", index], one));
  for (const [index, pair] of pairs.entries()) {
    if (index === 0 || pair === null) continue;
    if (/DNS:/.test(new X509Certificate(pair.cert).subjectAltName ?? "")) continue;
    const message = "names no host, so no client would ever get it; only the first one may";
    const code = "EVENER_CERTIFICATE_INVALID";
    findings.push({ path: [...place, "certificates", index, "cert"], message, code });
  }
  return pairs.every((pair) => pair !== null) ? pairs : null;
}

/** Null when there is none, or something is wrong with it. */
function readPair(
  { cert, key }: { cert?: string | undefined; key?: string | undefined },
  place: Path,
  { pems, findings }: Reading,
): CertificateConfig | null {
  if (cert !== undefined && key !== undefined) return pems.pair(place, { cert, key });
  if (cert === undefined && key === undefined) return null;
  const [there, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
  findings.push({ path: [...place, there], at: "key", message: `stands without "${missing}"; write both` });
  return null;
}

function backendTls(
  host: string,
  own: BackendTlsWritten,
  place: Path,
  pool: PoolTls,
  reading: Reading,
): BackendTlsConfig {
  const hasOwnPair = own.cert !== undefined || own.key !== undefined;
  const pair = hasOwnPair ? readPair(own, place, reading) : readPair(pool.written, pool.place, reading);
  const ca = own.ca ?? pool.written.ca;
  const caPlace = own.ca === undefined ? pool.place : place;
  const verify = (own.verify ?? pool.written.verify ?? "on") === "on";
  if (!verify && ca !== undefined) {
    const message = `has no effect with "verify: off"; remove one of the two`;
    reading.findings.push({ path: [...caPlace, "ca"], at: "key", message });
  }
  return {
    ca: ca === undefined ? null : reading.pems.authorities([...caPlace, "ca"], ca),
    serverName: (own.server_name ?? pool.written.server_name ?? host).toLowerCase(),
    cert: pair?.cert ?? null,
    key: pair?.key ?? null,
    verify,
  };
}
