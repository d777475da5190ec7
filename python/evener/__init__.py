"""Evener: spread work evenly over servers. Standard library only, thread-safe.

>>> from evener import RoundRobinLoadBalancer
>>> lb = RoundRobinLoadBalancer(["server1", "server2", "server3"])
>>> lb.get_next_server()
'server1'
"""

from .balancer import LoadBalancer, ServerSnapshot
from .client import Client
from .endpoint import Endpoint, ServerLike
from .errors import (
    DuplicateServer,
    EvenerError,
    InvalidOption,
    InvalidReport,
    InvalidServer,
    InvalidWeight,
    NoServerAvailable,
    NoServers,
    ServerUnreachable,
    TaskEnded,
    TaskRefused,
    UnknownServer,
)
from .executor import Executor
from .lease import Lease
from .least_connections import LeastConnectionsLoadBalancer
from .resource_based import ResourceBasedLoadBalancer
from .round_robin import RoundRobinLoadBalancer

__version__ = "0.1.0"

__all__ = [
    "Client",
    "DuplicateServer",
    "Endpoint",
    "EvenerError",
    "Executor",
    "InvalidOption",
    "InvalidReport",
    "InvalidServer",
    "InvalidWeight",
    "Lease",
    "LeastConnectionsLoadBalancer",
    "LoadBalancer",
    "NoServerAvailable",
    "NoServers",
    "ResourceBasedLoadBalancer",
    "RoundRobinLoadBalancer",
    "ServerLike",
    "ServerSnapshot",
    "ServerUnreachable",
    "TaskEnded",
    "TaskRefused",
    "UnknownServer",
]
