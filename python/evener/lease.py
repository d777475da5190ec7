"""A booking on one server, and what the balancers that hand out leases share."""

from __future__ import annotations

from types import TracebackType
from typing import Callable, Optional, TypeVar, Union

from .balancer import LoadBalancer, Slot
from .errors import UnknownServer

__all__ = ["Lease", "LeasingLoadBalancer"]


class Lease:
    """One request in flight on ``server``, until ``release()`` or the end of the ``with`` block.

    Releases exactly once: a second release changes nothing and is counted in ``dropped_releases`` of the
    balancer. A lease that is never released counts as in flight for ever, so prefer ``with``.
    """

    __slots__ = ("_end", "_is_open", "server")

    def __init__(self, server: str, end: Callable[[Lease], None]) -> None:
        self._end = end
        self._is_open = True
        #: The address to send the request to.
        self.server: str = server

    @property
    def is_open(self) -> bool:
        """Not released yet."""
        return self._is_open

    def release(self) -> None:
        """The request is over, however it ended."""
        self._end(self)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<Lease of {self.server}, {'open' if self._is_open else 'released'}>"


LeasingSlotT = TypeVar("LeasingSlotT", bound=Slot)


class LeasingLoadBalancer(LoadBalancer[LeasingSlotT]):
    """A balancer that counts what is in flight."""

    _dropped_releases = 0

    @property
    def dropped_releases(self) -> int:
        """Releases that had nothing to release: a caller's bug, harmless to the counts, which stay >= 0."""
        with self._lock:
            return self._dropped_releases

    def release(self, server: Union[str, Lease]) -> None:
        """Ends one request on ``server``, for callers that keep addresses instead of leases.

        End each lease in one way only: by its own ``release()`` or by its address. A release of a server with
        nothing in flight is dropped and counted. Raises UnknownServer; a removed server is known until its
        last request has ended.
        """
        if isinstance(server, Lease):
            server.release()
            return
        with self._lock:
            if server not in self._slots and server not in self._leaving:
                raise UnknownServer(self._unknown(server))
            self._unbook(server)

    def _book(self, slot: LeasingSlotT) -> Lease:
        """Counts a pick at once, under the lock, so that the next pick already sees it."""
        slot.picks += 1
        slot.in_flight += 1
        return Lease(slot.endpoint.address, self._end)

    def _end(self, lease: Lease) -> None:
        with self._lock:
            if lease._is_open:
                lease._is_open = False
                self._unbook(lease.server)
            else:
                self._dropped_releases += 1

    def _unbook(self, server: str) -> None:
        # By address, not by slot: a server that was removed and added again has a new slot and the old count.
        slot = self._slots.get(server) or self._leaving.get(server)
        if slot is None or slot.in_flight == 0:
            self._dropped_releases += 1
            return
        slot.in_flight -= 1
        if slot.in_flight == 0:
            self._leaving.pop(server, None)
        self._capacity_changed()
