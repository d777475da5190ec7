"""The warm loop of an agent: ``python -m evener.worker`` runs one task after the other in one process.

It reads requests from file descriptor 3 and writes replies to 4, each with four bytes of length (big endian) before it.
A request is a line of JSON, the task's environment, and the payload; a reply is one byte (0 result, 1 error, 2 progress)
and the rest. What is printed goes where prints go. It ends when descriptor 3 does: with its agent.

The payload is a pickled ``(function, args, kwargs)``; the result is the pickled value, or the pickled exception with its
traceback as text. Whoever may submit tasks may run code here: the agent's server needs a token beyond loopback.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import sys
import traceback
from typing import BinaryIO, Optional, Tuple

try:
    import cloudpickle as _pickler  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    _pickler = pickle  # type: ignore[assignment,unused-ignore]

__all__ = ["main", "progress"]

_RESULT = b"\0"
_ERROR = b"\1"
_PROGRESS = b"\2"
_requests: Optional[BinaryIO] = None
_replies: Optional[BinaryIO] = None


def progress(next_within_s: float = 10.0) -> None:
    """Tell the agent that this task is making progress, and that it will tell so again within ``next_within_s``.

    A task that has promised and does not keep it is reported as standing still; one that never promises is not.
    Outside of an agent it does nothing.
    """
    if not 0 < next_within_s <= 86_400:
        raise ValueError(f"next_within_s is {next_within_s!r}; it must be above 0, up to 86400")
    if _replies is not None:
        _reply(_PROGRESS, struct.pack(">I", int(next_within_s * 1000)))


def main() -> None:
    """Run what the agent sends until it closes its end."""
    global _requests, _replies
    _requests = os.fdopen(3, "rb")
    _replies = os.fdopen(4, "wb", buffering=0)
    # What tasks start must not hold these open: the loop would outlive its agent.
    os.set_inheritable(3, False)
    os.set_inheritable(4, False)
    while True:
        request = _read()
        if request is None:
            return
        about, payload = request
        os.environ.update(about)
        kind, result = _run(payload)
        sys.stdout.flush()
        sys.stderr.flush()
        _reply(kind, result)


def _run(payload: bytes) -> Tuple[bytes, bytes]:
    try:
        function, args, kwargs = pickle.loads(payload)
        return _RESULT, _pickler.dumps(function(*args, **kwargs))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its result
        return _ERROR, _error_bytes(error)


def _error_bytes(error: BaseException) -> bytes:
    """The exception and its traceback as text; where it can not be pickled, what it says."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        bytes_ = _pickler.dumps((error, text))
        pickle.loads(bytes_)
        return bytes_
    except Exception:  # noqa: BLE001 - any exception may refuse to be pickled
        return pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), text))


def _read() -> Optional[Tuple[dict[str, str], bytes]]:
    assert _requests is not None
    head = _requests.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    request = _requests.read(length)
    if len(request) < length:
        return None
    about, _, payload = request.partition(b"\n")
    return json.loads(about), payload


def _reply(kind: bytes, rest: bytes) -> None:
    assert _replies is not None
    message = memoryview(struct.pack(">I", len(rest) + 1) + kind + rest)
    while message:
        written = _replies.write(message)
        message = message[written:]


if __name__ == "__main__":
    # The module that tasks import is the one that runs.
    from evener.worker import main as run

    run()
