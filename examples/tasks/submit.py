"""Sends work to the agents of examples/tasks/evener.yaml, and waits for it.

Three terminals, from the root of the clone:

    npm run -s evener -- serve examples/tasks/evener.yaml
    PYTHONPATH=python npm run -s evener -- agent --server http://127.0.0.1:9902 --slots 2
    PYTHONPATH=python python3 examples/tasks/submit.py
"""

import math
import time
from concurrent.futures import as_completed

from evener import Client, Executor

client = Client("http://127.0.0.1:9902")

task = client.submit(command=["sh", "-c", "echo hello from $EVENER_TASK_NAME"], name="greeting")
print((client.result(task, wait_s=60) or b"nobody has run it: is an agent connected?").decode().strip())

with Executor(client, idempotent=True) as executor:
    began = time.monotonic()
    futures = {executor.submit(math.factorial, n): n for n in range(1, 21)}
    for future in as_completed(futures, timeout=60):
        print(f"{futures[future]:>3}! = {future.result()}")
    print(f"20 calls in {time.monotonic() - began:.2f} s")

for worker in client.workers():
    print(f"{worker['worker']}: {worker['free_slots']} of {worker['slots']} slots are free")
