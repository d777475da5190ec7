"""A ``concurrent.futures.Executor`` whose workers are Evener's agents."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import Executor as _BaseExecutor
from concurrent.futures import Future
from typing import Any, Callable, Dict, Optional, TypeVar

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
    """

    def __init__(self, client: Optional[Client] = None, **fields: Any) -> None:
        self._client = client if client is not None else Client()
        self._fields = fields
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._open: Dict[str, "Future[Any]"] = {}
        self._is_shut_down = False
        # What happens from now on is what is waited for.
        self._cursor = self._client.cursor()
        self._listener = threading.Thread(target=self._listen, name="evener executor", daemon=True)
        self._listener.start()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Schedule ``fn(*args, **kwargs)``."""
        return self.submit_with({}, fn, *args, **kwargs)

    def submit_with(self, fields: Dict[str, Any], fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """The same with fields of the task, such as ``{"priority": 9}``."""
        payload = _pickler.dumps((fn, args, kwargs))
        name = getattr(fn, "__qualname__", type(fn).__name__)
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("cannot schedule new futures after shutdown")
        future: "Future[T]" = _TaskFuture(self._client)
        task = {"name": name[:256], **self._fields, **fields}
        task_id = self._client.submit(loop="python", payload=payload, **task)
        future.task_id = task_id  # type: ignore[attr-defined]
        with self._changed:
            self._open[task_id] = future
            self._changed.notify_all()
        # It may have ended before anybody listened for it.
        self._settle_if_ended(task_id)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls; with ``wait`` until those that are open have ended."""
        with self._changed:
            self._is_shut_down = True
            futures = list(self._open.values())
            self._changed.notify_all()
        if cancel_futures:
            for future in futures:
                future.cancel()
        if wait:
            with self._changed:
                self._changed.wait_for(lambda: not self._open)

    def _listen(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._open or self._is_shut_down)
                if not self._open:
                    return
            try:
                answer = self._client._ask("GET", f"/v1/events?cursor={self._cursor}&wait_s=10&max=1000")
            except EvenerError:
                # The server is away: tasks go on, and so does the wait.
                threading.Event().wait(1.0)
                continue
            for event in answer["events"]:
                if event["kind"] == "leased":
                    self._began(event["task"])
                elif event["kind"] in _ENDS:
                    self._settle_if_ended(event["task"])
            self._cursor = answer["cursor"]

    def _began(self, task_id: str) -> None:
        with self._lock:
            future = self._open.get(task_id)
        if isinstance(future, _TaskFuture):
            future.began()

    def _settle_if_ended(self, task_id: str) -> None:
        with self._lock:
            future = self._open.get(task_id)
        if future is None:
            return
        state = self._client.get(task_id)
        if state["state"] not in _ENDS:
            return
        result = self._client.result(task_id) or b""
        with self._changed:
            if self._open.pop(task_id, None) is None:
                return
            self._changed.notify_all()
        _settle(future, state, result)


class _TaskFuture(Future):  # type: ignore[type-arg]
    """Cancelling reaches the task while it waits; one that runs can not be cancelled, as the protocol of futures says."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client
        self.task_id: Optional[str] = None
        self._state_lock = threading.Lock()

    def began(self) -> None:
        with self._state_lock:
            if not self.running() and not self.done():
                self.set_running_or_notify_cancel()

    def cancel(self) -> bool:
        with self._state_lock:
            if not super().cancel():
                return False
        if self.task_id is not None:
            try:
                self._client.cancel(self.task_id)
            except EvenerError:
                pass
        return True


def _settle(future: "Future[Any]", task: Dict[str, Any], result: bytes) -> None:
    if isinstance(future, _TaskFuture):
        future.began()
    if future.cancelled() or future.done():
        return
    try:
        if task["state"] == "succeeded":
            future.set_result(pickle.loads(result))
            return
        future.set_exception(_exception_of(task, result))
    except Exception as error:  # noqa: BLE001 - a result that can not be unpickled is the future's failure
        future.set_exception(error)


def _exception_of(task: Dict[str, Any], result: bytes) -> BaseException:
    if task["state"] == "failed" and result:
        error, text = pickle.loads(result)
        if isinstance(error, BaseException):
            error.__cause__ = _RemoteTraceback(text)
            return error
    return TaskEnded(f"task {task['id']} ended as {task['state']}: {task['reason']}")


class _RemoteTraceback(Exception):
    """Where it was raised, on its agent; as concurrent.futures.process shows it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


_ENDS = {"succeeded", "failed", "cancelled", "expired", "skipped", "worker_lost", "quarantined"}
