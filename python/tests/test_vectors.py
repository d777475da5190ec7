"""The same cases as the TypeScript library; format: test/fixtures/vectors/README.md."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from typing import Any, Callable, Optional

from evener import (
    Endpoint,
    LeastConnectionsLoadBalancer,
    NoServerAvailable,
    ResourceBasedLoadBalancer,
    RoundRobinLoadBalancer,
)

VECTORS = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "vectors"


class VectorsTest(unittest.TestCase):
    def test_round_robin(self) -> None:
        for case in load("round-robin.json", at_least=8):
            with self.subTest(case["name"]):
                self.replay(case, RoundRobinLoadBalancer(endpoints(case)))

    def test_least_request(self) -> None:
        for case in load("least-request.json", at_least=5):
            with self.subTest(case["name"]):
                self.replay(case, LeastConnectionsLoadBalancer(endpoints(case)))

    def test_resource(self) -> None:
        for case in load("resource.json", at_least=5):
            with self.subTest(case["name"]):
                clock = Clock()
                lb = ResourceBasedLoadBalancer(endpoints(case), clock=clock)
                self.replay(case, lb, clock)

    def replay(self, case: dict[str, Any], lb: Any, clock: Optional[Clock] = None) -> None:
        """Does the steps of a case; a step is named by its number, from 0, where it differs."""
        for number, step in enumerate(case["steps"]):
            step = dict(step)
            if clock is not None:
                clock.now = step.pop("at_seconds")
            ((verb, value),) = step.items()
            if verb == "next":
                self.assertEqual(pick(lb.get_next_server), value, f"step {number}")
            elif verb == "acquire":
                self.assertEqual(pick(lambda: lb.acquire().server), value, f"step {number}")
            elif verb == "release":
                lb.release(value)
            elif verb == "down":
                lb.mark_down(value)
            elif verb == "up":
                lb.mark_up(value)
            elif verb == "add":
                lb.add(Endpoint(**value))
            elif verb == "remove":
                lb.remove(value)
            elif verb == "report":
                figures = {name: figure for name, figure in value.items() if name != "address"}
                lb.report(value["address"], **figures)
            else:
                self.fail(f"step {number}: unknown verb {verb}")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pick(take: Callable[[], str]) -> Optional[str]:
    try:
        return take()
    except NoServerAvailable:
        return None


def load(name: str, at_least: int) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    assert len(cases) >= at_least, f"{name} has only {len(cases)} cases"
    return cases


def endpoints(case: dict[str, Any]) -> list[Endpoint]:
    return [Endpoint(**endpoint) for endpoint in case["endpoints"]]
