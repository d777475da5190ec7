// Starts two echo servers and Evener in front of them, talks to them over WebSockets, and stops Evener while
// one is open.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { startEchoServer } from "./echo-server.ts";

const servers = await Promise.all([startEchoServer("one", 9101), startEchoServer("two", 9102)]);
const evener = startEvener();
// It must not outlive us, whatever happens here.
process.on("exit", () => evener.kill());
await untilReady("http://127.0.0.1:8080/");

const sockets: WebSocket[] = [];
for (let i = 1; i <= 4; i++) {
  const socket = new WebSocket("ws://127.0.0.1:8080/");
  await once(socket, "open");
  sockets.push(socket);
  socket.send(`hello ${i}`);
  const [{ data }] = (await once(socket, "message")) as [MessageEvent];
  console.log(`socket ${i}: ${String(data)}`);
}

const [kept, ...rest] = sockets;
for (const socket of rest) socket.close(1000);
await Promise.all(rest.map((socket) => once(socket, "close")));

console.log("stopping Evener; one WebSocket is still open");
evener.kill("SIGTERM");
const [{ code }] = (await once(kept!, "close")) as [CloseEvent];
console.log(`socket 1 was closed with ${code}${code === 1001 ? " (going away): connect again" : ""}`);
if (evener.exitCode === null) await once(evener, "exit");
for (const server of servers) server.close();

function startEvener(): ChildProcess {
  const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const args = [path("../../bin/evener.js"), path("evener.yaml")];
  return spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
}

async function untilReady(url: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${url} does not answer`);
}
