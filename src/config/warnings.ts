import { X509Certificate } from "node:crypto";

import { addressText } from "../http1/address.ts";
import type { Config } from "./config.ts";

/** What is allowed and may still not be meant; each a sentence for the log. */
export function warningsOf(config: Config): string[] {
  return [...unverified(config), ...expiring(config)];
}

function unverified({ pools }: Config): string[] {
  return pools.flatMap(({ name, backends }) => {
    const ids = backends.filter(({ tls }) => tls !== null && !tls.verify).map(({ id }) => id);
    if (ids.length === 0) return [];
    const risk = "whoever is on the way to them can read and change what is sent";
    return [`pool ${name}: certificates of ${ids.join(", ")} are not verified (verify: off); ${risk}`];
  });
}

function expiring({ listeners, pools }: Config): string[] {
  const texts: string[] = [];
  const look = (where: string, pem: string | null): void => {
    if (pem === null) return;
    const days = (new X509Certificate(pem).validToDate.getTime() - Date.now()) / DAY_MS;
    if (days < DAYS_BEFORE)
      texts.push(`${where}: the certificate expires in ${Math.floor(days)} days; renew it`);
  };
  for (const listener of listeners) {
    for (const { cert } of listener.tls?.certificates ?? []) look(`listener ${addressText(listener)}`, cert);
  }
  for (const { name, backends } of pools) {
    for (const { id, tls } of backends) look(`pool ${name}: backend ${id}`, tls?.cert ?? null);
  }
  return texts;
}

const DAY_MS = 86_400_000;
/** Certificates that are renewed by a program have a third of their 90 days left when it acts. */
const DAYS_BEFORE = 14;
