// The Python client and its executor, against a real dispatcher and a real agent.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { it } from "node:test";
import { promisify } from "node:util";
import { taskScene } from "../fixtures/task-scene.ts";

const PROGRAM = `
import math, operator, sys, time
from concurrent.futures import CancelledError, as_completed, wait
from evener import Client, Executor, TaskEnded, TaskRefused

client = Client(sys.argv[1])
with Executor(client, idempotent=True) as executor:
    assert executor.submit(pow, 2, 5).result(20) == 32
    assert list(executor.map(math.sqrt, [1, 4, 9])) == [1.0, 2.0, 3.0]
    error = executor.submit(operator.truediv, 1, 0).exception(20)
    assert isinstance(error, ZeroDivisionError), error
    assert "truediv" in str(error.__cause__) or "ZeroDivisionError" in str(error.__cause__)
    sleepers = [executor.submit(time.sleep, 1) for _ in range(6)]
    time.sleep(0.3)
    assert sleepers[-1].cancel()
    assert sleepers[-1].cancelled()
    wait(sleepers[:-1], 20)
    assert client.get(sleepers[-1].task_id)["state"] == "cancelled"
try:
    executor.submit(pow, 1, 1)
    raise SystemExit("it was shut down")
except RuntimeError:
    pass
task = client.submit(command=["sh", "-c", "echo $EVENER_TASK_NAME"], name="named")
assert client.result(task, wait_s=20) == b"named\\n"
try:
    client.submit(command=[])
    raise SystemExit("an empty command")
except TaskRefused as refused:
    assert refused.code == "EVENER_BAD_VALUE" and refused.status == 400, refused
kinds = [event["kind"] for event, _ in zip(client.events(), range(3))]
assert kinds == ["submitted", "leased", "succeeded"], kinds
print("all well")
`;

it("Python submits, waits, cancels and hears exceptions", async (t) => {
  process.env.PYTHONPATH = join(process.cwd(), "python");
  const scene = await taskScene(t);
  scene.agent({ slots: 2 });
  const { stdout } = await promisify(execFile)("python3", ["-B", "-c", PROGRAM, scene.url()], {
    timeout: 60_000,
  });
  assert.equal(stdout, "all well\n");
});
