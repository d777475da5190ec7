// What every store of tasks does, whatever it keeps them in.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Write } from "../../src/core/tasks/write.ts";
import type { TaskStore } from "../../src/store/store.ts";
import { eventAt, taskOf } from "../fixtures/tasks.ts";
import { change, DAY_MS, submit } from "./conformance-writes.ts";

/** Runs the suite; `open` gives an empty store. */
export function conforms(name: string, open: () => Promise<TaskStore>): void {
  describe(`${name}: a store of tasks`, () => {
    const using = async (act: (store: TaskStore) => Promise<void>): Promise<void> => {
      const store = await open();
      try {
        await act(store);
      } finally {
        await store.close();
      }
    };

    it("gives back what was submitted", () =>
      using(async (store) => {
        const spec = {
          externalId: "dag/7",
          labels: { zone: "a" },
          resources: { gpu: 1, mem: 2 ** 33 },
          name: "é",
        };
        const task = taskOf("01", spec, { readyAtMs: 5, state: "delayed" });
        const payload = Uint8Array.of(0, 255, 10);
        assert.deepEqual(await store.commit([submit(task, payload)]), [{ kind: "done", cursor: 1 }]);
        assert.deepEqual(await store.task("01"), task);
        assert.deepEqual(Buffer.from((await store.payloads(["01", "02"])).get("01")!), Buffer.from(payload));
        assert.equal(await store.task("02"), null);
        assert.deepEqual(await store.find({ externalId: "dag/7", recordsMax: 5 }), [task]);
      }));

    it("changes only what is as expected, and says how it is", () =>
      using(async (store) => {
        await store.commit([submit(taskOf("01"))]);
        const leased = { state: "leased" as const, fence: 1, attempt: 1, worker: "w", startedAtMs: 7 };
        const [first, second, third, none] = await store.commit([
          change("01", ["queued"], leased, 0),
          change("01", ["queued"], leased, 0),
          change("01", ["leased"], { state: "succeeded", endedAtMs: 9 }, 7),
          change("02", ["queued"], leased),
        ]);
        assert.equal(first!.kind, "done");
        assert.deepEqual(second, { kind: "stale", record: { ...taskOf("01"), ...leased } });
        assert.equal(third!.kind, "stale");
        assert.deepEqual(none, { kind: "stale", record: null });
        await store.commit([
          {
            ...change("01", ["leased"], { state: "succeeded", endedAtMs: 9 }, 1),
            result: Uint8Array.of(1),
          } as Write,
        ]);
        assert.deepEqual([...(await store.result("01"))!], [1]);
        assert.equal((await store.task("01"))!.endedAtMs, 9);
        assert.deepEqual(await store.unfinished(null, 9), []);
      }));

    it("takes an idempotency key once for its time, per tenant", () =>
      using(async (store) => {
        const at = (id: string, submittedAtMs: number, tenant = "t"): Write =>
          submit(taskOf(id, { idempotencyKey: "k", tenant }, { submittedAtMs }));
        const outcomes = await store.commit([at("01", 0), at("02", 1), at("03", 1, "other")]);
        assert.deepEqual(
          outcomes.map(({ kind }) => kind),
          ["done", "duplicate", "done"],
        );
        assert.deepEqual(await store.commit([at("04", DAY_MS - 1)]), [{ kind: "duplicate", id: "01" }]);
        assert.equal((await store.commit([at("05", DAY_MS)]))[0]!.kind, "done");
        assert.equal(await store.task("02"), null);
      }));

    it("takes an id once: a write that comes again is a duplicate of itself", () =>
      using(async (store) => {
        const again = submit(taskOf("01", { idempotencyKey: "k" }), Uint8Array.of(1));
        await store.commit([again]);
        assert.deepEqual(await store.commit([submit(taskOf("01")), again]), [
          { kind: "duplicate", id: "01" },
          { kind: "duplicate", id: "01" },
        ]);
        assert.equal(await store.lastCursor(), 1);
      }));

    it("keeps any text and any bytes", () =>
      using(async (store) => {
        const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
        const odd = taskOf("01", { name: "a\0b \uD800 'c' \\ {}", tenant: "t\0" });
        await store.commit([
          submit(odd, bytes.subarray(3, 69_999)),
          submit(taskOf("02"), new Uint8Array(0)),
          { ...change("02", ["queued"], { state: "failed", reason: "x\0y" }), result: bytes } as Write,
        ]);
        assert.deepEqual(await store.task("01"), odd);
        const payloads = await store.payloads(["01", "02"]);
        assert.deepEqual(Buffer.from(payloads.get("01")!), Buffer.from(bytes.subarray(3, 69_999)));
        assert.equal(payloads.get("02")!.length, 0);
        assert.deepEqual(Buffer.from((await store.result("02"))!), Buffer.from(bytes));
        assert.match((await store.task("02"))!.reason!, /^x.y$/su);
      }));

    it("replaces a result, and takes it away", () =>
      using(async (store) => {
        await store.commit([submit(taskOf("01"))]);
        const ended = (result: Uint8Array | null): Write =>
          ({ ...change("01", ["queued"], { state: "queued" }), result }) as Write;
        await store.commit([ended(Uint8Array.of(1)), ended(Uint8Array.of(2))]);
        assert.deepEqual([...(await store.result("01"))!], [2]);
        await store.commit([change("01", ["queued"], { attempt: 2 })]);
        assert.deepEqual([...(await store.result("01"))!], [2]);
        await store.commit([ended(null)]);
        assert.equal(await store.result("01"), null);
      }));

    it("writes several times to one task in one commit, each upon the one before", () =>
      using(async (store) => {
        const outcomes = await store.commit([
          submit(taskOf("01")),
          change("01", ["queued"], { state: "leased", fence: 1 }, 0),
          change("01", ["leased"], { state: "queued", worker: "w" }, 1),
          change("01", ["queued"], { state: "leased", fence: 2, worker: null }, 1),
          change("01", ["leased"], { state: "succeeded", endedAtMs: 5 }, 1),
          change("01", ["suspect", "leased"], { state: "succeeded", endedAtMs: 6, exitCode: 0 }, 2),
        ]);
        assert.deepEqual(
          outcomes.map((outcome) => (outcome.kind === "done" ? outcome.cursor : outcome.kind)),
          [1, 2, 3, 4, "stale", 5],
        );
        const ended = { state: "succeeded", fence: 2, endedAtMs: 6, exitCode: 0 } as const;
        assert.deepEqual(await store.task("01"), { ...taskOf("01"), ...ended });
      }));

    it("tells each commit its own outcomes, in the order in which they came", () =>
      using(async (store) => {
        const told: number[] = [];
        const commits = Array.from({ length: 40 }, async (_, i) => {
          const id = String(i).padStart(2, "0");
          const writes = Array.from({ length: i % 4 }, () => change(id, ["queued"], { attempt: i }));
          const outcomes = await store.commit([
            submit(taskOf(id)),
            ...writes,
            change("none", ["queued"], {}),
          ]);
          told.push(i);
          assert.equal(outcomes.length, 2 + (i % 4));
          assert.deepEqual(outcomes.at(-1), { kind: "stale", record: null });
          return outcomes.flatMap((outcome) => (outcome.kind === "done" ? [outcome.cursor] : []));
        });
        const cursors = (await Promise.all(commits)).flat();
        assert.deepEqual(
          cursors,
          cursors.map((_, i) => i + 1),
        );
        assert.deepEqual(
          told,
          told.map((_, i) => i),
        );
      }));

    it("finishes what came before its close", async () => {
      const store = await open();
      const commits = ["01", "02", "03"].map((id) => store.commit([submit(taskOf(id))]));
      await store.close();
      assert.equal(
        (await Promise.all(commits)).flat().every(({ kind }) => kind === "done"),
        true,
      );
    });

    it("orders events without a gap, over all commits", () =>
      using(async (store) => {
        const ids = Array.from({ length: 30 }, (_, i) => String(i).padStart(3, "0"));
        await Promise.all(
          ids.map((id) => store.commit([submit(taskOf(id)), change(id, ["queued"], { state: "leased" })])),
        );
        const events = await store.events(0, 1_000);
        assert.deepEqual(
          events.map(({ cursor }) => cursor),
          Array.from({ length: 60 }, (_, i) => i + 1),
        );
        assert.equal(await store.lastCursor(), 60);
        const [submitted, changed] = await store.events(0, 9, "007");
        assert.deepEqual([submitted!.kind, changed!.kind, submitted!.taskId], ["submitted", "ready", "007"]);
        assert.deepEqual(
          (await store.events(58, 9)).map(({ cursor }) => cursor),
          [59, 60],
        );
      }));

    it("keeps evidence beside the task, and changes nothing", () =>
      using(async (store) => {
        await store.commit([submit(taskOf("01"))]);
        const note = {
          do: "note" as const,
          id: "01",
          event: eventAt("late_result"),
          evidence: Uint8Array.of(9),
        };
        await store.commit([note]);
        assert.deepEqual([...(await store.events(1, 1))[0]!.evidence!], [9]);
        assert.equal((await store.task("01"))!.state, "queued");
        assert.deepEqual(await store.commit([{ ...note, id: "none" }]), [{ kind: "stale", record: null }]);
      }));

    it("pages through what has not ended, and through what is found", () =>
      using(async (store) => {
        const ids = Array.from({ length: 10 }, (_, i) => `0${i}`);
        await store.commit(ids.map((id) => submit(taskOf(id))));
        await store.commit([change("03", ["queued"], { state: "failed", endedAtMs: 1 })]);
        const first = await store.unfinished(null, 4);
        assert.deepEqual(
          first.map(({ id }) => id),
          ["00", "01", "02", "04"],
        );
        assert.equal((await store.unfinished("04", 99)).length, 5);
        assert.deepEqual(
          (await store.find({ beforeId: "05", recordsMax: 2 })).map(({ id }) => id),
          ["04", "03"],
        );
        assert.deepEqual(
          (await store.find({ state: "failed", tenant: "default", recordsMax: 2 })).map(({ id }) => id),
          ["03"],
        );
      }));

    it("remembers by name", () =>
      using(async (store) => {
        assert.equal(await store.memory("durations"), null);
        await store.commit([{ do: "remember", name: "durations", bytes: Uint8Array.of(1) }]);
        await store.commit([{ do: "remember", name: "durations", bytes: Uint8Array.of(2, 3) }]);
        assert.deepEqual([...(await store.memory("durations"))!], [2, 3]);
      }));

    it("forgets what has ended, the oldest first, and never reuses a cursor", () =>
      using(async (store) => {
        const ids = ["01", "02", "03", "04"];
        await store.commit(ids.map((id) => submit(taskOf(id), Uint8Array.of(1))));
        await store.commit(
          ids.slice(0, 3).map((id, i) => change(id, ["queued"], { state: "succeeded", endedAtMs: 10 + i })),
        );
        assert.equal(await store.prune({ endedTasksMax: 2, endedAgeMaxMs: 1_000, nowMs: 20 }), 1);
        assert.deepEqual([await store.task("01"), (await store.events(0, 99, "01")).length], [null, 0]);
        assert.equal(await store.prune({ endedTasksMax: 9, endedAgeMaxMs: 8, nowMs: 20 }), 1);
        assert.deepEqual(
          (await store.find({ recordsMax: 9 })).map(({ id }) => id),
          ["04", "03"],
        );
        const [outcome] = await store.commit([submit(taskOf("05"))]);
        assert.deepEqual(outcome, { kind: "done", cursor: 8 });
      }));

    it("refuses what comes after its close", async () => {
      const store = await open();
      await store.commit([submit(taskOf("01"))]);
      await store.close();
      await assert.rejects(async () => store.commit([submit(taskOf("02"))]), { code: "EVENER_STORE_FAILED" });
      await store.close();
    });
  });
}
