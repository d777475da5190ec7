import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "../../../src/http1/deadlines.ts";
import { DEFAULT_LIMITS } from "../../../src/http1/limits.ts";
import type { Transport, TransportHandler } from "../../../src/http1/transport.ts";
import { UpstreamConnection, type UpstreamListener } from "../../../src/proxy/upstream.ts";

class PausedTransport implements Transport {
  handler: TransportHandler;
  readonly remoteAddress = "";
  readonly isOpen = true;
  readonly bufferedBytes = 0;
  isPaused = false;

  constructor(handler: TransportHandler) {
    this.handler = handler;
  }

  write(): boolean {
    return true;
  }
  cork(): void {}
  uncork(): void {}
  end(): void {}
  destroy(): void {}
  reset(): void {}
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

test("a connection whose answer was complete while it was not read from is read from for the next", (t) => {
  const deadlines = new Deadlines();
  t.after(() => deadlines.close());
  const connection = new UpstreamConnection({ lost: () => {} }, DEFAULT_LIMITS, deadlines);
  const transport = new PausedTransport(connection);
  connection.connected(transport);
  let isReusable = false;
  const listener: UpstreamListener = {
    onConnected: () => {},
    onInterim: () => {},
    onResponseHead: () => {},
    onSwitched: () => {},
    onResponsePayload: () => {},
    // The client does not keep up.
    onResponseReadEnd: () => transport.pause(),
    onResponseEnd: (_connection, _trailers, isGood) => (isReusable = isGood),
    onUpstreamDrain: () => {},
    onUpstreamFailed: ({ detail }) => assert.fail(detail),
  };
  connection.attach(listener);
  connection.beginRequest("GET", null);
  connection.isRequestSent = true;
  connection.onData(Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha"));
  assert.ok(transport.isPaused);
  // TLS has decrypted more than was asked for.
  connection.onData(Buffer.from("lf"));
  assert.ok(isReusable);
  connection.park(1_000);
  assert.ok(!transport.isPaused);
});
