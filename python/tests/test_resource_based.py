from __future__ import annotations

import random
import threading
import unittest
from collections import Counter

from evener import NoServerAvailable, ResourceBasedLoadBalancer

from .seeds import seeds
from .test_vectors import Clock


class ResourceBasedTest(unittest.TestCase):
    def test_the_formula(self) -> None:
        clock = Clock()
        lb = ResourceBasedLoadBalancer([("A", 2), "B", "C", "D"], clock=clock)
        lb.report("A", cpu=0.1, memory=0.3, gpu=0.2)
        clock.now = 10.0
        lb.report("B", gpu=0.9)
        lb.report("C", memory=0.4)
        lb.mark_down("C")
        self.assertEqual(lb.get_next_server(), "A")
        # The median of A and B is 0.6 (C is down); A's report is one half-life old; D has never reported.
        expected = {"A": 0.5 * 0.3 + 0.5 * 0.6 + 0.05 * 1 / 2, "B": 0.9, "D": 0.6}
        scores = lb.scores()
        self.assertEqual(list(scores), list(expected))
        for server, score in expected.items():
            self.assertAlmostEqual(scores[server], score, places=12)

    def test_a_report_older_than_the_maximum_age_leaves_the_median(self) -> None:
        clock = Clock()
        lb = ResourceBasedLoadBalancer(["A", "B"], max_age_seconds=20, clock=clock)
        lb.report("A", cpu=1.0)
        clock.now = 20.0
        lb.report("B", cpu=0.2)
        self.assertAlmostEqual(lb.scores()["A"], 0.25 * 1.0 + 0.75 * 0.6, places=12)
        clock.now = 30.0
        self.assertAlmostEqual(lb.scores()["A"], 0.125 * 1.0 + 0.875 * 0.2, places=12)
        clock.now = 50.0
        self.assertAlmostEqual(lb.scores()["B"], 0.125 * 0.2 + 0.875 * 0.5, places=12)

    def test_plain_picks_count_until_the_next_report_leases_until_their_release(self) -> None:
        lb = ResourceBasedLoadBalancer(["A"], clock=Clock())
        lb.get_next_server()
        lease = lb.acquire()
        self.assertAlmostEqual(lb.scores()["A"], 0.6)
        lb.report("A", cpu=0.5)
        self.assertAlmostEqual(lb.scores()["A"], 0.55)
        lease.release()
        self.assertAlmostEqual(lb.scores()["A"], 0.5)
        self.assertEqual((lb.snapshot()[0].picks, lb.snapshot()[0].in_flight), (2, 0))

    def test_an_old_report_draws_no_herd(self) -> None:
        clock = Clock()
        lb = ResourceBasedLoadBalancer(["A", "B", "C", "D"], clock=clock)
        for server, cpu in (("A", 0.0), ("B", 0.6), ("C", 0.6), ("D", 0.6)):
            lb.report(server, cpu=cpu)
        clock.now = 59.0
        picks = Counter(lb.acquire().server for _ in range(400))
        self.assertLessEqual(max(picks.values()), 102)

    def test_random_walks_keep_the_books(self) -> None:
        for seed in seeds(20):
            with self.subTest(replay=f"EVENER_SEED={seed}"):
                self.walk(random.Random(seed))

    def walk(self, dice: random.Random) -> None:
        clock = Clock()
        servers = [f"s{i}" for i in range(5)]
        lb = ResourceBasedLoadBalancer([(server, dice.uniform(0.2, 5)) for server in servers], clock=clock)
        leases = []
        down: set[str] = set()
        for _ in range(400):
            clock.now += dice.expovariate(1)
            server = dice.choice(servers)
            act = dice.randrange(10)
            if act < 4:
                scores = lb.scores()
                if scores:
                    lease = lb.acquire()
                    self.assertEqual(scores[lease.server], min(scores.values()))
                    self.assertNotIn(lease.server, down)
                    leases.append(lease)
                else:
                    self.assertRaises(NoServerAvailable, lb.acquire)
            elif act < 7 and leases:
                leases.pop(dice.randrange(len(leases))).release()
            elif act == 7:
                lb.report(server, cpu=dice.random(), gpu=dice.random())
            elif act == 8:
                lb.mark_down(server)
                down.add(server)
            else:
                lb.mark_up(server)
                down.discard(server)
            held = Counter(lease.server for lease in leases)
            self.assertEqual([one.in_flight for one in lb.snapshot()], [held[name] for name in servers])
        for lease in leases:
            lease.release()
        self.assertEqual([one.in_flight for one in lb.snapshot()], [0] * 5)

    def test_eight_threads_leave_nothing_in_flight(self) -> None:
        lb = ResourceBasedLoadBalancer(["A", "B", "C"])
        faults: list[Exception] = []

        def work(number: int) -> None:
            try:
                for turn in range(1000):
                    with lb.acquire() as lease:
                        if turn % 50 == 0:
                            lb.report(lease.server, cpu=(number + turn) % 100 / 100)
            except Exception as error:
                faults.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])
        self.assertEqual([one.in_flight for one in lb.snapshot()], [0, 0, 0])
        self.assertEqual(sum(one.picks for one in lb.snapshot()), 8_000)
