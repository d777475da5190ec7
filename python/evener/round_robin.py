"""Each server in turn, by weight.

When to use: requests that cost about the same. When not: model servers under load, whose requests differ by
orders of magnitude: use least connections. Cost: O(n) a pick.
Source: smooth weighted round robin as in nginx (ngx_http_upstream_round_robin.c, 2012).
"""

from __future__ import annotations

from .balancer import LoadBalancer, Slot
from .endpoint import Endpoint

__all__ = ["RoundRobinLoadBalancer"]


class RoundRobinSlot(Slot):
    """Adds the credit that a server has gathered since it was last picked."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.current = 0.0


class RoundRobinLoadBalancer(LoadBalancer[RoundRobinSlot]):
    """Smooth weighted round robin: weights 5, 1, 1 give A A B A C A A, never five in a row and then the rest.

    >>> lb = RoundRobinLoadBalancer(["server1", "server2", "server3"])
    >>> [lb.get_next_server() for _ in range(4)]
    ['server1', 'server2', 'server3', 'server1']

    The share of a server that is down goes to all others by their weights, not to its neighbour in the list.
    """

    def get_next_server(self) -> str:
        """The address to send the next request to. Raises NoServerAvailable."""
        with self._lock:
            candidates = self._candidates()
            picked = candidates[0]
            total = 0.0
            for slot in candidates:
                weight = slot.endpoint.weight
                total += weight
                slot.current += weight
                if slot.current > picked.current:
                    picked = slot
            picked.current -= total
            picked.picks += 1
            return picked.endpoint.address

    def _make_slot(self, endpoint: Endpoint) -> RoundRobinSlot:
        return RoundRobinSlot(endpoint)
