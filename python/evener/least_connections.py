"""The server with the fewest requests in flight for its weight.

When to use: the default for model servers and anything whose requests differ in cost. When not: callers that
can not say when a request ends. Cost: O(n) a pick.
Source: exact weighted least requests, as `least_request` of Evener's proxy: lowest (in flight + 1) / weight.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Optional

from .balancer import Slot
from .endpoint import Endpoint, ServerLike
from .errors import InvalidOption, NoServerAvailable
from .lease import Lease, LeasingLoadBalancer

__all__ = ["LeastConnectionsLoadBalancer"]


class LeastConnectionsLoadBalancer(LeasingLoadBalancer[Slot]):
    """Counts what is in flight, exactly; never exceeds ``Endpoint.limit``.

    >>> lb = LeastConnectionsLoadBalancer(["server1", "server2"])
    >>> with lb.acquire() as lease:
    ...     address = lease.server  # send the request there

    Ties are broken at random: a fixed order would send every first request of every process to server1.
    """

    _enforces_limits = True

    def __init__(
        self, servers: Iterable[ServerLike], seed: Optional[int] = None, *, waiting_max: int = 1000
    ) -> None:
        """``seed`` makes the ties repeatable; ``waiting_max`` bounds the callers that wait in ``acquire``.

        Raises NoServers, DuplicateServer, InvalidServer, InvalidWeight, InvalidOption.
        """
        if not isinstance(waiting_max, int) or waiting_max < 0:
            raise InvalidOption(f"waiting_max is {waiting_max!r}: give a whole number from 0")
        self._random = random.Random(seed)
        self._waiting: deque[_Waiter] = deque()
        self._waiting_max = waiting_max
        super().__init__(servers)

    @property
    def waiting(self) -> int:
        """Callers that wait in ``acquire`` now."""
        with self._lock:
            return len(self._waiting)

    def acquire(self, timeout: float = 0.0) -> Lease:
        """Books a request on the best server and returns its lease.

        Where every server is down or at its limit, waits up to ``timeout`` seconds, first come first served;
        0 does not wait. Raises NoServerAvailable when there is nothing in time, or when ``waiting_max``
        callers wait already; InvalidOption.
        """
        if not 0 <= timeout <= threading.TIMEOUT_MAX:
            raise InvalidOption(
                f"timeout is {timeout!r}: give seconds from 0 to {math.floor(threading.TIMEOUT_MAX)}"
            )
        with self._lock:
            # Whoever waits is served the moment there is room, so if there is room now, nobody waits.
            slot = self._pick()
            if slot is not None:
                return self._book(slot)
            if timeout == 0:
                raise NoServerAvailable(f"{self._why_none()}; or wait: acquire(timeout=SECONDS)")
            if len(self._waiting) >= self._waiting_max:
                raise NoServerAvailable(
                    f"{self._why_none()}; {len(self._waiting)} callers wait already "
                    "(waiting_max): try again later"
                )
            return self._wait(timeout)

    def _wait(self, timeout: float) -> Lease:
        waiter = _Waiter(threading.Condition(self._lock))
        self._waiting.append(waiter)
        deadline = time.monotonic() + timeout
        try:
            while waiter.lease is None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise NoServerAvailable(
                        f"{self._why_none()}; waited {timeout:g} seconds: try again later"
                    )
                waiter.condition.wait(remaining)
            return waiter.lease
        except BaseException:
            # Also when interrupted (Ctrl-C): a lease that nobody will ever hold must not stay booked.
            if waiter.lease is None:
                self._waiting.remove(waiter)
            else:
                waiter.lease._is_open = False
                self._unbook(waiter.lease.server)
            raise

    def _capacity_changed(self) -> None:
        # Booked here, not by the woken thread: otherwise a newcomer could overtake it in between.
        while self._waiting:
            slot = self._pick()
            if slot is None:
                return
            waiter = self._waiting.popleft()
            waiter.lease = self._book(slot)
            waiter.condition.notify()

    def _pick(self) -> Optional[Slot]:
        best: list[Slot] = []
        best_load = math.inf
        for slot in self._slots.values():
            endpoint = slot.endpoint
            if not slot.is_up or (endpoint.limit is not None and slot.in_flight >= endpoint.limit):
                continue
            load = (slot.in_flight + 1) / endpoint.weight
            if load < best_load:
                best_load = load
                best = [slot]
            elif load == best_load:
                best.append(slot)
        if len(best) > 1:
            return self._random.choice(best)
        return best[0] if best else None

    def _why_none(self) -> str:
        up = sum(1 for slot in self._slots.values() if slot.is_up)
        if up == 0:
            return self._nothing_up()
        return f"all servers that are up ({up} of {len(self._slots)}) are at their limit: release a lease"

    def _make_slot(self, endpoint: Endpoint) -> Slot:
        return Slot(endpoint)


class _Waiter:
    """A caller in ``acquire``; whoever frees a place puts a lease in its hand."""

    def __init__(self, condition: threading.Condition) -> None:
        self.condition = condition
        self.lease: Optional[Lease] = None
