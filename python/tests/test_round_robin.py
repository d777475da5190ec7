from __future__ import annotations

import random
import threading
import unittest

from evener import NoServerAvailable, RoundRobinLoadBalancer

from .seeds import seeds


class RoundRobinTest(unittest.TestCase):
    def test_ten_requests_over_three_servers_cycle(self) -> None:
        lb = RoundRobinLoadBalancer(["server1", "server2", "server3"])
        picks = [lb.get_next_server() for _ in range(10)]
        self.assertEqual(picks, ["server1", "server2", "server3"] * 3 + ["server1"])

    def test_weights_5_1_1_are_smooth(self) -> None:
        lb = RoundRobinLoadBalancer([("A", 5), ("B", 1), ("C", 1)])
        self.assertEqual("".join(lb.get_next_server() for _ in range(7)), "AABACAA")

    def test_any_weights_give_exact_shares_in_every_round(self) -> None:
        for seed in seeds(50):
            with self.subTest(replay=f"EVENER_SEED={seed}"):
                dice = random.Random(seed)
                weights = {f"s{i}": dice.randint(1, 20) for i in range(dice.randint(1, 12))}
                lb = RoundRobinLoadBalancer(weights.items())
                for _ in range(2):
                    picks = [lb.get_next_server() for _ in range(sum(weights.values()))]
                    self.assertEqual({server: picks.count(server) for server in weights}, weights)

    def test_a_random_walk_never_picks_what_is_down_or_gone(self) -> None:
        for seed in seeds(20):
            with self.subTest(replay=f"EVENER_SEED={seed}"):
                dice = random.Random(seed)
                servers = [f"s{i}" for i in range(6)]
                up, present = set(servers), set(servers)
                lb = RoundRobinLoadBalancer([(server, dice.uniform(0.1, 9)) for server in servers])
                for _ in range(500):
                    server = dice.choice(servers)
                    act = dice.randrange(10)
                    if act == 0 and server in present:
                        lb.mark_down(server)
                        up.discard(server)
                    elif act == 1 and server in present:
                        lb.mark_up(server)
                        up.add(server)
                    elif act == 2 and server in present:
                        lb.remove(server)
                        present.discard(server)
                        up.discard(server)
                    elif act == 3 and server not in present:
                        lb.add((server, dice.uniform(0.1, 9)))
                        present.add(server)
                        up.add(server)
                    elif act == 4 and server in present:
                        lb.set_weight(server, dice.uniform(0.1, 9))
                    elif up:
                        self.assertIn(lb.get_next_server(), up)
                    else:
                        self.assertRaises(NoServerAvailable, lb.get_next_server)

    def test_counts_are_exact_over_threads(self) -> None:
        lb = RoundRobinLoadBalancer([("A", 5), ("B", 2), ("C", 1)])

        def work() -> None:
            for _ in range(2000):
                lb.get_next_server()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([server.picks for server in lb.snapshot()], [10_000, 4_000, 2_000])

    def test_a_new_weight_counts_from_the_next_pick(self) -> None:
        lb = RoundRobinLoadBalancer(["A", "B"])
        lb.set_weight("A", 3)
        picks = [lb.get_next_server() for _ in range(8)]
        self.assertEqual((picks.count("A"), picks.count("B")), (6, 2))
