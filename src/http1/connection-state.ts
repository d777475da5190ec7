/**
 * head: between requests or in a head. body: its body comes in. answer: all read, being answered. discard:
 * answered before its body was read. tunnel: handed over. linger: answered for the last time, waiting for the
 * client to close.
 */
export type ConnectionState = "head" | "body" | "answer" | "discard" | "tunnel" | "linger" | "closed";
