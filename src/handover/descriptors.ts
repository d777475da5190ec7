import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";
import type { Address } from "../http1/address.ts";

/** A listening socket of this process. */
export interface ListeningSocket {
  readonly descriptor: number;
  /** Where it listens; of a unix socket the path that it was bound to. */
  readonly address: Address;
}

/**
 * The listening sockets of this process, all threads together, or those of `descriptors`. From `/proc`, as
 * Node does not tell the descriptors of its servers. Empty where there is none of that (not Linux).
 */
export function listeningSockets(descriptors: readonly number[] = ownDescriptors()): ListeningSocket[] {
  const byInode = listeningAddresses();
  return descriptors.flatMap((descriptor) => {
    const inode = inodeOf(descriptor);
    const address = inode === null ? undefined : byInode.get(inode);
    return address === undefined ? [] : [{ descriptor, address }];
  });
}

function ownDescriptors(): number[] {
  try {
    return readdirSync("/proc/self/fd")
      .map(Number)
      .sort((a, b) => a - b);
  } catch {
    return [];
  }
}

function inodeOf(descriptor: number): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Addresses of all listening sockets of this network namespace, by inode. */
function listeningAddresses(): Map<string, Address> {
  const found = new Map<string, Address>();
  for (const line of [...tcpLines("/proc/net/tcp"), ...tcpLines("/proc/net/tcp6")]) {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const [host = "", port = ""] = local.split(":");
    if (state === TCP_LISTEN) found.set(inode, { host: hostOf(host), port: Number.parseInt(port, 16) });
  }
  for (const line of readText("/proc/net/unix").split("\n").slice(1)) {
    const [, , , flags, , , inode = "", path] = line.trim().split(/\s+/, 8);
    const isListening = (Number.parseInt(flags ?? "0", 16) & UNIX_ACCEPTS) !== 0;
    if (isListening && path !== undefined) found.set(inode, { host: "", port: 0, socketPath: pathOf(line) });
  }
  return found;
}

/** The lines as far as those that listen go: the kernel shows these first, and there are many others. */
function tcpLines(path: string): string[] {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch {
    return [];
  }
  try {
    let text = "";
    const bytes = Buffer.alloc(READ_BYTES);
    for (;;) {
      const length = readSync(descriptor, bytes);
      text += bytes.toString("latin1", 0, length);
      const lines = text.split("\n");
      const last = lines.at(-2)?.trim().split(/\s+/)[3];
      if (length === 0 || (last !== undefined && last !== "st" && last !== TCP_LISTEN)) return lines.slice(1);
    }
  } finally {
    closeSync(descriptor);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A path may have spaces in it: it is the rest of the line. */
function pathOf(line: string): string {
  return /^(?:\s*\S+){7} (.*)$/.exec(line)?.[1] ?? "";
}

/** As the kernel writes addresses: 32-bit words, each with its bytes in the order of this machine. */
function hostOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) =>
    word
      .match(/../g)!
      .map((pair) => Number.parseInt(pair, 16))
      .toReversed(),
  );
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

const TCP_LISTEN = "0A";
/** `__SO_ACCEPTCON`. */
const UNIX_ACCEPTS = 0x1_0000;
const READ_BYTES = 64 * 1024;
