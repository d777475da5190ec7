"""A client of Evener's task listener, on the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from .errors import EvenerError, ServerUnreachable, TaskRefused

__all__ = ["Client"]

Json = Dict[str, Any]


class Client:
    """Submits tasks to a running Evener, and asks after them.

    ``url`` is that of its task listener, ``http://HOST:PORT``; ``token`` its ``tasks.token``, or ``EVENER_TOKEN`` of the
    environment. Safe to be used by several threads. Raises :class:`TaskRefused` with the code of the answer, and
    :class:`ServerUnreachable` where nobody answers.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:9902",
        token: Optional[str] = None,
        *,
        timeout_s: float = 90.0,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"url is {url!r}; write http://HOST:PORT of the task listener")
        self.url = url.rstrip("/")
        self._token = token if token is not None else os.environ.get("EVENER_TOKEN")
        self._timeout_s = timeout_s

    def submit(
        self,
        *,
        command: Optional[Sequence[str]] = None,
        loop: Optional[str] = None,
        payload: Optional[bytes] = None,
        **fields: Any,
    ) -> str:
        """Submit one task and return its id. ``fields`` are those of the API, such as ``idempotent=True``."""
        return self.submit_many([self.task(command=command, loop=loop, payload=payload, **fields)])[0]

    def submit_many(self, tasks: Sequence[Mapping[str, Any]]) -> List[str]:
        """Submit tasks as :meth:`task` makes them, all or none; the ids in their order."""
        answer = self._ask("POST", "/v1/tasks", list(tasks))
        return [task["id"] for task in answer["tasks"]]

    @staticmethod
    def task(
        *,
        command: Optional[Sequence[str]] = None,
        loop: Optional[str] = None,
        payload: Optional[bytes] = None,
        **fields: Any,
    ) -> Json:
        """A task as the API takes it; the payload is bytes here."""
        task: Json = dict(fields)
        if command is not None:
            task["command"] = list(command)
        if loop is not None:
            task["loop"] = loop
        if payload is not None:
            task["payload"] = base64.b64encode(payload).decode("ascii")
        return task

    def get(self, task_id: str) -> Json:
        """How a task is."""
        return self._ask("GET", f"/v1/tasks/{_quoted(task_id)}")

    def result(self, task_id: str, *, wait_s: float = 0.0) -> Optional[bytes]:
        """What it gave back; ``None`` when it has not ended within ``wait_s``."""
        left_s = wait_s
        while True:
            asked_s = int(min(left_s, _WAIT_S_MAX))
            status, body = self._send("GET", f"/v1/tasks/{_quoted(task_id)}/result?wait_s={asked_s}")
            if status != 202:
                return body
            left_s -= asked_s
            if left_s < 1:
                return None

    def cancel(self, task_id: str) -> Json:
        """End it, wherever it is."""
        return self._ask("DELETE", f"/v1/tasks/{_quoted(task_id)}")

    def redrive(self, task_id: str) -> Json:
        """Begin one anew that has ended badly."""
        return self._ask("POST", f"/v1/tasks/{_quoted(task_id)}/redrive", {})

    def find(self, **query: Union[str, int]) -> List[Json]:
        """Tasks by ``external_id``, ``state``, ``tenant``; the newest first, up to ``max``."""
        return list(self._ask("GET", f"/v1/tasks?{urllib.parse.urlencode(query)}")["tasks"])

    def workers(self) -> List[Json]:
        """Who is there, and what runs where."""
        return list(self._ask("GET", "/v1/workers")["workers"])

    def cursor(self) -> int:
        """The newest event's cursor: what comes behind it is still to happen."""
        return int(self._ask("GET", "/v1/queue")["cursor"])

    def events(self, cursor: int = 0, *, wait_s: int = 30) -> Iterator[Json]:
        """Events behind ``cursor``, for ever, in the order in which they became durable."""
        while True:
            answer = self._ask("GET", f"/v1/events?cursor={cursor}&wait_s={wait_s}&max=1000")
            cursor = answer["cursor"]
            yield from answer["events"]

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        _, answer = self._send(method, path, body)
        return json.loads(answer)

    def _send(self, method: str, path: str, body: Any = None) -> "tuple[int, bytes]":
        headers = {} if self._token is None else {"authorization": f"Bearer {self._token}"}
        data = None
        if body is not None:
            data = json.dumps(body).encode("utf-8")
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except (urllib.error.URLError, OSError) as error:
            raise ServerUnreachable(f"{self.url}: nobody answers ({error}); is it the task listener?") from error


def _refusal(error: urllib.error.HTTPError) -> EvenerError:
    try:
        told = json.loads(error.read())["error"]
        return TaskRefused(str(told["message"]), code=str(told["code"]), status=error.code)
    except (ValueError, KeyError, TypeError):
        return TaskRefused(f"status {error.code}", code="", status=error.code)


def _quoted(task_id: str) -> str:
    return urllib.parse.quote(task_id, safe="")


_WAIT_S_MAX = 60
