// A client as a process of its own, so that its work stops no other one:
//   node body-sender.ts PORT BYTES ID RATE
// sends a body of that length to /sink, as fast as it is taken but no more than RATE bytes a second, and
// prints the answer.
import net from "node:net";

const [port = "", bytes = "", id = "", rate = ""] = process.argv.slice(2);
const PIECE: Buffer = Buffer.alloc(64 * 1024, "h");
const socket = net.connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
socket.write(
  `POST /sink HTTP/1.1\r\nhost: a\r\nx-test-id: ${id}\r\nconnection: close\r\ncontent-length: ${bytes}\r\n\r\n`,
);
const fromMs = performance.now();
let sent = 0;

function more(): void {
  const due = Math.min(Number(bytes), ((performance.now() - fromMs) / 1000) * Number(rate));
  while (sent < due) {
    const piece = PIECE.subarray(0, Math.min(Number(bytes) - sent, PIECE.length));
    sent += piece.length;
    if (!socket.write(piece)) return void socket.once("drain", more);
  }
  if (sent < Number(bytes)) setTimeout(more, 1);
}

more();
socket.on("error", (error) => process.stdout.write(`${error.message}\n`));
socket.pipe(process.stdout);
// Whoever started it has gone.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
socket.on("close", () => process.exit(0));
