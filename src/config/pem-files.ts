import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import tls from "node:tls";

import type { CertificateConfig } from "./config.ts";
import type { Finding, Path } from "./problem.ts";

/** Reads certificates, keys and authorities, and notes what is wrong with them. */
export class PemFiles {
  readonly #readFile: (path: string) => string;
  readonly #findings: Finding[];
  readonly #bundles: Map<string, boolean> = new Map();

  /** `readFile` takes paths as written and throws when a file can not be read. */
  constructor(readFile: (path: string) => string, findings: Finding[]) {
    this.#readFile = readFile;
    this.#findings = findings;
  }

  /** A certificate with its key; `place` is the map that has them. Null when something is wrong. */
  pair(place: Path, written: { cert: string; key: string }): CertificateConfig | null {
    const [certAt, keyAt] = [
      [...place, "cert"],
      [...place, "key"],
    ];
    const cert = this.#read(certAt, written.cert);
    const key = this.#read(keyAt, written.key);
    if (cert === null || key === null) return null;
    const chain = this.#chain(certAt, written.cert, cert);
    const secret = this.#secret(keyAt, written.key, key);
    if (chain === null || secret === null) return null;
    const isTimely = this.#isTimely(certAt, chain[0]!);
    const isPair = this.#belongs(certAt, keyAt, chain, secret);
    if (!isTimely || !isPair) return null;
    try {
      tls.createSecureContext({ cert, key });
    } catch (error) {
      return this.#refuse(certAt, `can not be used: ${(error as Error).message}; make another one`);
    }
    return { cert, key };
  }

  /** One certificate or more; null when something is wrong. */
  authorities(at: Path, written: string): string | null {
    const pem = this.#read(at, written);
    if (pem === null) return null;
    const isKnown = this.#bundles.get(pem) ?? this.#chain(at, written, pem) !== null;
    this.#bundles.set(pem, isKnown);
    return isKnown ? pem : null;
  }

  #read(at: Path, written: string): string | null {
    if (isPem(written)) return written;
    try {
      return this.#readFile(written);
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
      return this.#refuse(at, `${written} can not be read (${reason}); correct the path or its rights`);
    }
  }

  #chain(at: Path, written: string, pem: string): X509Certificate[] | null {
    const blocks = pem.match(CERTIFICATE) ?? [];
    if (blocks.length === 0) {
      const found = pem.includes("PRIVATE KEY-----") ? "a private key and " : "";
      const advice = `write a PEM file, which begins with "-----BEGIN CERTIFICATE-----"`;
      return this.#refuse(at, `${nameOf(written)} has ${found}no certificate; ${advice}`);
    }
    try {
      return blocks.map((block) => new X509Certificate(block));
    } catch (error) {
      const message = (error as Error).message;
      return this.#refuse(at, `${nameOf(written)} has a broken certificate (${message}); copy it again`);
    }
  }

  #secret(at: Path, written: string, pem: string): KeyObject | null {
    if (!pem.includes("PRIVATE KEY-----")) {
      const advice = `write a PEM file, which begins with "-----BEGIN PRIVATE KEY-----"`;
      return this.#refuse(at, `${nameOf(written)} has no private key; ${advice}`);
    }
    if (pem.includes("ENCRYPTED")) {
      const advice = `"openssl pkey -in OLD -out NEW" takes the passphrase away`;
      return this.#refuse(at, `${nameOf(written)} is locked by a passphrase; ${advice}`);
    }
    try {
      return createPrivateKey(pem);
    } catch {
      return this.#refuse(at, `${nameOf(written)} has a broken private key; copy it again`);
    }
  }

  #isTimely(at: Path, certificate: X509Certificate): boolean {
    const { validFromDate: from, validToDate: to } = certificate;
    const now = Date.now();
    if (now >= to.getTime()) this.#refuse(at, `${about(certificate)} expired on ${day(to)}; get a new one`);
    else if (now < from.getTime()) {
      this.#refuse(at, `${about(certificate)} is valid from ${day(from)} on; is the clock right?`);
    } else return true;
    return false;
  }

  #belongs(certAt: Path, keyAt: Path, chain: readonly X509Certificate[], key: KeyObject): boolean {
    const index = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
    if (index === 0) return true;
    if (index > 0) {
      this.#refuse(certAt, `the certificate of the key is number ${index + 1} of the file; put it first`);
      return false;
    }
    this.#refuse(keyAt, `is not the key of ${about(chain[0]!)}; write the two that were made together`);
    return false;
  }

  #refuse(path: Path, message: string): null {
    this.#findings.push({ path, message, code: "EVENER_CERTIFICATE_INVALID" });
    return null;
  }
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

function isPem(written: string): boolean {
  return written.includes("-----BEGIN ");
}

/** For messages: never the text of a key. */
function nameOf(written: string): string {
  return isPem(written) ? "the text" : written;
}

function about(certificate: X509Certificate): string {
  const names = certificate.subjectAltName ?? certificate.subject;
  const all = names.replaceAll("\n", ", ").replaceAll(/DNS:|IP Address:/g, "");
  const shown = all.length > NAMES_LENGTH_MAX ? `${all.slice(0, NAMES_LENGTH_MAX)}...` : all;
  return `the certificate for ${shown}`;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

const NAMES_LENGTH_MAX = 60;
