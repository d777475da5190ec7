"""What all balancers share: the servers, their weights, whether they are up, one lock, a snapshot."""

from __future__ import annotations

import difflib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, Optional, TypeVar

from .endpoint import Endpoint, ServerLike, parse_server, parse_servers
from .errors import DuplicateServer, InvalidServer, NoServerAvailable, UnknownServer

__all__ = ["LoadBalancer", "ServerSnapshot", "Slot"]


@dataclass(frozen=True)
class ServerSnapshot:
    """One server as it was at the moment of ``snapshot()``."""

    address: str
    weight: float
    limit: Optional[int]
    is_up: bool
    #: How often it was picked since it was added.
    picks: int
    #: Leases that are not released yet; always 0 for round robin, which counts none.
    in_flight: int


class Slot:
    """What a balancer keeps about one server. Guarded by the balancer's lock."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.is_up = True
        self.picks = 0
        self.in_flight = 0


SlotT = TypeVar("SlotT", bound=Slot)


class LoadBalancer(ABC, Generic[SlotT]):
    """The base of the three balancers. Every method may be called from any thread.

    Health is what the caller says: ``mark_down`` takes a server out, ``mark_up`` brings it back.
    """

    #: Whether ``Endpoint.limit`` is enforced; where it is not, a limit is refused instead of ignored.
    _enforces_limits = False

    def __init__(self, servers: Iterable[ServerLike]) -> None:
        """Raises NoServers, DuplicateServer, InvalidServer, InvalidWeight."""
        self._lock = threading.Lock()
        # A dict keeps the order of the list, which decides among equals.
        self._slots: dict[str, SlotT] = {}
        # Removed with leases still out: if the address comes back, its count (and so its limit) still holds.
        self._leaving: dict[str, SlotT] = {}
        for endpoint in parse_servers(servers):
            self._insert(endpoint)

    def add(self, server: ServerLike) -> None:
        """Puts a server at the end of the list, up. Raises DuplicateServer, InvalidServer, InvalidWeight."""
        endpoint = parse_server(server)
        with self._lock:
            self._insert(endpoint)
            self._capacity_changed()

    def remove(self, server: str) -> None:
        """Takes a server off the list. Leases that are out stay valid. Raises UnknownServer."""
        with self._lock:
            slot = self._slot(server)
            del self._slots[server]
            if slot.in_flight > 0:
                self._leaving[server] = slot

    def mark_down(self, server: str) -> None:
        """No more picks until ``mark_up``; what is in flight goes on. Raises UnknownServer."""
        with self._lock:
            self._slot(server).is_up = False

    def mark_up(self, server: str) -> None:
        """The server may be picked again. Raises UnknownServer."""
        with self._lock:
            self._slot(server).is_up = True
            self._capacity_changed()

    def set_weight(self, server: str, weight: float) -> None:
        """Changes a share from the next pick on. Raises UnknownServer, InvalidWeight."""
        with self._lock:
            slot = self._slot(server)
            slot.endpoint = replace(slot.endpoint, weight=weight)

    def snapshot(self) -> list[ServerSnapshot]:
        """All servers in list order, as of one moment; the result never changes afterwards."""
        with self._lock:
            return [
                ServerSnapshot(
                    address=slot.endpoint.address,
                    weight=slot.endpoint.weight,
                    limit=slot.endpoint.limit,
                    is_up=slot.is_up,
                    picks=slot.picks,
                    in_flight=slot.in_flight,
                )
                for slot in self._slots.values()
            ]

    @abstractmethod
    def _make_slot(self, endpoint: Endpoint) -> SlotT:
        """A fresh slot of the balancer's own kind."""

    def _capacity_changed(self) -> None:
        """Called under the lock when something may have become available."""

    def _insert(self, endpoint: Endpoint) -> None:
        address = endpoint.address
        if address in self._slots:
            raise DuplicateServer(
                f"{address} is given twice: list each server once, and raise its weight to send it more"
            )
        if endpoint.limit is not None and not self._enforces_limits:
            raise InvalidServer(
                f"{address} has a limit, which {type(self).__name__} does not enforce: "
                "leave it out, or use LeastConnectionsLoadBalancer"
            )
        slot = self._make_slot(endpoint)
        leaving = self._leaving.pop(address, None)
        if leaving is not None:
            slot.in_flight = leaving.in_flight
        self._slots[address] = slot

    def _slot(self, address: str) -> SlotT:
        slot = self._slots.get(address)
        if slot is None:
            raise UnknownServer(self._unknown(address))
        return slot

    def _candidates(self) -> list[SlotT]:
        """The slots that are up, in list order. Raises NoServerAvailable where there are none."""
        candidates = [slot for slot in self._slots.values() if slot.is_up]
        if not candidates:
            raise NoServerAvailable(self._nothing_up())
        return candidates

    def _nothing_up(self) -> str:
        if not self._slots:
            return "no server is left: all were removed; add one"
        return f"all servers ({len(self._slots)}) are marked down: mark_up one, or add another"

    def _unknown(self, address: str) -> str:
        near = difflib.get_close_matches(str(address), list(self._slots), n=1)
        hint = f"did you mean {near[0]}?" if near else "add it first, or check the spelling"
        return f"{address!r} is not a server of this balancer: {hint}"
