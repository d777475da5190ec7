"""The three balancers in a minute: PYTHONPATH=python python3 examples/library-python/main.py"""

from evener import (
    Endpoint,
    LeastConnectionsLoadBalancer,
    NoServerAvailable,
    ResourceBasedLoadBalancer,
    RoundRobinLoadBalancer,
)


def main() -> None:
    round_robin()
    least_connections()
    resource_based()


def round_robin() -> None:
    print("Round robin: ten requests over three servers")
    lb = RoundRobinLoadBalancer(["server1", "server2", "server3"])
    for request in range(1, 11):
        print(f"  request {request:2} -> {lb.get_next_server()}")

    lb = RoundRobinLoadBalancer([("A", 5), ("B", 1), ("C", 1)])
    print("  weights 5, 1, 1:", *(lb.get_next_server() for _ in range(7)))


def least_connections() -> None:
    print("\nLeast connections: a long request keeps its server busy, short ones go to the other")
    lb = LeastConnectionsLoadBalancer(["server1", "server2"], seed=1)
    with lb.acquire() as long:
        print(f"  long request    -> {long.server}")
        for number in range(1, 4):
            with lb.acquire() as short:
                print(f"  short request {number} -> {short.server}")

    print("  a limit of one request on one server:")
    lb = LeastConnectionsLoadBalancer([Endpoint("server1", limit=1)])
    with lb.acquire() as lease:
        print(f"  first  -> {lease.server}")
        try:
            lb.acquire(timeout=0.1)
        except NoServerAvailable as error:
            print(f"  second -> {error}")


def resource_based() -> None:
    print("\nResource based: the fullest of CPU, memory and GPU counts, then what was sent since")
    lb = ResourceBasedLoadBalancer(["server1", "server2", "server3"])
    lb.report("server1", cpu=0.20, memory=0.30, gpu=0.95)
    lb.report("server2", cpu=0.40, memory=0.35, gpu=0.30)
    lb.report("server3", cpu=0.10, memory=0.52, gpu=0.25)
    for request in range(1, 7):
        scores = ", ".join(f"{server} {score:.2f}" for server, score in lb.scores().items())
        print(f"  request {request} -> {lb.get_next_server()}  (scores: {scores})")


if __name__ == "__main__":
    main()
