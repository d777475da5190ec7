"""Every error of this package. Each says its subject, what was found and what to do about it."""

from __future__ import annotations

__all__ = [
    "DuplicateServer",
    "EvenerError",
    "InvalidOption",
    "InvalidReport",
    "InvalidServer",
    "InvalidWeight",
    "NoServerAvailable",
    "NoServers",
    "ServerUnreachable",
    "TaskEnded",
    "TaskRefused",
    "UnknownServer",
]


class EvenerError(Exception):
    """The base of all errors below: ``except EvenerError`` catches every one of them."""


class NoServerAvailable(EvenerError, RuntimeError):
    """Nothing can be picked now: all servers are down, removed or at their limit. Retry later, or wait."""


class NoServers(EvenerError, ValueError):
    """A balancer was made from an empty list."""


class DuplicateServer(EvenerError, ValueError):
    """The same address was given twice."""


class InvalidServer(EvenerError, ValueError):
    """A server is not an address, an ``(address, weight)`` pair or an ``Endpoint``; or its limit is wrong."""


class InvalidWeight(InvalidServer):
    """A weight is not a finite number above zero."""


class InvalidOption(EvenerError, ValueError):
    """An argument other than a server is out of range."""


class InvalidReport(EvenerError, ValueError):
    """A reported figure is not a fraction from 0 to 1, or none was given."""


class UnknownServer(EvenerError, LookupError):
    """An address is not (or no longer) in the balancer."""


class ServerUnreachable(EvenerError, ConnectionError):
    """Nobody answers at the address of a task listener. Is it running, and is that its address?"""


class TaskRefused(EvenerError, ValueError):
    """A task listener refuses a request; ``code`` is one of its documented codes, ``status`` that of HTTP."""

    def __init__(self, message: str, *, code: str = "", status: int = 0) -> None:
        super().__init__(message if code == "" else f"{message} ({code})")
        self.code = code
        self.status = status


class TaskEnded(EvenerError, RuntimeError):
    """A task has ended without a result: it was cancelled, its worker was lost, it was put aside, ..."""
