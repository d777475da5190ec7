import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { type Program, requireProgram } from "../measure/machine.ts";
import type { Processes } from "../measure/processes.ts";

/** Files of a certificate that signs itself, for 127.0.0.1 and a day. */
export interface Certificate {
  certFile: string;
  keyFile: string;
  /** Both in one file, as HAProxy wants it. */
  bothFile: string;
}

/** What makes it. */
export const OPENSSL: Program = { command: "openssl", install: "apt-get install openssl" };

/** Makes one for this run in `directory`: ECDSA with P-256, as web servers have today. */
export async function makeCertificate(
  directory: string,
  cores: string,
  processes: Processes,
): Promise<Certificate> {
  const file = (name: string): string => path.join(directory, name);
  const certificate = {
    certFile: file("certificate.pem"),
    keyFile: file("key.pem"),
    bothFile: file("both.pem"),
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", certificate.keyFile, "-out", certificate.certFile];
  const args = ["req", "-x509", ...key, "-days", "1", ...subject, ...files];
  await processes.run({ name: "openssl", cores, program: requireProgram(OPENSSL), args }, OPENSSL_MS_MAX);
  const both = [certificate.certFile, certificate.keyFile].map((each) => readFileSync(each, "utf8"));
  writeFileSync(certificate.bothFile, both.join(""), { mode: 0o600 });
  return certificate;
}

const OPENSSL_MS_MAX = 10_000;
