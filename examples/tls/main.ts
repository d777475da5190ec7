// Two small servers, Evener in front of them, and two questions by HTTPS.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const SOCKET = "/tmp/evener-example-tls.sock";
const PORT = 8443;

/** What each server answers: its name, and what Evener told it of the request's way. */
function answer(name: string): http.RequestListener {
  return (request, response) => {
    const proto = String(request.headers["x-forwarded-proto"]);
    response.end(`${name}; the client came by ${proto} to ${request.headers.host}\n`);
  };
}

function file(name: string): string {
  try {
    return readFileSync(`${FOLDER}certificates/${name}`, "utf8");
  } catch {
    process.stderr.write("first: sh examples/tls/make-certificates.sh\n");
    process.exit(1);
  }
}

/** Asks Evener under that name; prints the certificate and the answer. */
function ask(servername: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host: servername };
    const place = { host: "127.0.0.1", port: PORT, servername, ca: file("ca.pem") };
    const request = https.get({ ...place, headers, agent: false }, (response) => {
      const socket = response.socket as TLSSocket;
      const { subjectaltname } = socket.getPeerCertificate();
      let body = "";
      response.on("data", (part: Buffer) => (body += part.toString()));
      response.on("end", () => {
        process.stdout.write(
          `${servername}: certificate for ${subjectaltname}, ${socket.getProtocol()}\n  ${body}`,
        );
        resolve();
      });
    });
    request.on("error", reject);
  });
}

/** Waits until Evener's log says that it listens. */
function untilReady(evener: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    evener.stderr!.on("data", (part: Buffer) => {
      log += part.toString();
      if (log.includes('"msg":"listening"')) resolve();
    });
    evener.once("exit", () => reject(new Error(`Evener did not start: ${log}`)));
  });
}

const backend = { cert: file("backend.pem"), key: file("backend.key.pem") };
rmSync(SOCKET, { force: true });
const byTls = https.createServer(backend, answer("the backend by TLS")).listen(9443, "127.0.0.1");
const byUnix = http.createServer(answer("the backend on the unix socket")).listen(SOCKET);
await Promise.all([once(byTls, "listening"), once(byUnix, "listening")]);
const evener: ChildProcess = spawn(process.execPath, ["bin/evener.js", `${FOLDER}evener.yaml`], {
  stdio: ["ignore", "ignore", "pipe"],
});

try {
  await untilReady(evener);
  for (const name of ["localhost", "chat.example.test", "localhost", "chat.example.test"]) await ask(name);
  if (process.argv.includes("--stay")) {
    process.stdout.write(`https://localhost:${PORT}/ stays until Ctrl-C\n`);
    await once(process, "SIGINT");
  }
} finally {
  evener.kill("SIGTERM");
  if (evener.exitCode === null) await once(evener, "exit");
  byTls.close();
  byTls.closeAllConnections();
  byUnix.close();
  byUnix.closeAllConnections();
}
