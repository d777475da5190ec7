// Hot path: one table load per byte. Each table has 256 entries, 0 = the byte is not of the class.

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const QUESTION = 0x3f;
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const UNDERSCORE = 0x5f;

const DIGITS = "0123456789";
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `tchar` of RFC 9110 section 5.6.2: methods, field names, list tokens. */
export const TOKEN: Uint8Array = tableOf(`!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`);

/** Bytes inside a field value (RFC 9110 section 5.5): HTAB, SP, visible ASCII, obs-text. */
export const FIELD_VALUE: Uint8Array = rangeTable(0x20, 0x7e, `\t${latin1Range(0x80, 0xff)}`, "");

/**
 * Bytes of a request target up to the first "?". Wider than RFC 3986 by the bytes that browsers send
 * unescaped (`[ ] ^ { | }` and the backtick); `\` is refused because some servers read it as a "/".
 */
export const TARGET_PATH: Uint8Array = rangeTable(0x21, 0x7e, "", '?#"<>\\');

/** Bytes of a request target after the first "?". */
export const TARGET_QUERY: Uint8Array = rangeTable(0x21, 0x7e, "", '#"<>');

/** Bytes of a host name as we accept it: no sub-delims, no percent (narrower than RFC 3986, on purpose). */
export const HOST_NAME: Uint8Array = tableOf(`-._~${DIGITS}${LETTERS}`);

/** Bytes between the brackets of an IPv6 literal. */
export const HOST_IPV6: Uint8Array = tableOf(`:.${DIGITS}abcdefABCDEF`);

/** Value + 1 of a hexadecimal digit (so that 0 stays "not a digit"). */
export const HEX_DIGIT: Uint8Array = hexTable();

function tableOf(members: string): Uint8Array {
  const table = new Uint8Array(256);
  for (let i = 0; i < members.length; i++) table[members.charCodeAt(i)] = 1;
  return table;
}

function rangeTable(from: number, to: number, plus: string, minus: string): Uint8Array {
  const table = tableOf(latin1Range(from, to) + plus);
  for (let i = 0; i < minus.length; i++) table[minus.charCodeAt(i)] = 0;
  return table;
}

function latin1Range(from: number, to: number): string {
  let text = "";
  for (let code = from; code <= to; code++) text += String.fromCharCode(code);
  return text;
}

function hexTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let value = 0; value < 16; value++) {
    const digit = value.toString(16);
    table[digit.charCodeAt(0)] = value + 1;
    table[digit.toUpperCase().charCodeAt(0)] = value + 1;
  }
  return table;
}
