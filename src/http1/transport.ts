/** What a {@link Transport} tells its user. Never called from inside a call of a transport's method. */
export interface TransportHandler {
  /** `bytes` are valid only during the call: copy what you keep. */
  onData(bytes: Buffer): void;
  /** All that was written has left for the kernel, after a `write` that returned false. */
  onDrain(): void;
  /** The peer will send no more (FIN); writing is still possible. */
  onEnd(): void;
  /**
   * A write has failed: nothing will be written any more. True: what the peer said before it reset is still
   * wanted, and is read on; `onEnd` or `onClose` follow. Where this is absent the transport closes at once.
   * May be called inside a call of `write`.
   */
  onWriteFailed?(): boolean;
  /** Exactly once, the last call. `error` is null when the connection ended in peace or by `destroy`. */
  onClose(error: Error | null): void;
}

/** A byte stream in both directions: the seam between HTTP and sockets, TLS or a test. */
export interface Transport {
  /** Who is told; may be replaced at any time, as when a pooled connection changes hands. */
  handler: TransportHandler;
  /** Address of the peer; "" where it has none, or was gone before it could be asked. */
  readonly remoteAddress: string;
  /** Connected, neither ended nor destroyed on our side, and the peer has not ended either. */
  readonly isOpen: boolean;
  /** Bytes written that have not left for the kernel. */
  readonly bufferedBytes: number;
  /** Strings are latin1. False: above the high-water mark, wait for `onDrain`. The bytes are not copied. */
  write(data: string | Uint8Array): boolean;
  /** Holds what is written until `uncork`, to send it in one system call. */
  cork(): void;
  uncork(): void;
  /** Stops `onData` (and so the peer, by its window) until `resume`. */
  pause(): void;
  resume(): void;
  /** FIN after what is written. */
  end(): void;
  /** Closes at once; nothing but `onClose` follows. May be called any number of times. */
  destroy(): void;
  /** The same, with a reset where the transport has one: the peer must not take the end for a clean one. */
  reset(): void;
}
