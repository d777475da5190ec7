from __future__ import annotations

import random
import threading
import time
import unittest
from collections import Counter
from unittest import mock

from evener import Endpoint, Lease, LeastConnectionsLoadBalancer, NoServerAvailable, UnknownServer

from .seeds import seeds

#: Longer than any wait of these tests; reaching it is a failure.
GUARD_SECONDS = 30.0


class LeastConnectionsTest(unittest.TestCase):
    def test_the_next_request_goes_where_fewest_are(self) -> None:
        lb = LeastConnectionsLoadBalancer(["A", "B"], seed=1)
        first, second = lb.acquire(), lb.acquire()
        self.assertEqual({first.server, second.server}, {"A", "B"})
        second.release()
        self.assertEqual(lb.acquire().server, second.server)

    def test_ties_are_even_and_repeat_from_a_seed(self) -> None:
        def first_picks(seed: int) -> list[str]:
            lb = LeastConnectionsLoadBalancer(["A", "B", "C"], seed=seed)
            picks = []
            for _ in range(3000):
                with lb.acquire() as lease:
                    picks.append(lease.server)
            return picks

        picks = first_picks(7)
        self.assertEqual(picks, first_picks(7))
        # Fair dice: 1000 each, standard deviation 26; six of them.
        for count in Counter(picks).values():
            self.assertAlmostEqual(count, 1000, delta=160)

    def test_a_lease_is_released_at_the_end_of_with_also_after_an_error(self) -> None:
        lb = LeastConnectionsLoadBalancer(["A"])
        with self.assertRaises(KeyError), lb.acquire():
            self.assertEqual(lb.snapshot()[0].in_flight, 1)
            raise KeyError
        self.assertEqual(lb.snapshot()[0].in_flight, 0)

    def test_a_second_release_changes_nothing_and_is_counted(self) -> None:
        lb = LeastConnectionsLoadBalancer(["A"])
        lease, other = lb.acquire(), lb.acquire()
        lease.release()
        lease.release()
        lb.release(lease)
        self.assertFalse(lease.is_open)
        self.assertEqual((lb.snapshot()[0].in_flight, lb.dropped_releases), (1, 2))
        other.release()
        lb.release("A")
        self.assertEqual((lb.snapshot()[0].in_flight, lb.dropped_releases), (0, 3))

    def test_release_by_address(self) -> None:
        lb = LeastConnectionsLoadBalancer(["A", "B"])
        server = lb.acquire().server
        lb.release(server)
        self.assertEqual([one.in_flight for one in lb.snapshot()], [0, 0])
        self.assertRaises(UnknownServer, lb.release, "C")

    def test_a_removed_server_keeps_its_count_until_its_last_request_has_ended(self) -> None:
        lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=2)])
        first, second = lb.acquire(), lb.acquire()
        lb.remove("A")
        first.release()
        lb.add(Endpoint("A", limit=2))
        self.assertEqual(lb.snapshot()[0].in_flight, 1)
        third = lb.acquire()
        self.assertRaises(NoServerAvailable, lb.acquire)
        second.release()
        third.release()
        self.assertEqual((lb.snapshot()[0].in_flight, lb.dropped_releases), (0, 0))

    def test_a_lease_of_a_server_that_is_gone_ends_quietly(self) -> None:
        lb = LeastConnectionsLoadBalancer(["A", "B"])
        leases = [lb.acquire(), lb.acquire()]
        lb.remove("A")
        for lease in leases:
            lb.release(lease.server)
        self.assertEqual(lb.dropped_releases, 0)
        self.assertRaises(UnknownServer, lb.release, "A")

    def test_random_walks_keep_the_books(self) -> None:
        for seed in seeds(20):
            with self.subTest(replay=f"EVENER_SEED={seed}"):
                self.walk(random.Random(seed))

    def walk(self, dice: random.Random) -> None:
        limits = {f"s{i}": dice.choice([1, 2, 5]) for i in range(5)}
        lb = LeastConnectionsLoadBalancer(
            [Endpoint(server, dice.uniform(0.2, 5), limit) for server, limit in limits.items()],
            seed=dice.randrange(2**32),
        )
        leases: list[Lease] = []
        down: set[str] = set()
        for _ in range(600):
            act = dice.randrange(10)
            server = dice.choice(list(limits))
            if act < 5:
                held = Counter(lease.server for lease in leases)
                free = [name for name in limits if name not in down and held[name] < limits[name]]
                if free:
                    weights = {one.address: one.weight for one in lb.snapshot()}
                    lease = lb.acquire()
                    loads = {name: (held[name] + 1) / weights[name] for name in free}
                    self.assertEqual(loads[lease.server], min(loads.values()))
                    leases.append(lease)
                else:
                    self.assertRaises(NoServerAvailable, lb.acquire)
            elif act < 8 and leases:
                leases.pop(dice.randrange(len(leases))).release()
            elif act == 8:
                lb.mark_down(server)
                down.add(server)
            else:
                lb.mark_up(server)
                down.discard(server)
            held = Counter(lease.server for lease in leases)
            self.assertEqual(
                {one.address: one.in_flight for one in lb.snapshot()}, {s: held[s] for s in limits}
            )
        for lease in leases:
            lease.release()
        self.assertEqual([one.in_flight for one in lb.snapshot()], [0] * 5)


class LimitTest(unittest.TestCase):
    def test_eight_threads_never_exceed_the_limits(self) -> None:
        limits = {"A": 1, "B": 2, "C": 2}
        lb = LeastConnectionsLoadBalancer([Endpoint(server, 1, limit) for server, limit in limits.items()])
        inside: Counter[str] = Counter()
        guard = threading.Lock()
        faults: list[object] = []

        def work() -> None:
            try:
                for _ in range(2000):
                    with lb.acquire(timeout=GUARD_SECONDS) as lease:
                        with guard:
                            inside[lease.server] += 1
                            if inside[lease.server] > limits[lease.server]:
                                faults.append((lease.server, inside[lease.server]))
                        with guard:
                            inside[lease.server] -= 1
            except Exception as error:
                faults.append(error)

        join_all([threading.Thread(target=work) for _ in range(8)])
        self.assertEqual(faults, [])
        self.assertEqual([server.in_flight for server in lb.snapshot()], [0, 0, 0])
        self.assertEqual(sum(server.picks for server in lb.snapshot()), 16_000)
        self.assertEqual((lb.waiting, lb.dropped_releases), (0, 0))

    def test_waiting_is_first_come_first_served(self) -> None:
        lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=1)])
        held = lb.acquire()
        order: list[int] = []

        def work(number: int) -> None:
            with lb.acquire(timeout=GUARD_SECONDS):
                order.append(number)

        threads = []
        for number in range(6):
            threads.append(threading.Thread(target=work, args=(number,)))
            threads[-1].start()
            wait_until(self, lambda expected=number + 1: lb.waiting == expected)
        held.release()
        for thread in threads:
            thread.join()
        self.assertEqual(order, list(range(6)))

    def test_a_newcomer_does_not_overtake_who_waits(self) -> None:
        lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=1)])
        held = lb.acquire()
        got: list[Lease] = []
        thread = wait_in_thread(self, lb, got)
        held.release()
        # The place was handed over inside release(), whether the waiting thread has woken up or not.
        self.assertRaises(NoServerAvailable, lb.acquire)
        thread.join()
        self.assertEqual(got[0].server, "A")

    def test_who_waits_is_served_when_a_server_comes_up_or_is_added(self) -> None:
        for change in ("mark_up", "add"):
            with self.subTest(change):
                lb = LeastConnectionsLoadBalancer(["A"])
                lb.mark_down("A")
                got: list[Lease] = []
                thread = wait_in_thread(self, lb, got)
                if change == "mark_up":
                    lb.mark_up("A")
                else:
                    lb.add("B")
                thread.join()
                self.assertEqual(got[0].server, "A" if change == "mark_up" else "B")

    def test_a_wait_that_ends_in_vain_leaves_nothing_behind(self) -> None:
        lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=1)])
        held = lb.acquire()
        with self.assertRaisesRegex(NoServerAvailable, r"at their limit.*waited 0\.01 seconds"):
            lb.acquire(timeout=0.01)
        self.assertEqual(lb.waiting, 0)
        held.release()
        lb.acquire().release()
        self.assertEqual(lb.snapshot()[0].in_flight, 0)

    def test_an_interrupted_wait_gives_its_place_back(self) -> None:
        for granted in (False, True):
            with self.subTest(granted=granted):
                lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=1)])
                held = lb.acquire()

                def interrupt(*_: object, granted: bool = granted, lb=lb, held=held) -> None:  # type: ignore
                    if granted:
                        # As another thread's release would do, just before the interrupt arrives here.
                        lb._lock.release()
                        held.release()
                        lb._lock.acquire()
                    raise KeyboardInterrupt

                with mock.patch.object(threading.Condition, "wait", interrupt):
                    self.assertRaises(KeyboardInterrupt, lb.acquire, 5)
                held.release()
                self.assertEqual((lb.waiting, lb.snapshot()[0].in_flight), (0, 0))
                lb.acquire().release()

    def test_the_number_of_callers_that_wait_is_bounded(self) -> None:
        lb = LeastConnectionsLoadBalancer([Endpoint("A", limit=1)], waiting_max=0)
        with lb.acquire(), self.assertRaisesRegex(NoServerAvailable, "waiting_max"):
            lb.acquire(timeout=1)


def join_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_in_thread(
    test: unittest.TestCase, lb: LeastConnectionsLoadBalancer, got: list[Lease]
) -> threading.Thread:
    """A thread that waits in ``acquire`` by the time this returns."""
    thread = threading.Thread(target=lambda: got.append(lb.acquire(timeout=GUARD_SECONDS)))
    thread.start()
    wait_until(test, lambda: lb.waiting == 1)
    return thread


def wait_until(test: unittest.TestCase, holds) -> None:  # type: ignore[no-untyped-def]
    """Polls; the guard is so long that only a hang reaches it."""
    deadline = time.monotonic() + GUARD_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            test.fail("waited in vain")
        time.sleep(0.001)
