import * as z from "zod";

import { text } from "./scalars.ts";

/** A bundle of all public authorities has a quarter of it. */
const PEM_LENGTH_MAX = 1_048_576;

/** A certificate, a key or authorities: the path of a PEM file, or the PEM text itself. */
function pem(what: string, example: string): z.ZodType<string> {
  return text("path of a PEM file", { what, example, lengthMax: PEM_LENGTH_MAX, isSecret: true });
}

const certificate = pem("a file with a certificate", "/etc/evener/tls/cert.pem").describe(
  "PEM file with the certificate, then those that vouch for it",
);
const key = pem("a file with a key", "/etc/evener/tls/key.pem").describe("PEM file with its private key");

/** How a listener speaks TLS, as written. What the files contain is checked when they are read. */
export const listenerTlsSchema: z.ZodType<ListenerTlsWritten> = z.strictObject({
  cert: certificate.optional(),
  key: key.optional(),
  certificates: z
    .array(z.strictObject({ cert: certificate, key }))
    .min(1)
    .optional()
    .describe(
      "several instead of `cert` and `key`: chosen by the name that the client asks for; the first is the " +
        "default",
    ),
  client_ca: pem("a file with authorities", "/etc/evener/tls/clients.pem")
    .optional()
    .describe("PEM file with the authorities that vouch for clients; without it clients show no certificate"),
  client_auth: z
    .enum(["require", "request"])
    .optional()
    .describe("with `client_ca`: `require` (the default) refuses clients without a certificate"),
});

/** `tls` of a listener. */
export interface ListenerTlsWritten {
  cert?: string | undefined;
  key?: string | undefined;
  certificates?: { cert: string; key: string }[] | undefined;
  client_ca?: string | undefined;
  client_auth?: "require" | "request" | undefined;
}

/** How backends are spoken to by TLS, as written: for a pool, or for one backend. */
export const backendTlsSchema: z.ZodType<BackendTlsWritten> = z.strictObject({
  ca: pem("a file with authorities", "/etc/evener/tls/ca.pem")
    .optional()
    .describe("PEM file with the authorities that vouch for the backend; without it those that Node knows"),
  server_name: text("text", {
    what: "a name",
    example: "model.internal",
    pattern: /^[A-Za-z0-9_](?:[\w.:-]{0,252})$/,
  })
    .optional()
    .describe("the name that its certificate must be for, also sent as SNI; without it the URL's host"),
  cert: pem("a file with a certificate", "/etc/evener/tls/evener.pem")
    .optional()
    .describe("PEM file with Evener's own certificate, for backends that ask for one"),
  key: key.optional(),
  verify: z
    .enum(["on", "off"])
    .optional()
    .describe("`off` believes whoever answers: for tests only; the default is `on`"),
});

/** `tls` of a pool or a backend. */
export interface BackendTlsWritten {
  ca?: string | undefined;
  server_name?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  verify?: "on" | "off" | undefined;
}
