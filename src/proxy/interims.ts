// Hot path: two flags a request; texts are made only where there is something to say.
import type { ResponseHead } from "../http1/head.ts";
import type { ServerConnection } from "../http1/server.ts";
import { statusLine } from "../http1/writer.ts";
import type { Admission } from "./admit.ts";
import { interimLines } from "./forwarding.ts";

/** What goes to the client before its answer: interim responses of the backend, and a 100 of our own. */
export class Interims {
  readonly #connection: ServerConnection;
  /** A 100 has gone to the client, ours or a backend's. */
  hasContinued = false;
  /** Another one has: it was one of the backend that answers, so there is no way back to others. */
  hasPassed = false;

  constructor(connection: ServerConnection) {
    this.#connection = connection;
  }

  reset(): void {
    this.hasContinued = false;
    this.hasPassed = false;
  }

  /** The body is wanted before a backend is chosen: asks a client that waits with it, once. */
  askForBody(request: { readonly expectsContinue: boolean }): void {
    if (!request.expectsContinue || this.hasContinued) return;
    this.hasContinued = true;
    this.#connection.write(`${statusLine(100)}\r\n`);
  }

  /** An interim response of the backend. */
  pass(head: ResponseHead, { isOldClient, expectsContinue }: Admission): void {
    if (isOldClient) return;
    // A 100 that nobody waits for, or that we have sent ourselves, ends here.
    if (head.status === 100 && (this.hasContinued || !expectsContinue)) return;
    if (head.status === 100) this.hasContinued = true;
    else this.hasPassed = true;
    this.#connection.write(`${interimLines(head)}\r\n`);
  }
}
