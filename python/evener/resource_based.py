"""The server that reports the most room, corrected for what was sent to it since.

When to use: servers whose own CPU, memory or GPU figures say more than a count of requests. When not: without
reports it is no better than counting: use least connections. Cost: O(n log n) a pick.
Source: figures as in HAProxy's agent-check; the ageing is Evener's, because an old figure that is believed
sends everything to one server (the herd effect: Mitzenmacher, "How Useful Is Old Information?", 2000).
"""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Iterable
from statistics import median
from typing import Callable, Optional

from .balancer import Slot
from .endpoint import Endpoint, ServerLike
from .errors import InvalidOption, InvalidReport
from .lease import Lease, LeasingLoadBalancer

__all__ = ["ResourceBasedLoadBalancer"]

#: A report counts half after this many seconds.
HALF_LIFE_SECONDS = 10.0
#: What one request in flight adds to the estimate of a server of weight 1.
LOAD_PER_REQUEST = 0.05
#: What is assumed of everybody while nobody has reported.
UNKNOWN_UTILISATION = 0.5


class ResourceSlot(Slot):
    """Adds what a server reported last, and what was sent to it since."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        #: The highest of its figures, 0..1; None before the first report.
        self.utilisation: Optional[float] = None
        self.reported_at = -math.inf
        self.picks_since_report = 0


class ResourceBasedLoadBalancer(LeasingLoadBalancer[ResourceSlot]):
    """Picks the lowest score; among equals the first of the list::

        utilisation = max(cpu, memory, gpu)                     # as last reported, 0..1
        freshness   = 2 ** -(age / 10 s)                        # 0 for a server that never reported
        estimate    = freshness * utilisation + (1 - freshness) * median
        score       = estimate + 0.05 * in_flight / weight

    ``median`` is that of the utilisations of all servers that are up and whose report is at most
    ``max_age_seconds`` old, the server itself included (0.5 where there is none): as reports age, servers
    become alike, and the requests in flight decide. ``in_flight`` is the leases not released, plus the plain
    picks (``get_next_server``) since the server's last report: from then on the report shows their cost.

    >>> lb = ResourceBasedLoadBalancer(["server1", "server2"])
    >>> lb.report("server1", cpu=0.9, gpu=0.4)
    >>> lb.report("server2", cpu=0.2, gpu=0.6)
    >>> lb.get_next_server()
    'server2'
    """

    def __init__(
        self,
        servers: Iterable[ServerLike],
        max_age_seconds: float = 30.0,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``max_age_seconds`` is how long a report counts for the median of all; above 0.

        ``clock`` returns seconds and never goes back; give your own in tests.

        Raises NoServers, DuplicateServer, InvalidServer, InvalidWeight, InvalidOption.
        """
        if not max_age_seconds > 0:
            raise InvalidOption(f"max_age_seconds is {max_age_seconds!r}: give seconds above 0")
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        super().__init__(servers)

    def report(
        self,
        server: str,
        *,
        cpu: Optional[float] = None,
        memory: Optional[float] = None,
        gpu: Optional[float] = None,
    ) -> None:
        """What a server says of itself: fractions from 0 (idle) to 1 (full), at least one of them.

        A report replaces the one before it whole. Raises UnknownServer, InvalidReport.
        """
        given = {"cpu": cpu, "memory": memory, "gpu": gpu}
        figures = [_fraction(server, name, value) for name, value in given.items() if value is not None]
        if not figures:
            raise InvalidReport(
                f"the report of {server} has no figure: give cpu, memory or gpu, each from 0 to 1"
            )
        now = self._clock()
        with self._lock:
            slot = self._slot(server)
            slot.utilisation = max(figures)
            slot.reported_at = now
            slot.picks_since_report = 0

    def get_next_server(self) -> str:
        """The address to send the next request to, counted until the server reports again.

        For a server that may never report, use ``acquire``: its plain picks would count for ever.
        Raises NoServerAvailable.
        """
        now = self._clock()
        with self._lock:
            slot = self._pick(now)
            slot.picks += 1
            slot.picks_since_report += 1
            return slot.endpoint.address

    def acquire(self) -> Lease:
        """Books a request on the best server, counted until its release. Raises NoServerAvailable."""
        now = self._clock()
        with self._lock:
            return self._book(self._pick(now))

    def scores(self) -> dict[str, float]:
        """The score of every server that is up, as the next pick would see it: lowest is next."""
        now = self._clock()
        with self._lock:
            candidates = [slot for slot in self._slots.values() if slot.is_up]
            typical = self._median(candidates, now)
            return {slot.endpoint.address: self._score(slot, typical, now) for slot in candidates}

    def _pick(self, now: float) -> ResourceSlot:
        candidates = self._candidates()
        typical = self._median(candidates, now)
        return min(candidates, key=lambda slot: self._score(slot, typical, now))

    def _score(self, slot: ResourceSlot, typical: float, now: float) -> float:
        estimate = typical
        if slot.utilisation is not None:
            # Two threads may read the clock in one order and get the lock in the other.
            age = max(0.0, now - slot.reported_at)
            freshness = 2.0 ** (-age / HALF_LIFE_SECONDS)
            estimate = freshness * slot.utilisation + (1 - freshness) * typical
        in_flight = slot.in_flight + slot.picks_since_report
        return estimate + LOAD_PER_REQUEST * in_flight / slot.endpoint.weight

    def _median(self, candidates: list[ResourceSlot], now: float) -> float:
        # With itself: a median of the others would, with age, turn two servers into each other's opposite.
        fresh = [
            slot.utilisation
            for slot in candidates
            if slot.utilisation is not None and now - slot.reported_at <= self._max_age_seconds
        ]
        return median(fresh) if fresh else UNKNOWN_UTILISATION

    def _make_slot(self, endpoint: Endpoint) -> ResourceSlot:
        return ResourceSlot(endpoint)


def _fraction(server: str, name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 <= value <= 1:
        raise InvalidReport(
            f"{name} of {server} is {value!r}: figures are fractions from 0 to 1 (divide a percentage by 100)"
        )
    return float(value)
