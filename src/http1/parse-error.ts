/** Why a message was refused: the status to answer with, a stable code, and what was found. */
export interface ParseError {
  /** 4xx, 501 or 505 for a request; always 502 for a response. The connection closes afterwards. */
  readonly status: number;
  readonly code: string;
  readonly detail: string;
}

/** Status, code and detail of every refusal as a request gets it. */
export const REFUSALS = {
  emptyLines: [400, "HTTP_EMPTY_LINES", "too many empty lines before the request line"],
  badMethod: [400, "HTTP_BAD_METHOD", "the method is not a token followed by one space"],
  longMethod: [501, "HTTP_LONG_METHOD", "the method is longer than any that is served"],
  badTarget: [400, "HTTP_BAD_TARGET", "the request target has a byte that is not allowed there"],
  badTargetForm: [400, "HTTP_BAD_TARGET_FORM", "the form of the request target does not fit"],
  badAuthority: [400, "HTTP_BAD_AUTHORITY", "the authority of the request target is not valid"],
  longTarget: [414, "HTTP_LONG_TARGET", "the request target is too long"],
  badVersion: [400, "HTTP_BAD_VERSION", "the start line does not end in one HTTP version"],
  otherVersion: [505, "HTTP_OTHER_VERSION", "the major version is not HTTP/1"],
  badStatusLine: [400, "HTTP_BAD_STATUS_LINE", "the status line is not valid"],
  bareLineFeed: [400, "HTTP_BARE_LF", "a line ends in LF without CR"],
  bareReturn: [400, "HTTP_BARE_CR", "a CR is not followed by LF"],
  foldedLine: [400, "HTTP_FOLDED_LINE", "a line begins with a space or a tab"],
  emptyName: [400, "HTTP_EMPTY_NAME", "a field has no name"],
  badName: [400, "HTTP_BAD_NAME", "a field name has a byte that is not allowed there"],
  spaceBeforeColon: [400, "HTTP_SPACE_BEFORE_COLON", "there is a space before the colon of a field"],
  deceptiveName: [400, "HTTP_DECEPTIVE_NAME", "a field name imitates another one"],
  badValue: [400, "HTTP_BAD_VALUE", "a field value has a byte that is not allowed there"],
  manyFields: [431, "HTTP_MANY_FIELDS", "there are too many fields"],
  longFields: [431, "HTTP_LONG_FIELDS", "the fields are too long"],
  noHost: [400, "HTTP_NO_HOST", "the Host field is missing"],
  manyHosts: [400, "HTTP_MANY_HOSTS", "there is more than one Host field"],
  badHost: [400, "HTTP_BAD_HOST", "the Host field is not a host with an optional port"],
  badLength: [400, "HTTP_BAD_LENGTH", "Content-Length is not one decimal number"],
  manyLengths: [400, "HTTP_MANY_LENGTHS", "there is more than one Content-Length"],
  lengthAndCoding: [400, "HTTP_LENGTH_AND_CODING", "both Content-Length and Transfer-Encoding are set"],
  badCoding: [400, "HTTP_BAD_CODING", "Transfer-Encoding does not end in exactly one chunked"],
  otherCoding: [501, "HTTP_OTHER_CODING", "a transfer coding other than chunked is not served"],
  oldCoding: [400, "HTTP_OLD_CODING", "Transfer-Encoding in an HTTP/1.0 message"],
  badConnection: [400, "HTTP_BAD_CONNECTION", "the Connection field is not a short list of tokens"],
  otherExpectation: [417, "HTTP_OTHER_EXPECTATION", "the only expectation served is 100-continue"],
  badChunkSize: [400, "HTTP_BAD_CHUNK_SIZE", "a chunk size is not a hexadecimal number"],
  badChunkExtension: [400, "HTTP_BAD_CHUNK_EXTENSION", "a chunk extension is not valid"],
  longChunkExtensions: [400, "HTTP_LONG_CHUNK_EXTENSIONS", "the chunk extensions are too long"],
  chunkSpill: [400, "HTTP_CHUNK_SPILL", "the data of a chunk does not end where its size says"],
} as const;

/** A name in {@link REFUSALS}. */
export type RefusalName = keyof typeof REFUSALS;

/** {@link REFUSALS} as errors; built once, so that a flood of bad requests allocates nothing. */
export const PARSE_ERRORS: Readonly<Record<RefusalName, ParseError>> = parseErrors();

/** The same refusal for a message that an upstream sent: 502. */
export function asResponseError(error: ParseError): ParseError {
  return AS_RESPONSE.get(error) ?? error;
}

/** The head of a request took too long. */
export const HEADER_TIMEOUT: ParseError = {
  status: 408,
  code: "HTTP_HEADER_TIMEOUT",
  detail: "the head of the request did not arrive in time",
};

function parseErrors(): Record<RefusalName, ParseError> {
  const errors: Partial<Record<RefusalName, ParseError>> = {};
  for (const [name, [status, code, detail]] of Object.entries(REFUSALS)) {
    errors[name as RefusalName] = Object.freeze({ status, code, detail });
  }
  return errors as Record<RefusalName, ParseError>;
}

const AS_RESPONSE = new Map<ParseError, ParseError>(
  Object.values(PARSE_ERRORS).map((error) => [error, Object.freeze({ ...error, status: 502 })]),
);
