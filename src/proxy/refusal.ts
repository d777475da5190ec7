import type net from "node:net";

/** Closes a connection that gets no further; `answer` is for its reader, "" for none. */
export function turnAway(socket: net.Socket, answer: string): void {
  socket.on("error", () => {});
  if (answer === "") return void socket.destroy();
  // Unread bytes would turn the close into a reset, and the answer would be lost: so it may stay for a while.
  // In a flood the descriptors are needed more.
  if (turnedAway >= TURNED_AWAY_MAX) return void socket.end(answer, () => socket.destroy());
  turnedAway++;
  socket.on("close", () => turnedAway--);
  socket.resume();
  socket.end(answer);
  setTimeout(() => socket.destroy(), TURN_AWAY_MS).unref();
}

/** Those that are open still. */
let turnedAway = 0;
const TURNED_AWAY_MAX = 32;

/** A full house says so, instead of leaving the client without an answer (fault 19). */
export const FULL: string =
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n" +
  'proxy-status: evener; error=connection_limit_reached; details="EVENER_SATURATED"\r\n\r\n';

const HINT = "This port speaks HTTPS; write https:// in the URL.\n";
/** To plain HTTP on a TLS listener, in plain: its sender can read nothing else. */
export const PLAIN_HTTP: string =
  `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: ${HINT.length}\r\n` +
  "connection: close\r\n" +
  `proxy-status: evener; error=http_request_error; details="EVENER_BAD_REQUEST"\r\n\r\n${HINT}`;

/** For an answer to leave, and its reader to close. */
const TURN_AWAY_MS = 500;
