import { request } from "node:http";
import { request as requestTls } from "node:https";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import type { Started } from "./processes.ts";

/** One answer, read whole. */
export interface Answer {
  status: number;
  body: string;
}

/** What {@link waitUntilReady} asks with, and for how long. */
export interface Readiness {
  body?: string;
  readyMs?: number;
  headers?: Readonly<Record<string, string>>;
}

/** A request over its own connection; a body makes it a POST of JSON. Rejects after {@link ANSWER_MS}. */
export function ask(
  url: string,
  signal: AbortSignal,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith("https:") ? requestTls : request;
    const outgoing = send(
      url,
      {
        agent: false,
        // The certificate is one that the bench made for itself a second ago.
        rejectUnauthorized: false,
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...headers,
          ...(body !== undefined && { "content-type": "application/json", "content-length": body.length }),
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.once("error", reject);
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

/**
 * Resolves when `url` answers 200; throws when the program ends first or after `readyMs`. A body makes it a
 * POST of JSON.
 */
export async function waitUntilReady(
  started: Started,
  url: string,
  signal: AbortSignal,
  { body, readyMs = READY_MS, headers = {} }: Readiness = {},
): Promise<void> {
  const deadline = Date.now() + readyMs;
  let last = "no answer";
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const ended = started.ended();
    if (ended !== undefined) throw new Error(ended);
    try {
      const { status } = await ask(url, signal, body, headers);
      if (status === 200) return;
      last = `status ${status}`;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(50);
  }
  throw new Error(`${url} was not ready after ${readyMs} ms: ${last}`);
}

/** Ports of 127.0.0.1 that nobody listens on now, all different. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    const ports: number[] = [];
    for (const server of servers) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      server.once("error", reject);
      server.listen({ port: 0, host: "127.0.0.1" }, resolve);
      await promise;
      // eslint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server that listens has a port
      ports.push((server.address() as AddressInfo).port);
    }
    return ports;
  } finally {
    for (const server of servers) server.close();
  }
}

const ANSWER_MS = 2000;
const READY_MS = 10_000;
