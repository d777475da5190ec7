// Hot path: status lines and dates are made once and reused; a chunk head is one short string.

/** Reason phrase by status (the IANA registry). */
export const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};

/** The zero chunk, without trailers. */
export const LAST_CHUNK = "0\r\n\r\n";

/** `HTTP/1.1 200 OK` with its CRLF; `status` is 100 to 599. Our own version, whatever the peer speaks. */
export function statusLine(status: number): string {
  return STATUS_LINES[status] ?? `HTTP/1.1 ${status} \r\n`;
}

/** What stands before the data of a chunk of `length` bytes (> 0; 0 would end the body). */
export function chunkHead(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** IMF-fixdate of the wall clock `nowMs` (since 1970); made once a second. */
export function httpDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}

/** `text` as a field value: what is not visible ASCII, space or tab becomes %XX of its UTF-8 bytes. */
export function escapeHeaderValue(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code > 0x7e) return escapeBytes(text);
  }
  return text;
}

function escapeBytes(text: string): string {
  let escaped = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const isPlain = byte === 0x09 || (byte >= 0x20 && byte <= 0x7e);
    escaped += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}

let dateSecond = -1;
let dateText = "";

const STATUS_LINES: string[] = [];
for (const [status, reason] of Object.entries(REASONS)) {
  STATUS_LINES[Number(status)] = `HTTP/1.1 ${status} ${reason}\r\n`;
}
