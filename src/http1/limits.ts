/** What one HTTP/1.1 message may cost before it is refused; the unit is in each name. */
export interface Http1Limits {
  /** Field lines of one head, their line ends included; beyond it 431 (502 for a response). */
  readonly headerBytesMax: number;
  /** Field lines of one head (and of one trailer section); beyond it 431 (502 for a response). */
  readonly headerCountMax: number;
  /** The request target; beyond it 414. RFC 9112 section 3 asks for at least 8000. */
  readonly uriBytesMax: number;
  /** All chunk extensions of one message together (CVE-2024-22019); beyond it 400. */
  readonly chunkExtensionBytesMax: number;
  /** The trailer section of one message; beyond it 431. */
  readonly trailerBytesMax: number;
}

export const DEFAULT_LIMITS: Http1Limits = {
  headerBytesMax: 64 * 1024,
  headerCountMax: 128,
  uriBytesMax: 16 * 1024,
  chunkExtensionBytesMax: 4 * 1024,
  trailerBytesMax: 8 * 1024,
};

/** Longest method token that is read, bytes; a longer one can not be one that we serve (501). */
export const METHOD_BYTES_MAX = 32;
/** Longest reason phrase of a response, bytes. */
export const REASON_BYTES_MAX = 1024;
/** Empty lines that are ignored before a request line (RFC 9112 section 2.2). */
export const EMPTY_LINES_MAX = 2;
/** Options that all Connection lines of one head may name; each costs the forwarder a scan of the fields. */
export const CONNECTION_OPTIONS_MAX = 32;
/** Bytes of answers that wait for a slow client, beyond which its next request waits: a drain follows. */
export const UNREAD_BYTES_MAX: number = 64 * 1024;
