import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseConfig } from "../../../src/config/load.ts";
import type { ListenerConfig } from "../../../src/config/config.ts";
import { EvenerError } from "../../../src/errors.ts";
import { addressText } from "../../../src/http1/address.ts";
import type { Adoption } from "../../../src/planes/adoptions.ts";
import type { ThreadRequest } from "../../../src/planes/messages.ts";
import type { ThreadHandle } from "../../../src/planes/thread-handle.ts";
import { ThreadListeners } from "../../../src/planes/thread-listeners.ts";
import type { ListenerSpec } from "../../../src/proxy/listener.ts";

/** A thread that opens nothing but what it is given; `refuses`: opening another socket fails. */
class FakeThread {
  readonly number: number;
  refuses = false;
  specs: readonly ListenerSpec[] = [];
  readonly #open: Set<string> = new Set();

  constructor(number: number) {
    this.number = number;
  }

  ask(request: ThreadRequest): Promise<unknown> {
    if (request.do !== "listen") throw new Error(`asked to ${request.do}`);
    for (const spec of request.listeners) {
      const isNew = !this.#open.has(addressText(spec));
      if (isNew && spec.adopted === undefined && this.refuses) {
        return Promise.reject(new EvenerError("EVENER_LISTEN_FAILED", addressText(spec)));
      }
      this.#open.add(addressText(spec));
    }
    this.specs = request.listeners;
    return Promise.resolve(request.listeners);
  }
}

function listenersOf(...binds: string[]): readonly ListenerConfig[] {
  const text = JSON.stringify({
    listeners: binds.map((bind) => ({ bind })),
    backends: ["http://127.0.0.1:1"],
  });
  return parseConfig(text, { path: "x", env: {}, readFile: () => "" }).listeners;
}

function adoption(port: number, ...descriptors: number[]): Adoption {
  return { descriptors, ownsFile: false, port };
}

function hall(count: number): {
  threads: FakeThread[];
  listeners: ThreadListeners;
  deaf: unknown[];
  handle: (number: number) => ThreadHandle;
} {
  const threads = Array.from({ length: count }, (_, i) => new FakeThread(i + 1));
  const deaf: unknown[] = [];
  const handle = (number: number): ThreadHandle => threads[number - 1] as unknown as ThreadHandle;
  const listeners = new ThreadListeners(
    count,
    (ask) => Promise.all(threads.map(({ number }) => ask(handle(number)))),
    (...what) => deaf.push(what),
  );
  return { threads, listeners, deaf, handle };
}

describe("sockets of another process and data threads", () => {
  it("all are accepted on, whatever the number of threads", async () => {
    for (const count of [1, 2, 3, 5]) {
      const { threads, listeners, deaf } = hall(count);
      listeners.adopt(new Map([["127.0.0.1:0", adoption(81, 7, 8, 9)]]));
      await listeners.open(listenersOf("127.0.0.1:0"));
      const given = threads.flatMap(({ specs }) => specs[0]!.adopted?.descriptors ?? []);
      assert.deepEqual(
        given.toSorted((a, b) => a - b),
        [7, 8, 9],
      );
      assert.ok(threads.every(({ specs }) => specs[0]!.port === 81));
      assert.deepEqual(deaf, []);
    }
  });

  it("a socket is given away once", async () => {
    const { threads, listeners, handle } = hall(1);
    listeners.adopt(new Map([["127.0.0.1:81", adoption(81, 7)]]));
    await listeners.open(listenersOf("127.0.0.1:81"));
    assert.deepEqual(threads[0]!.specs[0]!.adopted?.descriptors, [7]);
    listeners.forget(1);
    await listeners.ask(handle(1));
    assert.equal(threads[0]!.specs[0]!.adopted, undefined);
    assert.equal(threads[0]!.specs[0]!.port, 81);
  });

  it("threads without one are deaf where no other can be opened, and only there", async () => {
    const { threads, listeners, deaf } = hall(2);
    threads[1]!.refuses = true;
    listeners.adopt(new Map([["127.0.0.1:81", adoption(81, 7)]]));
    await listeners.open(listenersOf("127.0.0.1:81"));
    assert.deepEqual(deaf, [[2, "127.0.0.1:81", false]]);
    assert.deepEqual(threads[1]!.specs, []);
    await listeners.open(listenersOf("127.0.0.1:81"));
    assert.equal(deaf.length, 1);
  });

  it("when the last one that has it dies, that is told", async () => {
    const { threads, listeners, deaf, handle } = hall(1);
    listeners.adopt(new Map([["127.0.0.1:81", adoption(81, 7)]]));
    await listeners.open(listenersOf("127.0.0.1:81"));
    threads[0] = new FakeThread(1);
    threads[0].refuses = true;
    listeners.forget(1);
    await listeners.ask(handle(1));
    assert.deepEqual(deaf, [[1, "127.0.0.1:81", true]]);
  });

  it("a reload that fails for another listener leaves them as they are", async () => {
    const { threads, listeners, deaf } = hall(1);
    listeners.adopt(new Map([["127.0.0.1:81", adoption(81, 7)]]));
    await listeners.open(listenersOf("127.0.0.1:81"));
    threads[0]!.refuses = true;
    await assert.rejects(listeners.open(listenersOf("127.0.0.1:81", "127.0.0.1:0")), /127.0.0.1:/);
    assert.deepEqual(deaf, []);
    assert.equal(threads[0]!.specs.length, 1);
  });
});
