"""A ``concurrent.futures.Executor`` whose workers are Evener's agents."""

from __future__ import annotations

import base64
import collections
import pickle
import threading
from concurrent.futures import Executor as _BaseExecutor
from concurrent.futures import Future
from typing import Any, Callable, Deque, Dict, List, Optional, TypeVar

from .client import Client
from .errors import EvenerError, TaskEnded

try:
    import cloudpickle as _pickler  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    _pickler = pickle  # type: ignore[assignment,unused-ignore]

__all__ = ["Executor"]

T = TypeVar("T")


class Executor(_BaseExecutor):
    """Runs calls on the warm Python loops of agents.

    Functions are pickled: with ``cloudpickle`` on both sides any function, else those that agents can import. Results
    are unpickled: trust your agents as you trust your own machine. ``fields`` go with each task, such as
    ``idempotent=True`` or ``resources={"gpu": 1}``; a call's own go by :meth:`submit_with`.

    Calls are sent in the background, as many together as there are; where the server refuses them, their futures
    have the error.
    """

    def __init__(self, client: Optional[Client] = None, **fields: Any) -> None:
        self._client = client if client is not None else Client()
        self._fields = fields
        self._changed = threading.Condition()
        self._unsent: Deque["_TaskFuture"] = collections.deque()
        self._sending = 0
        self._open: Dict[str, "_TaskFuture"] = {}
        # Ended before its sender has heard its id.
        self._early: Dict[str, Dict[str, Any]] = {}
        self._is_shut_down = False
        # What happens from now on is what is waited for.
        self._cursor = self._client.cursor()
        for name, run in (("sender", self._send), ("listener", self._listen)):
            threading.Thread(target=run, name=f"evener {name}", daemon=True).start()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Schedule ``fn(*args, **kwargs)``."""
        return self.submit_with({}, fn, *args, **kwargs)

    def submit_with(
        self, fields: Dict[str, Any], fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> "Future[T]":
        """The same with fields of the task, such as ``{"priority": 9}``."""
        payload = _pickler.dumps((fn, args, kwargs))
        name = str(getattr(fn, "__qualname__", type(fn).__name__))[:256]
        task = Client.task(loop="python", payload=payload, **{"name": name, **self._fields, **fields})
        future = _TaskFuture(self, task)
        with self._changed:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._unsent.append(future)
            self._changed.notify_all()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls; with ``wait`` until those that are open have ended."""
        with self._changed:
            self._is_shut_down = True
            futures = [*self._unsent, *self._open.values()]
            self._changed.notify_all()
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: not self._is_busy())

    def _is_busy(self) -> bool:
        return bool(self._open or self._unsent or self._sending)

    def _send(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unsent or self._is_shut_down)
                if not self._unsent:
                    return
                batch = [self._unsent.popleft() for _ in range(min(len(self._unsent), _BATCH))]
                batch = [future for future in batch if not future.cancelled()]
                self._sending = len(batch)
            try:
                ids = self._client.submit_many([future.task for future in batch]) if batch else []
            except EvenerError as error:
                self._refused(batch, error)
                continue
            self._accepted(batch, ids)

    def _refused(self, batch: List["_TaskFuture"], error: EvenerError) -> None:
        with self._changed:
            self._sending = 0
            self._changed.notify_all()
        for future in batch:
            if future.begin():
                future.set_exception(error)

    def _accepted(self, batch: List["_TaskFuture"], ids: List[str]) -> None:
        early = []
        with self._changed:
            self._sending = 0
            for future, task_id in zip(batch, ids):
                future.task_id = task_id
                self._open[task_id] = future
                event = self._early.pop(task_id, None)
                if event is not None:
                    early.append(event)
            if not self._unsent:
                self._early.clear()
            self._changed.notify_all()
        for event in early:
            self._hear(event)
        for future in batch:
            # It was cancelled while it was being sent.
            if future.cancelled():
                future.cancel_task()

    def _listen(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_busy() or self._is_shut_down)
                if not self._is_busy():
                    return
            try:
                query = f"cursor={self._cursor}&wait_s=10&max=1000&results=1"
                answer = self._client._ask("GET", f"/v1/events?{query}")
            except EvenerError:
                # The server is away: tasks go on, and so does the wait.
                threading.Event().wait(1.0)
                continue
            for event in answer["events"]:
                self._hear(event)
            self._cursor = answer["cursor"]

    def _hear(self, event: Dict[str, Any]) -> None:
        task_id, kind = event["task"], event["kind"]
        is_end = kind in _ENDS
        with self._changed:
            future = self._open.pop(task_id, None) if is_end else self._open.get(task_id)
            if future is None and is_end and (self._sending or self._unsent):
                self._early[task_id] = event
            if future is not None and is_end:
                self._changed.notify_all()
        if future is None:
            return
        if kind == "leased":
            future.begin()
        elif is_end and future.begin():
            self._settle(future, event)

    def _settle(self, future: "_TaskFuture", event: Dict[str, Any]) -> None:
        try:
            told = event.get("result")
            # Large ones are not told with the event.
            bytes_ = base64.b64decode(told) if told is not None else self._client.result(event["task"])
            if event["kind"] == "succeeded":
                future.set_result(pickle.loads(bytes_ or b""))
            else:
                future.set_exception(_exception_of(event, bytes_ or b""))
        except Exception as error:  # noqa: BLE001 - a result that can not be unpickled is the future's failure
            future.set_exception(error)


class _TaskFuture(Future):  # type: ignore[type-arg]
    """Cancelling reaches a task that waits; one that runs can not be cancelled, as the protocol of futures says."""

    def __init__(self, executor: Executor, task: Dict[str, Any]) -> None:
        super().__init__()
        self.task = task
        self.task_id: Optional[str] = None
        self._executor = executor
        self._begin_lock = threading.Lock()

    def begin(self) -> bool:
        """It runs now, if it did not before; false where it was cancelled or has ended."""
        with self._begin_lock:
            if self.running():
                return True
            if self.done():
                return False
            return self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        with self._begin_lock:
            if not super().cancel():
                return False
        self.cancel_task()
        return True

    def cancel_task(self) -> None:
        if self.task_id is None:
            return
        try:
            self._executor._client.cancel(self.task_id)
        except EvenerError:
            # It has ended, or nobody answers: nobody waits for it any more, either way.
            pass


def _exception_of(event: Dict[str, Any], result: bytes) -> BaseException:
    if event["kind"] == "failed" and result:
        error, text = pickle.loads(result)
        if isinstance(error, BaseException):
            error.__cause__ = _RemoteTraceback(text)
            return error
    return TaskEnded(f"task {event['task']} ended as {event['kind']}: {event['detail']}")


class _RemoteTraceback(Exception):
    """Where it was raised, on its agent; as concurrent.futures.process shows it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


_BATCH = 500
_ENDS = {"succeeded", "failed", "cancelled", "expired", "skipped", "worker_lost", "quarantined"}
