from __future__ import annotations

import doctest
import importlib
import math
import unittest
from typing import Any

import evener
from evener import (
    DuplicateServer,
    Endpoint,
    EvenerError,
    InvalidOption,
    InvalidReport,
    InvalidServer,
    InvalidWeight,
    LeastConnectionsLoadBalancer,
    NoServerAvailable,
    NoServers,
    ResourceBasedLoadBalancer,
    RoundRobinLoadBalancer,
    UnknownServer,
)

BALANCERS: list[Any] = [RoundRobinLoadBalancer, LeastConnectionsLoadBalancer, ResourceBasedLoadBalancer]


class ErrorsTest(unittest.TestCase):
    def test_an_empty_list(self) -> None:
        for make in BALANCERS:
            with self.assertRaisesRegex(NoServers, "give at least one"):
                make([])

    def test_a_duplicate(self) -> None:
        for make in BALANCERS:
            with self.assertRaisesRegex(DuplicateServer, "A is given twice.*weight"):
                make(["A", ("A", 2)])
        lb = RoundRobinLoadBalancer(["A"])
        self.assertRaises(DuplicateServer, lb.add, "A")
        self.assertEqual(len(lb.snapshot()), 1)

    def test_a_bad_weight(self) -> None:
        bad: list[Any] = [0, -1, math.nan, math.inf, "2", None, True]
        for weight in bad:
            with self.subTest(weight=weight):
                with self.assertRaisesRegex(InvalidWeight, "weight of A.*above 0"):
                    RoundRobinLoadBalancer([("A", weight)])
                lb = RoundRobinLoadBalancer(["A"])
                self.assertRaises(InvalidWeight, lb.set_weight, "A", weight)
                self.assertEqual(lb.snapshot()[0].weight, 1)

    def test_a_bad_server(self) -> None:
        bad: list[Any] = ["", "a b", " a", 7, None, ("A",), ("A", 1, 2), (7, 1), ["A", 1]]
        for server in bad:
            with self.subTest(server=server):
                self.assertRaises(InvalidServer, RoundRobinLoadBalancer, [server])

    def test_one_text_is_not_a_list_of_letters(self) -> None:
        with self.assertRaisesRegex(InvalidServer, r"give a list, \['server1'\]"):
            RoundRobinLoadBalancer("server1")

    def test_a_bad_limit(self) -> None:
        bad: list[Any] = [0, -1, 1.5, True, "3"]
        for limit in bad:
            with self.subTest(limit=limit), self.assertRaisesRegex(InvalidServer, "limit of A"):
                Endpoint("A", 1, limit)

    def test_a_limit_is_refused_where_it_is_not_enforced(self) -> None:
        for make in (RoundRobinLoadBalancer, ResourceBasedLoadBalancer):
            with self.assertRaisesRegex(InvalidServer, "use LeastConnectionsLoadBalancer"):
                make([Endpoint("A", limit=1)])

    def test_an_unknown_server(self) -> None:
        for make in BALANCERS:
            lb = make(["server1", "server2"])
            for call in (lb.remove, lb.mark_up, lb.mark_down):
                with self.assertRaisesRegex(UnknownServer, "did you mean server1"):
                    call("server-1")
            with self.assertRaisesRegex(UnknownServer, "add it first"):
                lb.set_weight("other", 2)

    def test_nothing_is_available(self) -> None:
        for make in BALANCERS:
            lb = make(["A", "B"])
            take = getattr(lb, "acquire", None) or lb.get_next_server
            lb.mark_down("A")
            lb.mark_down("B")
            with self.assertRaisesRegex(NoServerAvailable, r"all servers \(2\) are marked down"):
                take()
            lb.remove("A")
            lb.remove("B")
            with self.assertRaisesRegex(NoServerAvailable, "no server is left"):
                take()
            lb.add("C")
            take()

    def test_a_bad_report(self) -> None:
        lb = ResourceBasedLoadBalancer(["A"])
        bad: list[Any] = [-0.01, 1.01, 87, math.nan, math.inf, "0.5", True]
        for figure in bad:
            with self.subTest(figure=figure), self.assertRaisesRegex(InvalidReport, "cpu of A.*from 0 to 1"):
                lb.report("A", cpu=figure)
        with self.assertRaisesRegex(InvalidReport, "no figure"):
            lb.report("A")
        self.assertRaises(UnknownServer, lb.report, "B", cpu=0.5)
        self.assertEqual(lb.scores(), {"A": 0.5})

    def test_a_bad_option(self) -> None:
        with self.assertRaisesRegex(InvalidOption, "waiting_max"):
            LeastConnectionsLoadBalancer(["A"], waiting_max=-1)
        with self.assertRaisesRegex(InvalidOption, "max_age_seconds"):
            ResourceBasedLoadBalancer(["A"], max_age_seconds=0)
        for timeout in (-1.0, math.nan, math.inf):
            with self.assertRaisesRegex(InvalidOption, "timeout"):
                LeastConnectionsLoadBalancer(["A"]).acquire(timeout=timeout)

    def test_every_error_is_an_evener_error_and_a_standard_one(self) -> None:
        errors = [
            value
            for value in vars(evener).values()
            if isinstance(value, type) and issubclass(value, Exception)
        ]
        self.assertEqual(len(errors), 12)
        for error in errors:
            self.assertTrue(issubclass(error, EvenerError))
            if error is not EvenerError:
                self.assertTrue(issubclass(error, (ValueError, RuntimeError, LookupError, ConnectionError)))


class DocumentationTest(unittest.TestCase):
    def test_the_examples_in_the_doc_comments_are_true(self) -> None:
        tried = 0
        for name in ("", ".round_robin", ".least_connections", ".resource_based"):
            result = doctest.testmod(importlib.import_module(f"evener{name}"))
            self.assertEqual(result.failed, 0, name)
            tried += result.attempted
        self.assertGreater(tried, 8)

    def test_the_menu_is_complete(self) -> None:
        for name in evener.__all__:
            self.assertTrue(hasattr(evener, name), name)
