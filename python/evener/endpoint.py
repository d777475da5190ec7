"""A server as the caller describes it, checked once, immutable afterwards."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional, Union

from .errors import InvalidServer, InvalidWeight, NoServers

__all__ = ["Endpoint", "ServerLike", "parse_server", "parse_servers"]


@dataclass(frozen=True)
class Endpoint:
    """A place that does work.

    ``address`` is any text without spaces, kept as it is: ``"server1"``, ``"10.0.0.1:8000"``, a URL.
    ``weight`` is its share relative to the others: a finite number above 0.
    ``limit`` is the most requests it may have in flight: a whole number from 1, or None for no limit.

    Raises InvalidServer, InvalidWeight.
    """

    address: str
    weight: float = 1.0
    limit: Optional[int] = None

    def __post_init__(self) -> None:
        if not isinstance(self.address, str) or self.address == "" or self.address.split() != [self.address]:
            raise InvalidServer(
                f"the address {self.address!r} is not usable: give a non-empty text without spaces, "
                'such as "10.0.0.1:8000"'
            )
        if not _is_number(self.weight) or not math.isfinite(self.weight) or self.weight <= 0:
            raise InvalidWeight(
                f"the weight of {self.address} is {self.weight!r}: give a finite number above 0 "
                "(to send it nothing, use mark_down or remove)"
            )
        if self.limit is not None and (
            not isinstance(self.limit, int) or self.limit is True or self.limit < 1
        ):
            raise InvalidServer(
                f"the limit of {self.address} is {self.limit!r}: "
                "give a whole number from 1, or None for no limit"
            )


#: What every balancer takes as a server: an address, an ``(address, weight)`` pair, or an :class:`Endpoint`.
ServerLike = Union[str, tuple[str, float], Endpoint]


def parse_servers(servers: Iterable[ServerLike]) -> list[Endpoint]:
    """The endpoints of a non-empty list, in its order. Raises NoServers, InvalidServer, InvalidWeight."""
    if isinstance(servers, (str, Endpoint)):
        raise InvalidServer(f"servers is one server, {servers!r}: give a list, [{servers!r}]")
    endpoints = [parse_server(server) for server in servers]
    if not endpoints:
        raise NoServers('the list of servers is empty: give at least one, such as ["server1"]')
    return endpoints


def parse_server(server: ServerLike) -> Endpoint:
    """One server in any of its three spellings. Raises InvalidServer, InvalidWeight."""
    if isinstance(server, Endpoint):
        return server
    if isinstance(server, str):
        return Endpoint(server)
    if isinstance(server, tuple) and len(server) == 2:
        return Endpoint(server[0], server[1])
    raise InvalidServer(
        f"{server!r} is not a server: give an address, an (address, weight) pair "
        "or Endpoint(address, weight, limit)"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
